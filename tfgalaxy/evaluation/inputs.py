"""Checks of votes and predictions, shared by metrics and figures, which name what is wrong before they compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["FloatArray", "check_predictions", "check_question", "check_votes", "sum_answers", "volunteer_fractions"]

FloatArray = NDArray[np.float64]

# Float32 softmax outputs and tables rounded to four digits pass; logits, percentages and cumulative fractions don't.
SUM_TOLERANCE = 1e-3
PREDICTED = ("fraction", "concentration", "fraction_lower", "fraction_upper")


def _numbers(argument: str, values: object) -> FloatArray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(argument, "must be an array of numbers", values, "Convert it with numpy first.") from error


def _check_shape(argument: str, array: FloatArray, shape: tuple[int, int]) -> None:
    check(array.shape == shape, argument, f"must have shape {shape}", array.shape, "Give a row per galaxy.")


def check_votes(questions: Questions, votes: ArrayLike) -> FloatArray:
    """Votes as float64 [N, A].

    Raises:
        InputError: not one column per answer, or a count that is negative or not finite.
    """
    array = _numbers("votes", votes)
    _check_shape("votes", array, (len(array) if array.ndim else 0, questions.num_answers))
    wrong = array[~(np.isfinite(array) & (array >= 0))]
    check(not wrong.size, "votes", "must be finite counts of at least 0", wrong[:3], "Use 0 where nobody was asked.")
    return array


def check_question(questions: Questions, question: str) -> int:
    """The index of a question by its name.

    Raises:
        InputError: there is no question of that name.
    """
    names = [item.name for item in questions.questions]
    check(question in names, "question", f"must be one of {', '.join(names)}", question, "Choose one of these.")
    return names.index(question)


def check_predictions(
    questions: Questions, predictions: Mapping[str, ArrayLike | None], galaxies: int
) -> dict[str, FloatArray]:
    """The entries of a prediction dictionary that the metrics read, as float64 and checked.

    Args:
        questions: the decision tree that the columns follow.
        predictions: `fraction` [N, A] and, where there are any, `concentration` [N, Q], `fraction_lower` and
            `fraction_upper` [N, A]. None counts as absent; other entries are left alone.
        galaxies: N, the number of galaxies.

    Raises:
        InputError: `fraction` is missing, a shape is wrong, a value isn't finite (an infinite concentration is
            allowed), fractions of a question don't sum to 1, or an interval is upside down.
    """
    given = {name: predictions[name] for name in PREDICTED if predictions.get(name) is not None}
    check("fraction" in given, "predictions", "must hold 'fraction'", sorted(predictions), "Add it.")
    shapes = {"concentration": (galaxies, len(questions.questions))}
    checked = {name: _numbers(name, values) for name, values in given.items()}
    for name, array in checked.items():
        _check_shape(name, array, shapes.get(name, (galaxies, questions.num_answers)))
        _check_range(name, array)
    _check_sums(questions, checked["fraction"])
    _check_interval(checked)
    return checked


def _check_range(name: str, values: FloatArray) -> None:
    if name == "concentration":
        wrong = values[~(values > 0)]
        check(not wrong.size, name, "must be above 0", wrong[:3], "Use infinity for a multinomial.")
        return
    wrong = values[~np.isfinite(values)]
    check(not wrong.size, name, "must be finite", wrong[:3], "Find out why the model predicts this.")
    wrong = values[(values < -SUM_TOLERANCE) | (values > 1 + SUM_TOLERANCE)]
    check(not wrong.size, name, "must be between 0 and 1", wrong[:3], "Give fractions, not counts or logits.")


def _check_sums(questions: Questions, fraction: FloatArray) -> None:
    sums = sum_answers(questions, fraction)  # [N, Q]
    for index, question in enumerate(questions.questions):
        wrong = sums[np.abs(sums[:, index] - 1) > SUM_TOLERANCE, index]
        rule = f"must sum to 1 over the answers of {question.name}"
        check(not wrong.size, "fraction", rule, wrong[:3], "Give conditional fractions, not cumulative ones.")


def _check_interval(checked: Mapping[str, FloatArray]) -> None:
    bounds = [name for name in ("fraction_lower", "fraction_upper") if name in checked]
    rule = "must hold both fraction_lower and fraction_upper, or neither"
    check(len(bounds) != 1, "predictions", rule, bounds, "Add the other bound.")
    if bounds:
        wrong = np.argwhere(checked["fraction_lower"] > checked["fraction_upper"])
        rule = "must be at most fraction_upper"
        check(not wrong.size, "fraction_lower", rule, wrong[:1].tolist(), "Exchange the bounds of these entries.")


def sum_answers(questions: Questions, values: FloatArray) -> FloatArray:
    """Sums over the answers of each question: [N, A] -> [N, Q]."""
    starts = [part.start for part in questions.slices]
    return np.asarray(np.add.reduceat(values, starts, axis=-1), np.float64)


def volunteer_fractions(questions: Questions, votes: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """What share of a question's volunteers gave each answer, and how many volunteers there were.

    Args:
        questions: the decision tree that the columns follow.
        votes: counts [N, A].

    Returns:
        fractions [N, A], 0 where nobody was asked, and totals [N, Q].

    Raises:
        InputError: see `check_votes`.
    """
    counts = check_votes(questions, votes)
    totals = sum_answers(questions, counts)  # [N, Q]
    denominator = totals[:, questions.question_index]  # [N, A]
    return np.divide(counts, denominator, out=np.zeros_like(counts), where=denominator > 0), totals
