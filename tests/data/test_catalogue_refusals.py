"""Tables and folders that make no catalogue are refused, in words that say why."""

import pandas as pd
import pytest
from own_catalogue import GOOD, HEADER, OWN

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.errors import InputError


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["a", 1, 1, 0, 1], ["a", 2, 2, 0, 2]], r"column 'id' must not hold a duplicate id, not .*'a' .rows 1 and 2."),
        ([["5.88E+17", 1, 1, 0, 1]], "column 'id' must hold ids with all their digits"),
        (
            [["a", -1, 1, 0, 0], ["b", 1, 1, 0, 0], ["c", -1, 1, 0, 0]],
            r"catalogue must have sound votes .*faults in 2 of 3 .row 1: column bar_yes is negative",
        ),
    ],
)
def test_bad_tables_are_refused(make, rows, words):
    with pytest.raises(InputError, match=words):
        make(rows)


def test_an_empty_table_is_refused(make):
    with pytest.raises(InputError, match=r"catalogue must have at least one row, not .*an empty table"):
        make(pd.DataFrame(columns=HEADER), images=["a.jpg"])


def test_bad_folders_are_refused(make, tmp_path):
    with pytest.raises(
        InputError,
        match=r"images must hold the catalogue's galaxies, not .*none of 4 galaxies .*An image there is 'z.jpg'",
    ):
        make(GOOD, images=["z.jpg"])
    with pytest.raises(InputError, match="images must be an existing folder"):
        load_catalogue(tmp_path / "votes.csv", tmp_path / "absent", OWN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="images must hold image files"):
        load_catalogue(tmp_path / "votes.csv", tmp_path / "empty", OWN)
    with pytest.raises(InputError, match="catalogue must be an existing file"):
        load_catalogue(tmp_path / "absent.csv", tmp_path, OWN)


def test_a_file_outside_the_folder_and_a_shared_file_are_refused(make):
    header = ["id", "file", *HEADER[1:]]
    with pytest.raises(InputError, match="file column must stay within the image folder"):
        make([["a", "../votes.csv", 1, 1, 1, 0]], header, images=["a.jpg"])
    rows = [["a", "x.jpg", 1, 1, 1, 0], ["b", "x.jpg", 1, 1, 1, 0]]
    with pytest.raises(InputError, match=r"each galaxy its own image, not \"'.*x.jpg' for a, b"):
        make(rows, header, images=["x.jpg"])
