"""Writes a table of predictions as CSV, Parquet or FITS."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file

__all__ = ["FORMATS", "check_table_path", "write_table"]

FORMATS = (".csv", ".parquet", ".fits")


def check_table_path(path: str | os.PathLike[str]) -> Path:
    """The path, if its suffix names a format; called before the work, so that none is lost."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise InputError("output", f"must end in {', '.join(FORMATS)}", str(path), "Name the file by its format.")
    return path


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Writes the table in one step, in the format that the suffix names.

    FITS columns hold letters, digits and underscores only; the original name stands in the header as `TCOMMn`.
    """
    path = check_table_path(path)
    with atomic_file(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        elif path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            _write_fits(table, temporary)


def _write_fits(table: pd.DataFrame, path: Path) -> None:
    from astropy.io import fits
    from astropy.table import Table

    names = {name: re.sub(r"\W", "_", name, flags=re.ASCII) for name in table.columns}
    if len({name.lower() for name in names.values()}) < len(names):
        rule, remedy = "must have column names that differ without case and hyphens", "Write CSV or Parquet."
        raise InputError("output", rule, sorted(names), remedy)
    hdu = fits.BinTableHDU(Table.from_pandas(table.rename(columns=names)))
    for index, name in enumerate(table.columns, start=1):
        hdu.header[f"TCOMM{index}"] = name
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
