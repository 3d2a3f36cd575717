"""Figure of equivariance and invariance errors: what share of them is below a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.equivariance_table import OTHER_GALAXY
from tfgalaxy.evaluation.figures import COLOURS

if TYPE_CHECKING:
    from tfgalaxy.evaluation.equivariance import EquivarianceError
    from tfgalaxy.evaluation.invariance import InvarianceError

__all__ = ["equivariance_figure"]

# Errors below this are drawn at it: an error of exactly 0 has no logarithm.
SMALLEST = 1e-5


def equivariance_figure(equivariance: EquivarianceError | None, invariance: InvarianceError | None = None) -> Figure:
    """A panel per parameter of the pose, with the constant predictor dashed, and one of total variation.

    Each line is the share of errors that are at most so large; the size is logarithmic, and the median and 95th
    percentile are marked by thin lines.

    Args:
        equivariance: as `equivariance_error` gave it; None leaves these panels out.
        invariance: as `invariance_error` gave it; None leaves this panel out. One line for each change, of the first
            kind of prediction.

    Raises:
        InputError: both are None.
    """
    parameters = equivariance.parameters if equivariance is not None else ()
    count = len(parameters) + (invariance is not None)
    check(count > 0, "equivariance", "must be given where invariance is not", None, "Give at least one.")
    width = min(3, count)
    height = -(-count // width)
    figure = Figure(figsize=(max(5.0, 3.9 * width), 3.1 * height + 0.5), layout="constrained")
    grid = list(figure.subplots(height, width, squeeze=False).ravel())
    if equivariance is not None:
        _draw_parameters(grid, equivariance)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    if invariance is not None:
        _draw_invariance(grid[len(parameters)], invariance)
    for axes in grid[count:]:
        axes.remove()
    return figure


def _draw_parameters(grid: list[Axes], result: EquivarianceError) -> None:
    for column, (axes, row) in enumerate(zip(grid, result.parameters, strict=False)):
        _draw_share(axes, np.abs(result.errors[:, column]), COLOURS[0], "predictor")
        # What a constant predictor misses is the drawn parameter, which for an angle is at most half a turn.
        _draw_share(axes, np.abs(result.theta[:, column]), COLOURS[1], "constant predictor", "--")
        axes.set_title(f"{row.transformation}: {row.name}", fontsize=10)
        _tidy(axes, f"error, {row.unit}")


def _draw_invariance(axes: Axes, result: InvarianceError) -> None:
    first = result.rows[0].prediction
    shown = [(row, values) for row, values in zip(result.rows, result.values, strict=True) if row.prediction == first]
    for order, (row, values) in enumerate(shown):
        style = "--" if row.change == OTHER_GALAXY else "-"
        _draw_share(axes, values, COLOURS[order % len(COLOURS)], row.change, style)
    axes.set_title(f"answers, {first}", fontsize=10)
    _tidy(axes, "total variation")
    axes.legend(fontsize=7, frameon=False, loc="upper left")


def _draw_share(axes: Axes, sizes: ArrayLike, colour: str, label: str, style: str = "-") -> None:
    values = np.maximum(np.sort(np.asarray(sizes, float)), SMALLEST)
    share = (np.arange(len(values)) + 1) / len(values)
    axes.step(values, share, where="post", color=colour, linestyle=style, label=label, linewidth=1.4)


def _tidy(axes: Axes, text: str) -> None:
    axes.set(xscale="log", ylim=(0, 1.02), xlabel=text, ylabel="share of errors")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    for share in (0.5, 0.95):
        axes.axhline(share, color="0.6", linewidth=0.7, linestyle=":")
