"""Figures of evaluations: scores side by side with their intervals, and how often intervals of votes hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, own_axes, tidy
from tfgalaxy.evaluation.inputs import FloatArray

if TYPE_CHECKING:
    from tfgalaxy.evaluation.evaluate import Evaluation

__all__ = ["compare_evaluations", "interval_coverage"]

# What the intervals of vote fractions state (docs/design.md).
STATED_COVERAGE = 0.9


def compare_evaluations(
    evaluations: Mapping[str, Evaluation],
    metric: str = "rmse",
    questions: Sequence[str] | None = None,
    axes: Axes | None = None,
) -> Axes:
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
    axes = own_axes(axes, 7.0, 1.3 + len(rows) * (0.16 + 0.2 * len(evaluations)))
    thickness = 0.8 / len(evaluations)
    for order, (name, evaluation) in enumerate(evaluations.items()):
        offsets = np.arange(len(rows)) + (order - (len(evaluations) - 1) / 2) * thickness
        _bars(axes, evaluation, metric, rows, offsets, thickness, label=name, color=COLOURS[order % len(COLOURS)])
    _question_axis(axes, questions)
    axes.set_xlabel(metric.replace("_", " "))
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=9, ncols=2)
    return axes


def interval_coverage(evaluation: Evaluation, axes: Axes | None = None) -> Axes:
    """Share of the volunteers' fractions within the predicted 90 % intervals, by question, with its own interval.

    The line stands at 0.9, where it should be; a question that nobody was asked has no point.

    Args:
        evaluation: of predictions with intervals.
        axes: where to draw; a new figure otherwise.

    Raises:
        InputError: the predictions had no intervals.
    """
    metric = "interval_coverage"
    known = metric in evaluation.scores
    check(known, "evaluation", f"must hold {metric}", list(evaluation.scores), "Predict intervals.")
    rows: list[str | None] = [None, *evaluation.question_names]
    axes = own_axes(axes, 4.4, 1.1 + 0.3 * len(rows))
    values, bounds = _scores(evaluation, metric, rows)
    places = np.arange(len(rows))
    axes.axvline(STATED_COVERAGE, color="0.6", linewidth=1.2, linestyle="--", zorder=1)
    axes.hlines(places, bounds[:, 0], bounds[:, 1], color=COLOURS[0], linewidth=2)
    axes.plot(values, places, "o", color=COLOURS[0], markersize=6)
    _question_axis(axes, evaluation.question_names)
    shown = bounds[np.isfinite(bounds)]
    axes.set_xlim(min(0.8, *(shown - 0.02)) if len(shown) else 0.0, 1.01)
    axes.set_xlabel("share within the 90 % interval")
    return axes


def _question_axis(axes: Axes, questions: Sequence[str]) -> None:
    rows = ["all questions", *questions]
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    tidy(axes)
    axes.grid(False, axis="y")


def _scores(evaluation: Evaluation, metric: str, rows: Sequence[str | None]) -> tuple[FloatArray, FloatArray]:
    """Values [rows] and intervals [rows, 2], NaN where there is none."""
    scores = [evaluation.score(metric, question) for question in rows]
    values = np.array([np.nan if score.value is None else score.value for score in scores])
    return values, np.array([score.interval or (np.nan, np.nan) for score in scores])


def _bars(
    axes: Axes, evaluation: Evaluation, metric: str, rows: Sequence[str | None], offsets: FloatArray,
    thickness: float, **style: str,
) -> None:  # fmt: skip
    values, bounds = _scores(evaluation, metric, rows)
    axes.barh(offsets, values, thickness * 0.9, alpha=0.85, **style)
    known = np.isfinite(bounds).all(axis=1)
    # A percentile interval need not hold its estimate, and a negative error length is refused: draw it by its ends.
    axes.hlines(offsets[known], bounds[known, 0], bounds[known, 1], color="black", linewidth=1.2)
