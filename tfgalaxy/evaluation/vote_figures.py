"""Figures of predicted against volunteers' fractions: reliability, scatter, and confusion of the favourite answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from tfgalaxy.evaluation.figures import COLOURS, MARKERS, legend_below, own_axes, tidy
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, check_question, check_votes, volunteer_fractions

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["confusion_counts", "confusion_matrix", "predicted_against_votes", "reliability_diagram"]

RELIABILITY_BINS = 10
# The darkest cell of a confusion matrix; text on it keeps a contrast of 4.5 in light and dark.
DARKEST = 0.5


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
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_title(f"{title} ({galaxies:,} galaxies)", fontsize=10)
    axes.set(xlabel="predicted fraction", ylabel="volunteers' fraction")
    if not galaxies:
        axes.text(0.5, 0.25, "nobody was asked", color="0.35", ha="center")
    tidy(axes)


def _square_height(answers: tuple[str, ...], lines: int = 1) -> float:
    """Height of a figure 4.4 inches wide: a square, and below it a legend with two answers in a row."""
    return 4.8 + 0.21 * lines * ((len(answers) + 1) // 2)


def reliability_diagram(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str, axes: Axes | None = None
) -> Axes:
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
    axes = own_axes(axes, 4.4, _square_height(answers))
    _fraction_axes(axes, question, len(volunteers))
    for column, answer in enumerate(answers):
        bins = np.clip((predicted[:, column] * RELIABILITY_BINS).astype(int), 0, RELIABILITY_BINS - 1)
        points = [_bin_point(predicted[bins == b, column], volunteers[bins == b, column]) for b in np.unique(bins)]
        if points:
            x, y, error = np.array(points).T
            style = {"color": COLOURS[column % len(COLOURS)], "marker": MARKERS[column % len(MARKERS)]}
            axes.errorbar(x, y, error, markersize=5, linewidth=1.2, capsize=2, label=answer, **style)
    legend_below(axes)
    return axes


def _bin_point(predicted: FloatArray, volunteers: FloatArray) -> tuple[float, float, float]:
    count = len(volunteers)
    error = volunteers.std(ddof=1) / np.sqrt(count) if count > 1 else 0.0
    return float(predicted.mean()), float(volunteers.mean()), float(error)


def predicted_against_votes(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str, axes: Axes | None = None
) -> Axes:
    """A point per galaxy and answer: volunteers' fraction against predicted fraction; the legend tells each rmse.

    Args and errors as `reliability_diagram`.
    """
    answers, volunteers, predicted = _answers(questions, votes, fraction, question)
    axes = own_axes(axes, 4.4, _square_height(answers, 2))
    _fraction_axes(axes, question, len(volunteers))
    alpha = float(np.clip(200 / max(len(volunteers), 1), 0.15, 0.7))
    for column, answer in enumerate(answers if len(volunteers) else ()):
        rmse = np.sqrt(np.mean((predicted[:, column] - volunteers[:, column]) ** 2))
        axes.scatter(
            predicted[:, column], volunteers[:, column], s=14, alpha=alpha, linewidths=0, rasterized=True,
            color=COLOURS[column % len(COLOURS)], marker=MARKERS[column % len(MARKERS)],
            label=f"{answer}\nrmse {rmse:.3f}",
        )  # fmt: skip
    legend_below(axes)
    legend = axes.get_legend()
    for handle in legend.legend_handles if legend else ():
        handle.set_alpha(1.0)
    return axes


def confusion_counts(questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str) -> FloatArray:
    """Number of galaxies by the volunteers' favourite answer (rows) and the predicted one (columns): [k, k].

    Galaxies that weren't asked don't count; of answers with equally many votes the first counts.

    Args and errors as `reliability_diagram`.
    """
    answers, volunteers, predicted = _answers(questions, votes, fraction, question)
    counts = np.zeros((len(answers), len(answers)))
    np.add.at(counts, (volunteers.argmax(axis=1), predicted.argmax(axis=1)), 1)
    return counts


def confusion_matrix(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, question: str, axes: Axes | None = None
) -> Axes:
    """`confusion_counts` as a table, each cell as dark as its share of the row; right answers on the diagonal.

    Args and errors as `reliability_diagram`.
    """
    counts = confusion_counts(questions, votes, fraction, question)
    answers = questions.questions[check_question(questions, question)].answers
    size = len(answers)
    axes = own_axes(axes, 4.4, 1.7 + 0.42 * size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(size, size):
        shade = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=COLOURS[0], alpha=DARKEST * shares[row, column])
        axes.add_patch(shade)
        text = f"{counts[row, column]:,.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9 if size < 6 else 8)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    turned = size > 2 and max(map(len, answers)) > 4
    axes.set_xticks(range(size), answers, rotation=90 if turned else 0)
    axes.set_yticks(range(size), answers)
    axes.tick_params(length=0, labelsize=9)
    axes.set_xlabel("model's favourite")
    axes.set_ylabel("volunteers' favourite")
    axes.set_title(f"{question} ({counts.sum():,.0f} galaxies)", fontsize=10)
    return axes
