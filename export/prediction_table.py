"""Writes tables of predictions as CSV, Parquet, FITS or VOTable, part by part: a table need not fit into memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file

__all__ = ["FORMATS", "check_table_path", "write_table", "write_tables"]

FORMATS = (".csv", ".parquet", ".fits", ".vot", ".xml")
# Gives the parts of one table, in order, each time it is called.
Tables = Callable[[], Iterable[pd.DataFrame]]
# FITS files are made of blocks of this many bytes.
_FITS_BLOCK = 2880


def check_table_path(path: str | os.PathLike[str]) -> Path:
    """The path, if its suffix names a format; called before the work, so that none is lost."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise InputError("output", f"must end in {', '.join(FORMATS)}", str(path), "Name the file by its format.")
    return path


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Writes a table of text and numbers in one step; see `write_tables`."""
    write_tables(lambda: [table], path)


def write_tables(tables: Tables, path: str | os.PathLike[str]) -> None:
    """Writes one table from its parts, in one step, in the format that the suffix names.

    Parquet gets a row group for each part. FITS columns hold letters, digits and underscores only; the original name
    stands in the header as `TCOMMn`. FITS texts are ASCII; other characters are escaped as in `\\xe9`. `.vot` and
    `.xml` are VOTables.

    Args:
        tables: gives at least one part, and the same ones again when it is called again.
        path: the file; an existing one is replaced.

    Raises:
        InputError: another suffix, or names of columns that FITS cannot tell apart.
    """
    path = check_table_path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".fits": _write_fits}
    with atomic_file(path) as temporary:
        writers.get(path.suffix, _write_votable)(tables, temporary)


def _write_csv(tables: Tables, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, table in enumerate(tables()):
            table.to_csv(stream, index=False, header=number == 0)


def _write_parquet(tables: Tables, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parts = (pyarrow.Table.from_pandas(table, preserve_index=False) for table in tables())
    first = next(parts)
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part.cast(first.schema))


# FITS ---------------------------------------------------------------------------------------------------------------


def _write_fits(tables: Tables, path: Path) -> None:
    from astropy.io import fits

    kinds, rows = _fits_kinds(tables())
    names = {name: re.sub(r"\W", "_", name, flags=re.ASCII) for name in kinds}
    if len({name.lower() for name in names.values()}) < len(names):
        rule, remedy = "must have column names that differ without case and hyphens", "Write CSV or Parquet."
        raise InputError("output", rule, sorted(names), remedy)
    record = np.dtype([(names[name], kind) for name, kind in kinds.items()])
    header = fits.BinTableHDU(np.zeros(1, record)).header
    header["NAXIS2"] = rows
    for index, name in enumerate(kinds, start=1):
        header[f"TCOMM{index}"] = name
    with path.open("wb") as stream:
        for part in (fits.PrimaryHDU().header, header):
            stream.write(part.tostring().encode("ascii"))
        for table in tables():
            stream.write(_fits_records(table, record).tobytes())
        stream.write(bytes(-rows * record.itemsize % _FITS_BLOCK))


def _fits_kinds(tables: Iterable[pd.DataFrame]) -> tuple[dict[str, str], int]:
    """NumPy's type of each column, texts as wide as the widest in any part, and the number of rows."""
    kinds: dict[str, str] = {}
    widths: dict[str, int] = {}
    rows = 0
    for table in tables:
        rows += len(table)
        for name in table.columns:
            if table[name].dtype.kind == "O":
                widths[name] = max([widths.get(name, 1), *map(len, map(_ascii, table[name]))])
                kinds[name] = f"S{widths[name]}"
            else:
                size = table[name].dtype.itemsize
                kinds[name] = f">f{size}" if table[name].dtype.kind == "f" else "u1" if size == 1 else ">i8"
    return kinds, rows


def _ascii(text: str) -> bytes:
    return str(text).encode("ascii", "backslashreplace")


def _fits_records(table: pd.DataFrame, record: np.dtype[Any]) -> np.ndarray:
    records = np.zeros(len(table), record)
    for name, field in zip(table.columns, record.names or (), strict=True):
        values = table[name]
        records[field] = [_ascii(text) for text in values] if values.dtype.kind == "O" else values.to_numpy()
    return records


# VOTable ------------------------------------------------------------------------------------------------------------


def _write_votable(tables: Tables, path: Path) -> None:
    """Astropy writes all but the rows, which it would need in memory."""
    head = ""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for table in tables():
            if not head:
                head, tail = _votable_frame(table)
                stream.write(f"{head}<DATA><TABLEDATA>\n")
            stream.writelines(_votable_rows(table))
        stream.write(f"</TABLEDATA></DATA>\n{tail}")


def _votable_frame(table: pd.DataFrame) -> tuple[str, str]:
    """What stands before and behind the rows."""
    import io

    from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile

    document = VOTableFile()
    resource = Resource()
    element = TableElement(document)
    document.resources.append(resource)
    resource.tables.append(element)
    for name in table.columns:
        kind = table[name].dtype
        datatype = {"O": "unicodeChar", "f": "float" if kind.itemsize == 4 else "double"}.get(kind.kind, "long")
        size = {"arraysize": "*"} if datatype == "unicodeChar" else {}
        element.fields.append(Field(document, name=name, datatype=datatype, **size))
    stream = io.BytesIO()
    document.to_xml(stream)
    head, end, tail = stream.getvalue().decode("utf-8").partition("</TABLE>")
    return head, end + tail


def _votable_rows(table: pd.DataFrame) -> Iterator[str]:
    for row in zip(*(_votable_cells(table[name].to_numpy()) for name in table.columns), strict=True):
        yield f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>\n"


def _votable_cells(values: np.ndarray) -> list[str]:
    if values.dtype.kind == "O":
        return [escape(str(text)) for text in values]
    # NumPy writes the fewest digits that give the same number back.
    cells = values.astype(str)
    cells[cells == "nan"] = "NaN"
    return list(cells)
