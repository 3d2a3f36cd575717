"""Galaxies as the model sees them, a row each: image, canonical view, reconstruction, and the votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, check_question, check_votes, volunteer_fractions
from tfgalaxy.evaluation.picture_figures import check_pictures, show_picture

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["gallery"]


def gallery(
    questions: Questions,
    images: ArrayLike,
    votes: ArrayLike,
    fraction: ArrayLike,
    question: str,
    canonical_views: ArrayLike | None = None,
    reconstructions: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    """A row per galaxy: image, canonical view, reconstruction, and volunteers' and predicted fractions of a question.

    Args:
        questions: the decision tree that the columns follow.
        images: [N, H, W, C], C of 1 or 3, 0 to 1; about ten galaxies fit a page.
        votes: counts [N, A].
        fraction: predicted fractions [N, A].
        question: the name of the question whose answers the bars show.
        canonical_views: [N, H', W', C]; the column is left out where the model has none.
        reconstructions: [N, H'', W'', C]; likewise, as after supervised training.
        labels: a name per galaxy.

    Raises:
        InputError: no galaxy, an unknown question, shapes that don't match, or values that aren't finite.
    """
    index = check_question(questions, question)
    counts = check_votes(questions, votes)
    check(len(counts) > 0, "images", "must hold at least one galaxy", len(counts), "Choose some galaxies.")
    predicted = check_predictions(questions, {"fraction": fraction}, len(counts))["fraction"]
    named = {"image": images, "canonical view": canonical_views, "reconstruction": reconstructions}
    columns = {name: check_pictures(name, values, len(counts)) for name, values in named.items() if values is not None}
    labels = [str(label) for label in (labels if labels is not None else [""] * len(counts))]
    check(len(labels) == len(counts), "labels", f"must have {len(counts)} entries", len(labels), "Name every galaxy.")
    figure = Figure(figsize=(1.9 * len(columns) + 3.6, 1.7 * len(counts) + 0.9), layout="constrained")
    ratios = [1.0] * len(columns) + [1.3]
    grid = figure.subplots(len(counts), len(columns) + 1, squeeze=False, gridspec_kw={"width_ratios": ratios})
    for column, (name, pictures) in enumerate(columns.items()):
        for row, picture in enumerate(pictures):
            show_picture(grid[row, column], picture, name if row == 0 else "")
    part, answers = questions.slices[index], questions.questions[index].answers
    fractions, totals = volunteer_fractions(questions, counts)
    for row, label in enumerate(labels):
        grid[row, 0].set_ylabel(label, fontsize=8)
        _vote_bars(grid[row, -1], answers, fractions[row, part], predicted[row, part], totals[row, index])
        grid[row, -1].tick_params(labelbottom=row == len(labels) - 1)
    grid[0, -1].set_title(question, fontsize=10)
    grid[-1, -1].set_xlabel("fraction", fontsize=8)
    handles, texts = grid[0, -1].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    return figure


def _vote_bars(axes: Axes, answers: Sequence[str], volunteers: FloatArray, predicted: FloatArray, total: float) -> None:
    places = np.arange(len(answers))
    axes.barh(places - 0.2, volunteers, 0.38, color=COLOURS[0], label="volunteers")
    axes.barh(places + 0.2, predicted, 0.38, color=COLOURS[1], label="predicted")
    axes.set_yticks(places, answers, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(answers) - 0.5, -0.5), xticks=[0, 0.5, 1])
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    text = f"{total:.0f} votes" if total else "not asked"
    axes.text(1.03, 0.5, text, transform=axes.transAxes, rotation=270, ha="left", va="center", fontsize=8, color="0.35")
