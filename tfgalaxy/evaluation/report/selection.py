"""Which galaxies a report shows: those the model is most and least sure of, and those where it is most wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.evaluation.inputs import FloatArray, sum_answers, volunteer_fractions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfgalaxy.data.questions import Questions

__all__ = ["CERTAIN", "POSES", "UNCERTAIN", "WRONG", "error_of", "select_galaxies", "uncertainty_of"]

CERTAIN, UNCERTAIN, WRONG, POSES = "Most certain", "Most uncertain", "Most wrong", "Poses"


def uncertainty_of(questions: Questions, predictions: Mapping[str, NDArray[np.floating[Any]]]) -> FloatArray:
    """Mean width of the predicted 90 % intervals, each question weighted by the share of people asked: [N].

    Without intervals, the mean Gini impurity, sum over answers of p (1 - p), with the same weights.
    """
    fraction = np.asarray(predictions["fraction"], np.float64)
    sizes = np.array([len(question.answers) for question in questions.questions])
    if "fraction_lower" in predictions:
        width = np.asarray(predictions["fraction_upper"], np.float64) - predictions["fraction_lower"]
        spread = sum_answers(questions, width) / sizes
    else:
        spread = sum_answers(questions, fraction * (1 - fraction))
    asked = questions.asked_probability(fraction)
    result: FloatArray = (asked * spread).sum(axis=1) / asked.sum(axis=1)
    return result


def error_of(questions: Questions, votes: NDArray[np.floating[Any]], fraction: NDArray[Any]) -> FloatArray:
    """Total absolute error, the sum over answers of |predicted - volunteers' fraction|, mean over votes: [N]."""
    volunteers, totals = volunteer_fractions(questions, votes)
    errors = sum_answers(questions, np.abs(volunteers - np.asarray(fraction, np.float64)))
    result: FloatArray = (errors * totals).sum(axis=1) / np.maximum(totals.sum(axis=1), 1e-9)
    return result


def select_galaxies(
    questions: Questions,
    votes: NDArray[np.floating[Any]],
    predictions: Mapping[str, NDArray[np.floating[Any]]],
    pose_concentration: NDArray[np.floating[Any]] | None = None,
    count: int = 6,
    poses: int = 12,
) -> dict[str, NDArray[np.int64]]:
    """Rows of the galaxies of each group, the most extreme first.

    Args:
        questions: the decision tree.
        votes: counts [N, A].
        predictions: as the `classify` signature gives them.
        pose_concentration: [N]; without it no galaxies are chosen for their poses.
        count: galaxies of each group.
        poses: galaxies for poses: at equal steps from the surest to the least sure.
    """
    uncertainty = uncertainty_of(questions, predictions)
    by_certainty = np.argsort(uncertainty, kind="stable")
    by_error = np.argsort(-error_of(questions, votes, predictions["fraction"]), kind="stable")
    groups = {CERTAIN: by_certainty[:count], UNCERTAIN: by_certainty[::-1][:count], WRONG: by_error[:count]}
    if pose_concentration is not None:
        order = np.argsort(-np.asarray(pose_concentration), kind="stable")
        steps = np.linspace(0, len(order) - 1, min(poses, len(order))).round().astype(np.int64)
        groups[POSES] = order[steps]
    return groups
