"""Ids as text. Readers and spreadsheets turn 18-digit ids into floats or `5.88E+17`; these are refused, not guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["check_ids", "to_text"]

_REMEDY = (
    "The digits are lost: take the table from its source again, and read or store its ids as text or 64-bit integers."
)
_RULE = "must hold ids with all their digits"
_FEWEST = 5  # that many ids with the same marks of rounding are no coincidence: below 1e-8 for true ids


def to_text(values: Any, column: str) -> NDArray[np.object_]:
    """A column as text without blanks at its ends; missing values become "".

    Args:
        values: [N], of text, byte strings, integers or whole numbers stored as floats; may be masked.
        column: its name, for errors.

    Returns:
        [N] array of `str`.

    Raises:
        InputError: floats that are not whole, or so large that the float cannot hold every integer (2**53 for 64 bits).
    """
    missing = np.asarray(np.ma.getmaskarray(values)) if np.ma.isMaskedArray(values) else None
    array = np.asarray(np.ma.getdata(values))
    if array.dtype.kind == "f":
        missing = np.isnan(array) if missing is None else missing | np.isnan(array)
        array = _whole(np.where(missing, 0, array), column)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    series = pd.Series(array.astype(object))
    missing = series.isna().to_numpy() if missing is None else missing | series.isna().to_numpy()
    series = series.map(_decode) if array.dtype.kind == "O" else series.map(str)
    return np.where(missing, "", series.str.strip().to_numpy(dtype=object))


def _decode(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _whole(array: NDArray[Any], column: str) -> NDArray[np.int64]:
    limit = 2.0 ** (np.finfo(array.dtype).nmant + 1)
    large = np.abs(array) > limit
    value = f"floats such as {array[large][0]!s}" if large.any() else ""
    check(not large.any(), f"column '{column}'", _RULE, value, _REMEDY)
    broken = array != np.floor(array)
    value = f"floats such as {array[broken][0]!s}" if broken.any() else ""
    check(not broken.any(), f"column '{column}'", "must hold ids", value, "Name the id column with id_column.")
    return array.astype(np.int64)


def check_ids(ids: NDArray[np.object_], column: str) -> NDArray[np.object_]:
    """Ids that are usable as they stand: whole, unique, with all digits. Empty ones are left for the caller to exclude.

    Args:
        ids: [N] text.
        column: the column's name, for errors.

    Returns:
        [N], where a short number with an idle fraction, `100008.0`, has lost it.

    Raises:
        InputError: ids that lost digits, or a duplicate id, with the rows (counted from 1, without the header).
    """
    series = pd.Series(ids, dtype=object)
    _refuse_scientific(series, column)
    floats = series.str.fullmatch(r"\d+\.0+")
    if floats.any() and floats[series != ""].all():
        series = series.str.replace(r"\.0+$", "", regex=True)
        long = series[series.str.len() > 15]
        value = f"{len(long)} floats such as '{long.iloc[0]}.0'" if len(long) else ""
        check(long.empty, f"column '{column}'", _RULE, value, _REMEDY)
    _refuse_rounded(series, column)
    _refuse_duplicates(series, column)
    return series.to_numpy(dtype=object)


def _refuse_scientific(series: pd.Series, column: str) -> None:
    # Text such as 1e5 can be a true id of another survey; a point or a plus cannot.
    scientific = series.str.fullmatch(r"[+-]?(?:\d+[.,]\d*[eE][+]?\d+|\d+[eE][+]\d+)")
    if scientific.any():
        row = int(np.flatnonzero(scientific)[0])
        value = f"'{series[row]}' (row {row + 1}; {int(scientific.sum())} such rows)"
        raise InputError(f"column '{column}'", _RULE, value, _REMEDY)


def _refuse_rounded(series: pd.Series, column: str) -> None:
    """A spreadsheet keeps 15 digits and adds zeros; a 64-bit float keeps 53 bits, so large ids are multiples of 64."""
    long = series[series.str.fullmatch(r"\d{17,19}")]
    if len(long) < _FEWEST:
        return
    check(
        not long.str[15:].str.fullmatch("0+").all(),
        f"column '{column}'",
        _RULE,
        f"'{long.iloc[0]}' (all {len(long)} long ids end in zeros after 15 digits)",
        _REMEDY,
    )
    numbers = long.astype(np.uint64).to_numpy()
    check(
        not (numbers % 64 == 0).all(),
        f"column '{column}'",
        _RULE,
        f"'{long.iloc[0]}' (all {len(long)} long ids are rounded to 64-bit floats)",
        _REMEDY,
    )


def _refuse_duplicates(series: pd.Series, column: str) -> None:
    present = series[series != ""]
    twice = present[present.duplicated(keep=False)]
    if twice.empty:
        return
    groups = list(twice.groupby(twice, sort=False).groups.items())
    shown = ", ".join(f"'{name}' (rows {' and '.join(str(row + 1) for row in rows[:5])})" for name, rows in groups[:3])
    rule = "must not hold a duplicate id"
    raise InputError(f"column '{column}'", rule, f"{len(groups)}: {shown}", "Keep one row for each galaxy.")
