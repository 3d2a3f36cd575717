"""Figures of training and evaluation, drawn without pyplot: no window, no global state, safe in threads and servers.

Every function draws into the `axes` or makes a `Figure` of its own, and returns the figure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, check_question, check_votes, volunteer_fractions
from tfgalaxy.files import atomic_file

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions
    from tfgalaxy.evaluation.evaluate import Evaluation

__all__ = [
    "COLOURS",
    "check_figure_path",
    "compare_evaluations",
    "learning_curves",
    "predicted_against_votes",
    "reliability_diagram",
    "save_figure",
]

# Okabe and Ito's palette: told apart by readers with any colour vision, and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
RELIABILITY_BINS = 10


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """Writes a figure in one step, in the format of the path's suffix; returns the path.

    Raises:
        InputError: a suffix that matplotlib can't write.
    """
    path = check_figure_path(path)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path


def check_figure_path(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """The path, for those who want to know before a long computation that its suffix can be written.

    Raises:
        InputError: a suffix that matplotlib can't write.
    """
    path = Path(path)
    known = FigureCanvasAgg.get_supported_filetypes()
    suffix = path.suffix[1:].lower()
    check(suffix in known, argument, f"must end in one of {', '.join(sorted(known))}", str(path), "Use .png or .pdf.")
    return path


def _single_axes(axes: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    if axes is not None:
        return axes.figure.figure, axes  # the figure itself where the axes stand in a subfigure
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def learning_curves(history: pd.DataFrame, quantities: Sequence[str] | None = None) -> Figure:
    """One panel per quantity over the epochs; validation dashed, phases of training shaded in turn and named.

    Args:
        history: a row per epoch with the columns `epoch`, optionally `phase` (as in two-step training), and numbers.
            `val_<name>` joins the panel of `<name>`; columns without a finite number are left out. Where epochs start
            anew in a phase, rows are counted through instead.
        quantities: names to draw, in this order; all by default.

    Raises:
        InputError: no `epoch` column, no row, nothing to draw, or a quantity that the history lacks.
    """
    check("epoch" in history, "history", "must have a column 'epoch'", list(history), "Add it.")
    columns = history.drop(columns=["epoch", "phase"], errors="ignore").select_dtypes("number")
    drawn = [name for name in columns if np.isfinite(columns[name].to_numpy(float)).any()]
    check(bool(drawn), "history", "must hold at least one row of finite numbers", list(history), "Train an epoch.")
    panels = list(dict.fromkeys(name.removeprefix("val_") for name in drawn))
    if quantities is not None:
        unknown = [name for name in quantities if name not in panels]
        check(not unknown and bool(quantities), "quantities", f"must be among {', '.join(panels)}", unknown, "Choose.")
        panels = list(quantities)
    epochs = history["epoch"].to_numpy(float)
    if (np.diff(epochs) <= 0).any():
        epochs = np.arange(1.0, len(epochs) + 1)
    width = min(3, len(panels))
    height = -(-len(panels) // width)
    figure = Figure(figsize=(max(5.0, 3.9 * width), 2.9 * height), layout="constrained")
    grid = figure.subplots(height, width, sharex=True, squeeze=False).ravel()
    for index, (axes, name) in enumerate(zip(grid, panels, strict=False)):
        _learning_panel(axes, epochs, columns[[c for c in (name, f"val_{name}") if c in drawn]], name)
        _shade_phases(axes, epochs, history.get("phase"))
        axes.set_xlabel("epoch" if index + width >= len(panels) else "")
        axes.tick_params(labelbottom=index + width >= len(panels))
    for axes in grid[len(panels) :]:
        axes.remove()
    handles: dict[str, Artist] = {}
    for axes in grid[: len(panels)]:
        lines, texts = axes.get_legend_handles_labels()
        handles.update(zip(texts, lines, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def _learning_panel(axes: Axes, epochs: FloatArray, columns: pd.DataFrame, name: str) -> None:
    for column in columns:
        values = columns[column].to_numpy(float)
        known = np.isfinite(values)  # a phase that lacks a loss leaves gaps, not a line through them
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
    _tidy(axes)


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


def _answers(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Answers of a question, and volunteers' and predicted fractions of the galaxies that were asked: [n, answers]."""
    index = check_question(questions, question)
    counts = check_votes(questions, votes)
    predicted = check_predictions(questions, {"fraction": fraction}, len(counts))["fraction"]
    fractions, totals = volunteer_fractions(questions, counts)
    asked, part = totals[:, index] > 0, questions.slices[index]
    return tuple(questions.questions[index].answers), fractions[asked, part], predicted[asked, part]


def _fraction_axes(axes: Axes, title: str, galaxies: int) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=f"{title} ({galaxies:,} galaxies)")
    axes.set(xlabel="predicted fraction", ylabel="volunteers' fraction")
    if not galaxies:
        axes.text(0.5, 0.25, "nobody was asked", color="0.35", ha="center")
    _tidy(axes)


def _legend_beside(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)


def reliability_diagram(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str, axes: Axes | None = None
) -> Figure:
    """Mean volunteers' fraction against predicted fraction, in 10 equal bins of the predicted one, a line per answer.

    Bars are the standard error of the mean, for bins of two galaxies or more; calibrated predictions lie on the
    diagonal. Galaxies that weren't asked the question don't count.

    Args:
        questions: the decision tree that the columns follow.
        votes: counts [N, A].
        fraction: predicted fractions [N, A].
        question: the name of the question to draw.
        axes: where to draw; a new figure otherwise.

    Raises:
        InputError: an unknown question, or votes and fractions that the metrics would refuse.
    """
    answers, volunteers, predicted = _answers(questions, votes, fraction, question)
    figure, axes = _single_axes(axes, 6.4, 4.6)
    _fraction_axes(axes, question, len(volunteers))
    for column, answer in enumerate(answers):
        bins = np.clip((predicted[:, column] * RELIABILITY_BINS).astype(int), 0, RELIABILITY_BINS - 1)
        points = [_bin_point(predicted[bins == b, column], volunteers[bins == b, column]) for b in np.unique(bins)]
        if points:
            x, y, error = np.array(points).T
            style = {"color": COLOURS[column % len(COLOURS)], "marker": MARKERS[column % len(MARKERS)]}
            axes.errorbar(x, y, error, markersize=5, linewidth=1.2, capsize=2, label=answer, **style)
    _legend_beside(axes)
    return figure


def _bin_point(predicted: FloatArray, volunteers: FloatArray) -> tuple[float, float, float]:
    count = len(volunteers)
    error = volunteers.std(ddof=1) / np.sqrt(count) if count > 1 else 0.0
    return float(predicted.mean()), float(volunteers.mean()), float(error)


def predicted_against_votes(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str, axes: Axes | None = None
) -> Figure:
    """A point per galaxy and answer: volunteers' fraction against predicted fraction; the legend tells each rmse.

    Args and errors as `reliability_diagram`.
    """
    answers, volunteers, predicted = _answers(questions, votes, fraction, question)
    figure, axes = _single_axes(axes, 6.4, 4.6)
    _fraction_axes(axes, question, len(volunteers))
    alpha = float(np.clip(200 / max(len(volunteers), 1), 0.15, 0.7))
    for column, answer in enumerate(answers if len(volunteers) else ()):
        rmse = np.sqrt(np.mean((predicted[:, column] - volunteers[:, column]) ** 2))
        axes.scatter(
            predicted[:, column], volunteers[:, column], s=14, alpha=alpha, linewidths=0, rasterized=True,
            color=COLOURS[column % len(COLOURS)], marker=MARKERS[column % len(MARKERS)],
            label=f"{answer}\nrmse {rmse:.3f}",
        )  # fmt: skip
    _legend_beside(axes)
    legend = axes.get_legend()
    for handle in legend.legend_handles if legend else ():
        handle.set_alpha(1.0)
    return figure


def compare_evaluations(
    evaluations: Mapping[str, Evaluation],
    metric: str = "rmse",
    questions: Sequence[str] | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Bars of one metric for several evaluations, all questions together first, then each, with their intervals.

    Args:
        evaluations: name, as in "alternating, 100 labels", to evaluation, all of the same questions.
        metric: one of `METRICS`.
        questions: names to show after 'all questions'; every question by default.
        axes: where to draw; a new figure otherwise.

    Raises:
        InputError: no evaluation, or a metric or question that one of them doesn't hold.
    """
    check(bool(evaluations), "evaluations", "must not be empty", dict(evaluations), "Give at least one.")
    if questions is None:
        questions = next(iter(evaluations.values())).question_names
    rows: list[str | None] = [None, *questions]
    figure, axes = _single_axes(axes, 7.0, 1.3 + len(rows) * (0.16 + 0.2 * len(evaluations)))
    thickness = 0.8 / len(evaluations)
    for order, (name, evaluation) in enumerate(evaluations.items()):
        offsets = np.arange(len(rows)) + (order - (len(evaluations) - 1) / 2) * thickness
        _bars(axes, evaluation, metric, rows, offsets, thickness, label=name, color=COLOURS[order % len(COLOURS)])
    axes.set_yticks(np.arange(len(rows)), ["all questions", *questions])
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=metric.replace("_", " "))
    _tidy(axes)
    axes.grid(False, axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=9, ncols=2)
    return figure


def _bars(
    axes: Axes, evaluation: Evaluation, metric: str, rows: Sequence[str | None], offsets: FloatArray,
    thickness: float, **style: str,
) -> None:  # fmt: skip
    scores = [evaluation.score(metric, question) for question in rows]
    values = np.array([np.nan if score.value is None else score.value for score in scores])
    bounds = np.array([score.interval or (np.nan, np.nan) for score in scores])  # [rows, 2]
    axes.barh(offsets, values, thickness * 0.9, alpha=0.85, **style)
    known = np.isfinite(bounds).all(axis=1)
    # A percentile interval need not hold its estimate, and a negative error length is refused: draw it by its ends.
    axes.hlines(offsets[known], bounds[known, 0], bounds[known, 1], color="black", linewidth=1.2)
