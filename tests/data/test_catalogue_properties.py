"""A catalogue reads back what was written in every format, and no table raises anything but the package's error."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError

FAST = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
TREE = Questions(
    "small", (Question("shape", ("smooth", "featured")), Question("bar", ("yes", "no"), (("shape", "featured"),)))
)
IDS = ("587722981736120347", "J112953.88-000427.4", "a_b", "Ö7")
COUNTS = st.lists(st.tuples(*(st.integers(0, 2**20) for _ in range(4))), min_size=len(IDS), max_size=len(IDS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of all ids: only their names are read."""
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "images").mkdir()
    for name in IDS:
        (folder / "images" / f"{name}.png").touch()
    return folder


def write(path, frame):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".fits":
        Table.from_pandas(frame).write(path, overwrite=True)
    else:
        Table.from_pandas(frame).write(path, format="votable", overwrite=True)


def read(path, folder):
    return load_catalogue(path, folder / "images", TREE)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".fits", ".xml"])
def test_votes_come_back_in_every_format(folder, suffix):
    ids = IDS[:3] if suffix in (".fits", ".xml") else IDS  # those formats' text is ASCII
    path = folder / f"table{suffix}"

    @FAST
    @given(COUNTS)
    def check(counts):
        votes = np.array(counts)[: len(ids)]
        votes[0, 0] = 2  # one row at least has votes, and more than fractions would be
        write(path, pd.DataFrame({"id": list(ids), **dict(zip(TREE.answer_labels, votes.T, strict=True))}))
        catalogue = read(path, folder)
        rows = [ids.index(name) for name in catalogue.ids]
        np.testing.assert_array_equal(catalogue.votes, votes[rows])
        assert rows == np.flatnonzero(votes.sum(axis=1)).tolist() or catalogue.excluded
        assert len(catalogue) + len(catalogue.unlabelled_files) + len(catalogue.excluded) == len(IDS) or len(ids) == 3

    check()


CELLS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["", "1", "-1", "nan", "1e999", "999", '"', "a,b", "..", "../x.png", "/etc/passwd", "5.88E+17", *IDS]
)
ROWS = st.lists(st.lists(CELLS, min_size=4, max_size=6), max_size=5)


@settings(FAST, max_examples=150)
@given(ROWS, st.booleans(), st.sampled_from([",", ";", "\t"]))
def test_any_text_is_a_catalogue_or_an_input_error(folder, rows, named, separator):
    header = ["id", *TREE.answer_labels, *(["file"] if named else [])]
    text = "\n".join(separator.join(row) for row in [header, *rows])
    path = folder / "any.csv"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        catalogue = read(path, folder)
    except InputError:
        return
    assert np.isfinite(catalogue.votes).all()
    assert (catalogue.votes.sum(axis=1) > 0).all()
    inside = str(folder / "images")
    assert all(file.startswith(inside) for file in [*catalogue.files, *catalogue.unlabelled_files])


@settings(FAST, max_examples=100)
@given(st.binary(max_size=200), st.sampled_from([".csv", ".csv.gz", ".parquet", ".fits", ".xml"]))
def test_any_bytes_are_refused_by_name(folder, content, suffix):
    path = folder / f"bytes{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path, folder)
    assert "\n" not in str(caught.value)
