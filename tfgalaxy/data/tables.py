"""Tables from CSV, Parquet, FITS and VOTable files, with ids as text and votes as numbers."""

from __future__ import annotations

import csv
import gzip
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.identifiers import to_text
from tfgalaxy.data.untrusted_files import check_packed, check_votable
from tfgalaxy.errors import InputError

__all__ = ["read_table", "table_columns"]

_FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".fits", ".fit"), "fits"),
    **dict.fromkeys((".vot", ".votable", ".xml"), "votable"),
}
_LONGEST_HEADER = 1 << 20  # characters
_EMPTY = (
    "",
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "None",
    "<NA>",
    "--",
)  # '--': astropy's masked cell


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = _FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise InputError("catalogue", f"must be one of {', '.join(_FORMATS)}", str(path), "Convert the table to one.")
    if not path.is_file():
        raise InputError("catalogue", "must be an existing file", str(path), "Check the path.")
    return kind


def _check_trust(path: Path, kind: str) -> None:
    try:
        check_packed(path)
        if kind == "votable":
            check_votable(path)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def table_columns(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of a table's columns, duplicates included.

    Raises:
        InputError: no such file, an unknown type of file, or one that cannot be read.
    """
    path = Path(path)
    kind = _format(path)
    _check_trust(path, kind)
    if kind == "csv":
        return tuple(_csv_header(path)[0])
    if kind == "parquet":
        return _parquet_columns(path)
    return tuple(_astropy_table(path, kind).colnames)


def read_table(path: str | os.PathLike[str], text: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Reads some columns of a table; its rows stay in their order.

    Line ends of CSV may be LF, CRLF or the CR of an old Mac; a byte order mark is dropped; `,`, `;` or tab separate;
    `.gz` is unpacked. A row with too few or too many cells is an error, since its values would stand under the wrong
    names.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.parquet`, `.pq`, `.fits`, `.fit`, `.vot`, `.votable` or `.xml`.
        text: columns to read as text; blanks at the ends are dropped and missing values become "".
        numbers: columns to read as float32. An empty cell becomes NaN; a cell that holds no number becomes infinity, so
            that it is not taken for an empty one.

    Raises:
        InputError: a file that cannot be read, a ragged row, or a text column of floats too large to hold every digit.
    """
    path = Path(path)
    kind = _format(path)
    _check_trust(path, kind)
    if kind == "csv":
        columns = _read_csv(path, text, numbers)
    elif kind == "parquet":
        columns = _read_parquet(path, [*text, *numbers])
    else:
        table = _astropy_table(path, kind)
        columns = {name: np.ma.asanyarray(table[name]) for name in (*text, *numbers)}
    for name, values in columns.items():
        check(np.ndim(values) == 1, f"column '{name}'", "must hold one value per row", np.shape(values), "Split it.")
    data: dict[str, NDArray[Any]] = {name: to_text(columns[name], name) for name in text}
    data.update({name: _to_numbers(columns.pop(name)) for name in numbers})
    return pd.DataFrame(data, copy=False)


def _to_numbers(values: Any) -> NDArray[np.float32]:
    array = np.ma.getdata(values)
    if array.dtype.kind in "OSU":
        words = pd.Series(to_text(values, ""), dtype=object)
        parsed = pd.to_numeric(words, errors="coerce")
        array = np.where(parsed.isna() & ~words.isin(_EMPTY), np.inf, parsed)
    numbers = array.astype(np.float32, copy=False)
    return np.where(np.ma.getmaskarray(values), np.float32(np.nan), numbers) if np.ma.isMaskedArray(values) else numbers


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        str(path), "must be a readable table", str(error), "Check that the file is whole, and text saved as UTF-8."
    )


def _csv_header(path: Path) -> tuple[list[str], str]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            line = file.readline(_LONGEST_HEADER)  # with newline="", a line ends at LF, CRLF or CR
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    rule = f"must start with a line of column names, of at most {_LONGEST_HEADER:,} characters"
    check(len(line) < _LONGEST_HEADER, str(path), rule, line, "Check that this is the catalogue.")
    if not line.strip():
        raise InputError(str(path), "must start with a line of column names", line, "Check that this is the catalogue.")
    delimiter = max(",;\t", key=line.count)
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter))], delimiter
    except csv.Error as error:  # a name of more than 131,072 characters
        raise _unreadable(path, error) from error


def _read_csv(path: Path, text: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    import pyarrow

    try:
        return _read_csv_as(path, text, numbers, pyarrow.float32())
    except pyarrow.ArrowInvalid as error:
        if "conversion error" not in str(error):
            rule = "must have as many cells in each row as column names"
            raise InputError(str(path), rule, str(error), "Correct that row.") from error
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error
    try:  # some cell is no number: read them as text, so that the rows can be named one by one
        return _read_csv_as(path, text, numbers, pyarrow.string())
    except (OSError, pyarrow.ArrowException) as error:  # text that is not UTF-8
        raise _unreadable(path, error) from error


def _read_csv_as(path: Path, text: Sequence[str], numbers: Sequence[str], number_type: Any) -> dict[str, Any]:
    import pyarrow
    from pyarrow import csv as arrow_csv

    header, delimiter = _csv_header(path)
    # Columns go by position: names may be there twice in columns that nobody asks for.
    types = {str(header.index(name)): pyarrow.string() for name in text}
    types.update({str(header.index(name)): number_type for name in numbers})
    table = arrow_csv.read_csv(
        path,
        memory_pool=pyarrow.system_memory_pool(),  # Arrow's own pool would keep what is freed below
        # One thread: only then does an error name the row.
        read_options=arrow_csv.ReadOptions(
            use_threads=False, skip_rows=1, column_names=[str(position) for position in range(len(header))]
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=list(types), column_types=types, null_values=list(_EMPTY), strings_can_be_null=False
        ),
    )
    columns = dict(zip(table.column_names, table.columns, strict=True))
    del table  # so that each column's memory goes back once it is copied
    return {header[int(position)]: columns.pop(position).to_numpy() for position in types}


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import pyarrow
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error


def _read_parquet(path: Path, names: list[str]) -> dict[str, Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=names)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error
    columns = {name: _arrow_values(table[name]) for name in names}
    del table
    pyarrow.default_memory_pool().release_unused()  # which it would keep
    return columns


def _arrow_values(column: Any) -> Any:
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.combine_chunks().dictionary_decode()
    if pyarrow.types.is_integer(column.type) and column.null_count:
        # NumPy would turn integers with gaps into floats and lose the last digits of ids.
        return np.ma.masked_array(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    if pyarrow.types.is_decimal(column.type) or pyarrow.types.is_boolean(column.type):
        return np.array(column.to_pylist(), dtype=object)
    return column.to_numpy()


def _astropy_table(path: Path, kind: str) -> Any:
    """A FITS or VOTable file's first table."""
    from astropy.io import votable
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units and names that other tools wrote are none of the votes' business
        try:
            if kind == "fits":
                return Table.read(path, format="fits", hdu=_table_number(path))
            return votable.parse_single_table(path).to_table(use_names_over_ids=True)
        except InputError:
            raise
        except Exception as error:  # of damaged files, astropy raises errors of many classes
            raise _unreadable(path, error) from error


def _table_number(path: Path) -> int:
    from astropy.io import fits

    with fits.open(path) as units:
        for number, unit in enumerate(units):
            if isinstance(unit, fits.BinTableHDU | fits.TableHDU):
                return number
    raise InputError(str(path), "must hold a FITS table", "images only", "Give the catalogue, not an image.")
