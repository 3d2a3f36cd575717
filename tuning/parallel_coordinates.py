"""The picture of a search: one axis for each hyperparameter, one line for each trial, coloured by its score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tfgalaxy.files import atomic_file
from tfgalaxy.tuning.objectives import objective
from tfgalaxy.tuning.results import TrialRow, best_row
from tfgalaxy.tuning.settings import SETTINGS

__all__ = ["draw_trials", "write_picture"]

# Height of a trial on the axis of a setting that its regime does not read, below all values.
UNUSED = -0.12
KINDS = {setting.name: setting.kind for setting in SETTINGS}


def draw_trials(rows: Sequence[TrialRow], objective_name: str) -> Figure:
    """Trials that have a score; the best one is drawn thick, and a setting that a trial does not use lies below its
    axis.
    """
    scored = [row for row in rows if row.score is not None]
    names = list(dict.fromkeys(name for row in scored for name in row.hyperparameters))
    figure = Figure(figsize=(max(6.0, 1.15 * (len(names) + 1) + 1.5), 4.6), layout="constrained")
    axes = figure.subplots()
    scores = np.array([row.score for row in scored])
    low, high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)
    colours = ScalarMappable(Normalize(low, high if high > low else low + 1e-9), colormaps["viridis"])
    best = best_row(scored, objective(objective_name))
    heights = [_heights(axes, column, name, scored) for column, name in enumerate(names)]
    heights.append(_number_heights(axes, len(names), list(scores), log=False))
    for number, row in enumerate(scored):
        is_best = best is not None and row.trial == best.trial
        style: dict[str, Any] = {"linewidth": 3.0, "zorder": 4} if is_best else {"linewidth": 1.2, "zorder": 2}
        dashes = "-" if row.status == "completed" else (0, (4, 2))
        line = [column[number] for column in heights]
        axes.plot(range(len(line)), line, color=colours.to_rgba(row.score), linestyle=dashes, **style)
    _label(axes, [*names, objective_name])
    figure.suptitle(f"{len(scored)} trials; thick: the best; dashed: stopped early", fontsize=10, x=0.01, ha="left")
    return figure


def _label(axes: Axes, names: Sequence[str]) -> None:
    for column in range(len(names)):
        axes.axvline(column, color="0.6", linewidth=0.8, zorder=1)
    axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(UNUSED - 0.05, 1.06)
    axes.set_xlim(-0.25, len(names) - 0.3)
    axes.spines[:].set_visible(False)


def _heights(axes: Axes, column: int, name: str, rows: Sequence[TrialRow]) -> list[float]:
    values = [row.hyperparameters.get(name) for row in rows]
    if KINDS.get(name) != "choice":
        return _number_heights(axes, column, values, log=KINDS.get(name) == "log")
    present = [value for value in values if value is not None]
    choices = (
        sorted(set(present)) if all(isinstance(value, int) for value in present) else sorted(set(map(str, present)))
    )
    places = {str(choice): (index + 0.5) / len(choices) for index, choice in enumerate(choices)}
    for choice, height in places.items():
        _write(axes, column, height, choice)
    return [UNUSED if value is None else places[str(value)] for value in values]


def _number_heights(axes: Axes, column: int, values: Sequence[float | None], log: bool) -> list[float]:
    present = np.array([value for value in values if value is not None], float)
    if not len(present):
        return [UNUSED] * len(values)
    low, high = float(present.min()), float(present.max())
    _write(axes, column, 0.0, f"{low:.3g}")
    if high > low:
        _write(axes, column, 1.0, f"{high:.3g}")

    def height(value: float) -> float:
        if high <= low:
            return 0.5
        return float(np.log(value / low) / np.log(high / low)) if log else (value - low) / (high - low)

    return [UNUSED if value is None else height(value) for value in values]


def _write(axes: Axes, column: int, height: float, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    axes.text(column + 0.04, height, text, fontsize=7, va="center", bbox=box, zorder=5)


def write_picture(rows: Sequence[TrialRow], objective_name: str, paths: Sequence[str | os.PathLike[str]]) -> None:
    """Draws the trials into files, in the format of each one's suffix."""
    figure = draw_trials(rows, objective_name)
    for path in paths:
        with atomic_file(path) as temporary:
            figure.savefig(temporary, dpi=150)
