"""Curves of a run's history over its epochs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, own_axes, tidy
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["learning_curve", "learning_curves", "quantities_of"]

# A first epoch that lies so many times the spread of the others away from them is told in words instead.
FAR = 3.0


def quantities_of(history: pd.DataFrame) -> list[str]:
    """Names of what a history holds a finite number of; `val_<name>` counts with `<name>`.

    Raises:
        InputError: no `epoch` column, or no finite number at all.
    """
    check("epoch" in history, "history", "must have a column 'epoch'", list(history), "Add it.")
    columns = history.drop(columns=["epoch", "phase"], errors="ignore").select_dtypes("number")
    drawn = [name for name in columns if np.isfinite(columns[name].to_numpy(float)).any()]
    check(bool(drawn), "history", "must hold at least one row of finite numbers", list(history), "Train an epoch.")
    return list(dict.fromkeys(name.removeprefix("val_") for name in drawn))


def learning_curve(
    history: pd.DataFrame, quantity: str, axes: Axes | None = None, best_epoch: float | None = None
) -> Axes:
    """One quantity over the epochs; validation dashed, phases of training shaded in turn and named.

    Where the first epochs would press all others into a line, they are cut off and their worst value is written out.

    Args:
        history: a row per epoch with the columns `epoch`, optionally `phase` (as in two-step training), and numbers.
            Where epochs start anew in a phase, rows are counted through instead.
        quantity: name of a column, drawn with `val_<quantity>` where there is one.
        axes: where to draw; a new figure otherwise.
        best_epoch: an epoch to be marked by a thin line.

    Raises:
        InputError: see `quantities_of`; or a quantity that the history lacks.
    """
    known = quantities_of(history)
    check(quantity in known, "quantity", f"must be among {', '.join(known)}", quantity, "Choose.")
    epochs = history["epoch"].to_numpy(float)
    if (np.diff(epochs) <= 0).any():
        epochs = np.arange(1.0, len(epochs) + 1)
    axes = own_axes(axes, 5.0, 2.9)
    columns = history[[name for name in (quantity, f"val_{quantity}") if name in history]]
    _draw_columns(axes, epochs, columns, quantity)
    _shade_phases(axes, epochs, history.get("phase"))
    if best_epoch is not None:
        axes.axvline(best_epoch, color="0.6", linewidth=1, linestyle=":", zorder=1)
    _cut_far_start(axes, columns.to_numpy(float))
    axes.set_xlabel("epoch")
    return axes


def learning_curves(history: pd.DataFrame, quantities: Sequence[str] | None = None) -> Figure:
    """A `learning_curve` per quantity.

    Args:
        history: as for `learning_curve`; columns without a finite number are left out.
        quantities: names to draw, in this order; all by default.

    Raises:
        InputError: no `epoch` column, no row, nothing to draw, or a quantity that the history lacks.
    """
    panels = quantities_of(history)
    if quantities is not None:
        unknown = [name for name in quantities if name not in panels]
        check(not unknown and bool(quantities), "quantities", f"must be among {', '.join(panels)}", unknown, "Choose.")
        panels = list(quantities)
    width = min(3, len(panels))
    height = -(-len(panels) // width)
    figure = Figure(figsize=(max(5.0, 3.9 * width), 2.9 * height), layout="constrained")
    grid = figure.subplots(height, width, sharex=True, squeeze=False).ravel()
    for index, (axes, name) in enumerate(zip(grid, panels, strict=False)):
        learning_curve(history, name, axes)
        lowest = index + width >= len(panels)
        axes.set_xlabel("epoch" if lowest else "")
        axes.tick_params(labelbottom=lowest)
    for axes in grid[len(panels) :]:
        axes.remove()
    handles: dict[str, Artist] = {}
    for axes in grid[: len(panels)]:
        lines, texts = axes.get_legend_handles_labels()
        handles.update(zip(texts, lines, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def _draw_columns(axes: Axes, epochs: FloatArray, columns: pd.DataFrame, name: str) -> None:
    for column in columns:
        values = columns[column].to_numpy(float)
        known = np.isfinite(values)  # a phase that lacks a loss leaves gaps, not a line through them
        if not known.any():
            continue
        held_out = str(column).startswith("val_")
        axes.plot(
            epochs,
            np.where(known, values, np.nan),
            color=COLOURS[1 if held_out else 0],
            linestyle="--" if held_out else "-",
            marker="." if known.sum() <= 30 else "",
            label="validation" if held_out else "training",
        )
    axes.set_title(name.replace("_", " "), fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes)


def _cut_far_start(axes: Axes, values: FloatArray) -> None:
    """Limits that show the later epochs, where the first tenth of them lies far away."""
    start = max(1, len(values) // 10)
    first, later = values[:start], values[start:]
    first, later = first[np.isfinite(first)], later[np.isfinite(later)]
    if len(first) == 0 or len(later) < 10:
        return
    low, high = later.min(), later.max()
    spread = max(high - low, 1e-12)
    outside = np.maximum(low - first, first - high)
    if outside.max() <= FAR * spread:
        return
    axes.set_ylim(low - 0.08 * spread, high + 0.08 * spread)
    worst = first[outside.argmax()]
    number = f"{worst:,.0f}" if abs(worst) >= 100 else f"{worst:,.3g}"
    place = {"x": 0.97, "y": 0.04 if worst < low else 0.96, "va": "bottom" if worst < low else "top"}
    axes.text(**place, s=f"begins at {number}", ha="right", transform=axes.transAxes, fontsize=8, color="0.35")


def _shade_phases(axes: Axes, epochs: FloatArray, phases: pd.Series | None) -> None:
    if phases is None or phases.nunique() < 2:
        return
    names = phases.astype(str).to_numpy()
    starts = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1)]
    edges = np.append(epochs[starts], epochs[-1] + 1) - 0.5
    axes.set_xlim(edges[0], edges[-1])
    axes.set_title(axes.get_title(), fontsize=10, pad=16)  # room for the names of the phases below it
    for order, start in enumerate(starts):
        axes.axvspan(edges[order], edges[order + 1], color="black", alpha=0.06 if order % 2 else 0.0, linewidth=0)
        # The first name begins and the last ends at the panel's edge, so that two names fit even if a phase is short.
        align = "left" if order == 0 else "right" if order == len(starts) - 1 else "center"
        place = {"left": edges[0], "right": edges[-1], "center": edges[order : order + 2].mean()}[align]
        style = {"fontsize": 8, "color": "0.35", "ha": align, "va": "bottom"}
        axes.text(place, 1.01, names[start], transform=axes.get_xaxis_transform(), **style)
