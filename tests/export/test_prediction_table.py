"""Tables of predictions in every format, from one part or many, read back by other readers."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from pyarrow import parquet

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_columns import column_names, column_values, prediction_table
from tfgalaxy.export.prediction_table import FORMATS, write_table, write_tables

TREE = Questions(
    "tree",
    (
        Question("smooth", ("yes", "no")),
        Question("bar", ("yes", "no"), asked_after=(("smooth", "no"),)),
    ),
)


def make_table(count=7, first=0):
    rng = np.random.default_rng(first)
    ids = [f"58801701{row:011d}" for row in range(first, first + count)]
    files = [f"folder <{row}> & é.jpg" * (1 + row % 3) for row in range(first, first + count)]
    reasons = ["" if row % 3 else "must be an image, not 'x'" for row in range(first, first + count)]
    names = ["smooth-or-featured_smooth_fraction", "bar_yes_fraction"]
    return prediction_table(ids, files, reasons, names, rng.normal(size=(count, 2)).astype(np.float32))


def parts():
    return [make_table(4), make_table(3, 4), make_table(1, 7)]


def read(path, columns):
    """With this package's reader of catalogues, whose tests have references of their own."""
    names = table_columns(path)
    assert len(names) == len(columns)
    frame = read_table(path, [name for name in names if name in ("id", "file", "reason")], [*names[2:3], *names[4:]])
    return frame[list(names)].set_axis(columns, axis=1)


@pytest.mark.parametrize("suffix", FORMATS)
def test_parts_and_the_whole_are_the_same_table(tmp_path, suffix):
    whole = pd.concat(parts(), ignore_index=True)
    write_tables(parts, tmp_path / f"parts{suffix}")
    write_table(whole, tmp_path / f"whole{suffix}")
    if suffix != ".parquet":  # whose row groups are the parts
        assert (tmp_path / f"parts{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    expected = whole.astype({"valid": np.float32})
    if suffix == ".fits":
        expected["file"] = expected["file"].str.replace("é", "\\xe9")
    for name in ("parts", "whole"):
        found = read(tmp_path / f"{name}{suffix}", list(whole.columns))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-7)


def test_parquet_has_a_row_group_for_each_part(tmp_path):
    write_tables(parts, tmp_path / "t.parquet")
    file = parquet.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [4, 3, 1]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), pd.concat(parts(), ignore_index=True))


def test_fits_is_what_astropy_expects(tmp_path):
    write_tables(parts, tmp_path / "t.fits")
    with fits.open(tmp_path / "t.fits") as units:
        units.verify("exception")
        header = units[1].header
        assert header["TTYPE5"] == "smooth_or_featured_smooth_fraction"
        assert header["TCOMM5"] == "smooth-or-featured_smooth_fraction"
        assert header["TFORM5"] == "E"
        assert header["TFORM3"] == "B"
    assert (tmp_path / "t.fits").stat().st_size % 2880 == 0
    table = Table.read(tmp_path / "t.fits")
    whole = pd.concat(parts(), ignore_index=True)
    np.testing.assert_array_equal(table["bar_yes_fraction"], whole["bar_yes_fraction"].to_numpy())


def test_votable_is_what_astropy_expects(tmp_path):
    write_tables(parts, tmp_path / "t.vot")
    table = Table.read(tmp_path / "t.vot", format="votable", use_names_over_ids=True, verify="exception")
    whole = pd.concat(parts(), ignore_index=True)
    assert list(table.colnames) == list(whole.columns)
    assert list(table["file"]) == whole["file"].tolist()
    assert table["bar_yes_fraction"].dtype == np.float32
    good = whole["valid"] == 1
    np.testing.assert_array_equal(np.asarray(table["bar_yes_fraction"])[good], whole["bar_yes_fraction"][good])


def test_errors(tmp_path):
    with pytest.raises(InputError, match=r"output must end in \.csv, \.parquet, \.fits, \.vot, \.xml, not"):
        write_table(make_table(), tmp_path / "t.xlsx")
    twins = pd.DataFrame({"a-b": [1.0], "A_b": [2.0]})
    with pytest.raises(InputError, match="differ without case and hyphens"):
        write_table(twins, tmp_path / "t.fits")
    assert list(tmp_path.iterdir()) == []


def test_values_stand_under_their_names():
    outputs = {
        "fraction": np.array([[0.75, 0.25, 0.4, 0.6]]),
        "fraction_lower": np.array([[0.7, 0.2, 0.3, 0.5]]),
        "fraction_upper": np.array([[0.8, 0.3, 0.5, 0.7]]),
        "asked_probability": np.array([[1.0, 0.25]]),
        "concentration": np.array([[12.0, 34.0]]),
        "pose": np.array([[0.1, 0.2]]),
    }
    names = column_names(TREE, {"pose": 2})
    values = column_values(TREE, 40, outputs, {"pose": 2})
    assert values.dtype == np.float32
    row = dict(zip(names, values[0], strict=True))
    assert row["bar_no_fraction"] == pytest.approx(0.6)
    assert row["bar_no_fraction_lower"] == pytest.approx(0.5)
    assert row["smooth_no_fraction_upper"] == pytest.approx(0.3)
    assert row["smooth_yes_expected_votes"] == pytest.approx(30.0)
    assert row["bar_no_expected_votes"] == pytest.approx(40 * 0.25 * 0.6)
    assert row["bar_asked_probability"] == pytest.approx(0.25)
    assert row["bar_concentration"] == pytest.approx(34.0)
    assert (row["pose_0"], row["pose_1"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert len(row) == len(names) == 4 * 4 + 2 * 2 + 2


def test_rows_with_a_reason_hold_no_numbers():
    table = prediction_table(["a", "b"], ["x", "y\udcff"], ["", "broken"], ["n"], np.ones([2, 1], np.float32))
    assert table["valid"].tolist() == [1, 0]
    assert table["n"].tolist()[0] == 1.0
    assert np.isnan(table["n"][1])
    assert table["file"][1] == "y\\udcff"  # Linux allows names that are no text
