"""Tables of every format give the same ids and numbers; ids that lost digits are refused."""

import gzip

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from tfgalaxy.data.identifiers import check_ids, to_text
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.errors import InputError

IDS = ["587722981741363294", "587722981741363295", "588017702411763744"]  # neighbours that a float64 cannot tell apart
VOTES = [3.0, np.nan, 0.25]


def write(path, ids=IDS, votes=VOTES, id_type=str):
    """Writes the reference table in the format of the suffix."""
    ids = np.array(ids, dtype=id_type)
    table = Table({"id": ids, "bar_yes": MaskedColumn(votes, mask=np.isnan(votes))})
    if path.suffix == ".csv":
        pd.DataFrame({"id": ids, "bar_yes": votes}).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pd.DataFrame({"id": ids, "bar_yes": votes}).to_parquet(path)
    else:
        table.write(path, format="votable" if path.suffix == ".vot" else None)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".fits", ".vot"])
@pytest.mark.parametrize("id_type", [str, np.int64])
def test_all_formats_give_the_same_table(tmp_path, suffix, id_type):
    path = write(tmp_path / f"table{suffix}", id_type=id_type)
    assert table_columns(path) == ("id", "bar_yes")
    frame = read_table(path, ["id"], ["bar_yes"])
    assert frame["id"].tolist() == IDS
    assert frame["bar_yes"].dtype == np.float32
    np.testing.assert_array_equal(frame["bar_yes"], np.float32(VOTES))


def text(rows, end="\n", separator=","):
    return end.join(separator.join(row) for row in rows) + end


ROWS = [("id", "note", "a", "b"), (IDS[0], "x", "1", "2"), (IDS[1], "y, z", "3", ""), (IDS[2], "", "nan", "4.5")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_of_every_machine(tmp_path, end, mark, separator):
    rows = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in ROWS]
    (tmp_path / "t.csv").write_bytes((mark + text(rows, end, separator)).encode())
    assert table_columns(tmp_path / "t.csv") == ROWS[0]
    frame = read_table(tmp_path / "t.csv", ["id", "note"], ["b", "a"])
    assert frame["id"].tolist() == IDS
    assert frame["note"].tolist() == ["x", "y, z", ""]
    np.testing.assert_array_equal(frame["a"], np.float32([1, 3, np.nan]))
    np.testing.assert_array_equal(frame["b"], np.float32([2, np.nan, 4.5]))


def test_csv_packed_and_with_line_breaks_in_quotes(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write('id,note,a\n7,"two\nlines",1\n8,,2')
    frame = read_table(tmp_path / "t.csv.gz", ["id", "note"], ["a"])
    assert frame["id"].tolist() == ["7", "8"]
    assert frame["note"].tolist() == ["two\nlines", ""]


def test_ids_keep_zeros_and_words_that_look_missing(tmp_path):
    (tmp_path / "t.csv").write_text("id,a\n007,1\nNA,2\n 1e5 ,3\n")
    assert read_table(tmp_path / "t.csv", ["id"], ["a"])["id"].tolist() == ["007", "NA", "1e5"]


def test_a_cell_that_is_no_number_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "t.csv").write_text("id,a\n1,five\n2,\n3, 6\n")
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", ["id"], ["a"])["a"], np.float32([np.inf, np.nan, 6]))


@pytest.mark.parametrize("row", ["2,3,4", "2"])
def test_a_ragged_row_is_an_error_not_a_shift(tmp_path, row):
    (tmp_path / "t.csv").write_text(f"id,a\n1,5\n{row}\n3,6\n")
    with pytest.raises(InputError, match=r"t\.csv must have as many cells in each row as column names, not .*Row #3"):
        read_table(tmp_path / "t.csv", ["id"], ["a"])


def test_fits_byte_strings_lose_their_trailing_blanks(tmp_path):
    columns = [
        fits.Column("ID", "8A", array=np.array([b"GDS_1   ", b"GDS_22"])),
        fits.Column("n", "J", array=[5, -1], null=-1),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    frame = read_table(tmp_path / "t.fits", ["ID"], ["n"])
    assert frame["ID"].tolist() == ["GDS_1", "GDS_22"]
    np.testing.assert_array_equal(frame["n"], np.float32([5, np.nan]))


def test_parquet_integers_with_gaps_keep_their_digits(tmp_path):
    pd.DataFrame({"id": pd.array([int(IDS[0]), None], "Int64"), "a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", ["id"], ["a"])["id"].tolist() == [IDS[0], ""]


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".vot"])
def test_large_float_ids_are_refused(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}", id_type=np.float64)
    with pytest.raises(
        InputError, match=r"column 'id' must hold ids with all their digits, not 'floats such as 5.877.*The digits"
    ):
        read_table(path, ["id"], ["bar_yes"])


def test_small_float_ids_are_whole_numbers():
    assert to_text(np.array([100008.0, np.nan, 7.0]), "id").tolist() == ["100008", "", "7"]
    with pytest.raises(InputError, match=r"column 'ra' must hold ids, not 'floats such as 7\.5'"):
        to_text(np.array([7.5]), "ra")
    with pytest.raises(InputError, match="all their digits"):
        to_text(np.array([2.0**24 + 2], np.float32), "id")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["5", "5.88E+17"], r"all their digits, not \"'5.88E\+17' .row 2; 1 such rows.*read or store its ids as text"),
        (["5,88E+17"], "all their digits"),
        (["6E+17"], "all their digits"),
        ([f"587722953303{n}16000" for n in range(1, 7)], "all 6 long ids end in zeros after 15 digits"),
        ([str(int(float(IDS[0])) + 128 * n) for n in range(6)], "all 6 long ids are rounded to 64-bit floats"),
        (["587722981741363294.0"], "1 floats such as '587722981741363294.0'"),
        (["a", "b", "a", "c", "b"], r"duplicate id, not \"2: 'a' .rows 1 and 3., 'b' .rows 2 and 5.\""),
    ],
)
def test_spoilt_ids_are_refused(ids, words):
    with pytest.raises(InputError, match=words):
        check_ids(np.array(ids, dtype=object), "dr7objid")


def test_true_ids_pass():
    ids = [*IDS, "1E5", "J112953.88-000427.4", "12e4", "", ""]
    assert check_ids(np.array(ids, dtype=object), "id").tolist() == ids
    assert check_ids(np.array(["100008.0", "100023.0"], dtype=object), "id").tolist() == ["100008", "100023"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", b"", "catalogue must be one of .csv"),
        ("t", b"", "catalogue must be one of .csv"),
        ("t.csv", b"", "must start with a line of column names"),
        ("t.csv", b"\xff\xfei\0d\0", "must be a readable table"),
        ("t.parquet", b"PAR1 no", "must be a readable table"),
        ("t.fits", b"no", "must be a readable table"),
        ("t.vot", b"no", "must be a readable table"),
    ],
)
def test_unreadable_tables_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        table_columns(tmp_path / name)


def test_an_absent_file_and_an_image_are_no_tables(tmp_path):
    with pytest.raises(InputError, match="catalogue must be an existing file"):
        table_columns(tmp_path / "t.csv")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(InputError, match="must hold a FITS table, not 'images only'"):
        table_columns(tmp_path / "image.fits")


def test_a_vector_column_is_refused(tmp_path):
    Table({"id": ["a", "b"], "a": np.zeros((2, 3))}).write(tmp_path / "t.fits")
    with pytest.raises(InputError, match="column 'a' must hold one value per row"):
        read_table(tmp_path / "t.fits", ["id"], ["a"])
