"""Equivariance and invariance errors as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tfgalaxy.evaluation.equivariance import EquivarianceError
    from tfgalaxy.evaluation.invariance import InvarianceError

__all__ = ["OTHER_GALAXY", "equivariance_table", "invariance_table"]

# The row of `InvarianceError` that compares each image with another one.
OTHER_GALAXY = "another galaxy"

# A pose that no pose of the sequence expresses to better than this many half-widths is worth a line.
WORTH_SAYING = 1e-3


def _table(title: str, caption: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def equivariance_table(result: EquivarianceError) -> Table:
    """A row per parameter: error of f(T x) - f(x) - theta, and the mean error of a predictor that is constant."""
    title = f"equivariance error, {result.images:,} images, {result.draws} transformations of each"
    caption = "chance: mean error of a predictor whose pose never changes"
    if result.unexplained > WORTH_SAYING:
        caption += (
            "; products of these poses are no such poses: what they cannot express moves points by"
            f" {result.unexplained:.3f} half-widths"
        )
    table = _table(title, caption, ("transformation", "parameter", "unit"), ("mean", "median", "p95", "chance"))
    for row in result.parameters:
        error = row.error
        numbers = (error.mean, error.median, error.p95, row.control.mean)
        table.add_row(*map(Text, (row.transformation, row.name, row.unit)), *(f"{value:.4f}" for value in numbers))
    return table


def invariance_table(result: InvarianceError) -> Table:
    """A row per change and kind of prediction: total variation of the answers, and the worst question's mean."""
    title = f"total variation of the answers, {result.images:,} images"
    caption = "mean over questions; 0: nothing changes, 1: all does; last row: what chance gives"
    table = _table(title, caption, ("change", "prediction"), ("mean", "median", "p95", "worst question's mean"))
    for row in result.rows:
        worst = max(row.questions, key=lambda name: row.questions[name].mean)
        numbers = [f"{value:.4f}" for value in (row.total.mean, row.total.median, row.total.p95)]
        table.add_row(Text(row.change), Text(row.prediction), *numbers, f"{row.questions[worst].mean:.4f}")
    return table
