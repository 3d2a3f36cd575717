"""Refuses files that are small and would be large, and tables that ask for other files or the network."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from typing import Any
from xml.parsers import expat

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["check_packed", "check_votable"]

_GZIP_START = b"\x1f\x8b"
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x1f\x9d": "compress",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# Tables and cut-outs shrink to a tenth; gzip's own limit is a thousandth.
_LARGEST_RATIO = 100
_ALWAYS_ALLOWED = 64 << 20  # bytes: a small image with an empty sky may shrink to less
_BLOCK = 364 * 2880  # bytes, a whole number of FITS blocks, so that no header card is cut
# The standard's limit of both is 999; Astropy would count to two billion.
_COUNTS = (b"NAXIS", b"TFIELDS")
_MANY_AXES = re.compile(rb"(?:NAXIS|TFIELDS) *= *\+?(\d{4,})")


def check_packed(path: str | os.PathLike[str]) -> None:
    """Refuses what must not be unpacked. Readers of FITS and VOTable unpack by content, whatever the name says.

    Args:
        path: a file; one that is not packed passes.

    Raises:
        InputError: an archive or a packed file other than gzip; one whose content is more than 100 times as large, and
            above 64 MiB; FITS that states more than 999 axes or columns.
        OSError, EOFError, zlib.error: a file that cannot be read, or is damaged.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    for magic, name in _ARCHIVES.items():
        packed = start.startswith(magic)
        check(not packed, str(path), "must be plain or packed with gzip", f"packed with {name}", "Unpack it.")
    if start == b"SIMPLE":
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                _check_axes(path, block)
    if not start.startswith(_GZIP_START):
        return
    limit = max(_ALWAYS_ALLOWED, _LARGEST_RATIO * os.path.getsize(path))
    total = 0
    with gzip.open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            total += len(block)
            rule = f"must unpack to at most {limit:,} bytes"
            check(total <= limit, str(path), rule, "more", "Unpack it, if you trust it.")
            _check_axes(path, block)


def _check_axes(path: str | os.PathLike[str], block: bytes) -> None:
    # The pattern alone takes 25 ms for a block, all of which a bomb has.
    found = _MANY_AXES.search(block) if any(name in block for name in _COUNTS) else None
    value = found[0].decode() if found else ""
    check(found is None, str(path), "must have at most 999 axes or columns", value, "Replace the file.")


def check_votable(path: str | os.PathLike[str]) -> None:
    """Refuses a VOTable that defines entities, which can grow without bound, or whose data lie elsewhere (`href`).

    Raises:
        InputError: one of these, or XML that is not well-formed.
        OSError: a file that cannot be read.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == _GZIP_START
    parser = expat.ParserCreate()

    def refuse_types(*_: Any) -> None:
        raise InputError(str(path), "must not declare document types", "a DOCTYPE", "Remove it.")

    def refuse_references(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "STREAM" and "href" in attributes:
            rule, remedy = "must hold its data itself", "Save the table with its data in it."
            raise InputError(str(path), rule, f"a STREAM from {attributes['href']}", remedy)

    parser.StartDoctypeDeclHandler = refuse_types
    parser.StartElementHandler = refuse_references
    try:
        with gzip.open(path, "rb") if packed else Path(path).open("rb") as stream:
            parser.ParseFile(stream)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        rule, remedy = "must be a readable table in well-formed XML", "Check that the file is whole."
        raise InputError(str(path), rule, str(error), remedy) from error
