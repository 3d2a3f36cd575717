"""Bombs, references and damage are refused with the package's own error, before they cost memory."""

import gzip
import json

import numpy as np
import pytest
from astropy.io import fits

from tfgalaxy.configuration import read_json
from tfgalaxy.data.columns import VoteColumns
from tfgalaxy.data.fits_images import read_fits
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.data.untrusted_files import check_packed, check_votable
from tfgalaxy.errors import InputError

VOTABLE = (
    '<?xml version="1.0"?>{doctype}<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
    '<TABLE><FIELD name="id" datatype="int"/><DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>'
)
CELLS = "<TABLEDATA><TR><TD>7</TD></TR></TABLEDATA>"


@pytest.fixture
def zeros(tmp_path):
    path = tmp_path / "zeros.csv.gz"
    path.write_bytes(gzip.compress(bytes(65 << 20), 1))
    return path


def test_what_grows_beyond_all_measure_is_refused(zeros, tmp_path):
    with pytest.raises(InputError, match=r"must unpack to at most 67,108,864 bytes, not 'more'"):
        table_columns(zeros)
    image = tmp_path / "image.fits.gz"
    image.write_bytes(zeros.read_bytes())
    with pytest.raises(InputError, match="must unpack to at most"):
        read_fits(image)


def test_an_ordinary_packed_file_passes(tmp_path):
    path = tmp_path / "votes.csv.gz"
    path.write_bytes(gzip.compress(b"id,a\n" + b"1,2\n" * 1000))
    check_packed(path)
    assert table_columns(path) == ("id", "a")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="must be a readable table"):
        table_columns(path)


@pytest.mark.parametrize(("start", "name"), [(b"PK\x03\x04", "zip"), (b"BZh9", "bzip2"), (b"\xfd7zXZ\0", "xz")])
def test_archives_are_not_opened(tmp_path, start, name):
    path = tmp_path / "image.fits"
    path.write_bytes(start + bytes(3000))
    with pytest.raises(InputError, match=f"must be plain or packed with gzip, not 'packed with {name}'"):
        read_fits(path)


def test_a_votable_may_not_send_for_its_data_or_define_entities(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("urllib.request.urlopen", opened.append)
    path = tmp_path / "votes.xml"
    for stream in ("BINARY", "BINARY2", "FITS"):
        data = f'<{stream}><STREAM href="file:///etc/hostname"/></{stream}>'
        path.write_text(VOTABLE.format(doctype="", data=data))
        with pytest.raises(InputError, match=r"must hold its data itself, not 'a STREAM from file:///etc/hostname'"):
            read_table(path, ["id"], [])
    path.write_text(VOTABLE.format(doctype='<!DOCTYPE VOTABLE [<!ENTITY a "7">]>', data=CELLS))
    with pytest.raises(InputError, match="must not declare document types"):
        read_table(path, ["id"], [])
    assert opened == []
    path.write_text(VOTABLE.format(doctype="", data=CELLS))
    check_votable(path)
    assert read_table(path, ["id"], [])["id"].tolist() == ["7"]


def test_damaged_tables_are_named(tmp_path):
    path = tmp_path / "votes.csv"
    for content in (b"id,a\n1,\xff\xfe\n2,x\n", b"id,a\n\xe9,1\n", b"id," + b"a" * 200_000, b"a" * (1 << 20)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"votes\.csv"):
            read_table(path, ["id"], list(table_columns(path)[1:]))
    broken = tmp_path / "votes.xml"
    broken.write_text(VOTABLE.format(doctype="", data=CELLS)[:-20])
    with pytest.raises(InputError, match="must be a readable table in well-formed XML"):
        table_columns(broken)


def test_fits_of_two_billion_axes_is_refused_at_once(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.eye(20)).writeto(path)
    path.write_bytes(path.read_bytes().replace(b"NAXIS   =                    2", b"NAXIS   =           2147483647"))
    for read in (read_fits, table_columns):
        with pytest.raises(InputError, match="must have at most 999 axes or columns"):
            read(path)


def test_a_fits_image_is_found_behind_others(tmp_path):
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.eye(20, dtype=np.float32))]).writeto(path)
    assert read_fits(path).shape == (20, 20, 1)


@pytest.mark.parametrize("pattern", ["{answer:>999999999}", "{answer.__class__}", "{answer!r}", "{0}", "{other}", "{"])
def test_a_pattern_holds_fields_and_nothing_else(pattern):
    with pytest.raises(InputError, match="must be a pattern"):
        VoteColumns(pattern=pattern)
    with pytest.raises(InputError, match="total must be a pattern"):
        VoteColumns(total="{question}" + pattern)


def test_a_total_is_not_told_by_answer():
    with pytest.raises(InputError, match=r"total must be a pattern of known fields \({question}, {question_number}\)"):
        VoteColumns(total="{answer}_total")
    assert VoteColumns(pattern="t{question_number:02d}_{answer}").pattern == "t{question_number:02d}_{answer}"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": 1' + "0" * 5000 + "}", "\x00", "{'a': 1}"])
def test_json_that_cannot_be_read_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"config\.json must hold valid JSON"):
        read_json(path)


def test_an_integer_beyond_the_largest_float_is_no_finite_number():
    from tfgalaxy.training.config import TrainingConfig

    with pytest.raises(InputError, match="kl_weight must be a finite number"):
        TrainingConfig.from_dict(json.loads('{"kl_weight": 1' + "0" * 400 + "}"))
