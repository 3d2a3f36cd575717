"""Predictions judged against votes: every metric, per question and for all, with bootstrap intervals."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from rich.table import Table

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.bootstrap import bootstrap_sums, centred_samples, percentile_interval
from tfgalaxy.evaluation.inputs import FloatArray, check_votes, sum_answers
from tfgalaxy.evaluation.metrics import Terms, Weighting, baseline_fractions, metric_terms, metric_values
from tfgalaxy.evaluation.table import TABLE_METRICS, evaluation_table
from tfgalaxy.files import atomic_file

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["Evaluation", "Score", "evaluate_baseline", "evaluate_predictions"]


@dataclasses.dataclass(frozen=True)
class Score:
    """A metric and its interval; `value` is None where nobody was asked, `interval` also where one galaxy was."""

    value: float | None
    interval: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How good predictions are. Tuples of length 1 + Q begin with all questions together.

    Args:
        question_names: [Q].
        galaxies: number of galaxies with votes, [1 + Q].
        votes: number of votes, [1 + Q].
        galaxies_without_votes: galaxies given that nobody was asked anything about; they count nowhere.
        scores: for each metric (`tfgalaxy.evaluation.metrics` defines them) a `Score` per question, [1 + Q].
        weighting: "galaxies" or "votes".
        level: of the intervals, 0.9 for 90 %.
        resamples: of the bootstrap over galaxies; 0 for none.
        seed: of the bootstrap.
    """

    question_names: tuple[str, ...]
    galaxies: tuple[int, ...]
    votes: tuple[float, ...]
    galaxies_without_votes: int
    scores: dict[str, tuple[Score, ...]]
    weighting: Weighting
    level: float
    resamples: int
    seed: int

    def score(self, metric: str, question: str | None = None) -> Score:
        """One metric for a question, or for all together.

        Raises:
            InputError: an unknown metric or question.
        """
        known = ", ".join(self.scores)
        check(metric in self.scores, "metric", f"must be one of {known}", metric, "Choose one of these.")
        if question is None:
            return self.scores[metric][0]
        known = ", ".join(self.question_names)
        check(question in self.question_names, "question", f"must be one of {known}", question, "Choose one of these.")
        return self.scores[metric][1 + self.question_names.index(question)]

    def to_dict(self) -> dict[str, Any]:
        """JSON's types: `galaxies`, `<metric>` and `<metric>_interval` [low, high], and the same under `questions`."""
        settings = ("galaxies_without_votes", "weighting", "level", "resamples", "seed")
        rows = {name: self._row(1 + index) for index, name in enumerate(self.question_names)}
        return {**self._row(0), **{name: getattr(self, name) for name in settings}, "questions": rows}

    def _row(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = {"galaxies": self.galaxies[index], "votes": self.votes[index]}
        for metric, scores in self.scores.items():
            interval = scores[index].interval
            row[metric] = scores[index].value
            row[f"{metric}_interval"] = None if interval is None else list(interval)
        return row

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_dict` to a file, in one step."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        with atomic_file(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def table(self, baseline: Evaluation | None = None, metrics: Sequence[str] = TABLE_METRICS) -> Table:
        """The evaluation as a table for the terminal; see `tfgalaxy.evaluation.table.evaluation_table`."""
        return evaluation_table(self, baseline, metrics)


def evaluate_predictions(
    questions: Questions,
    votes: ArrayLike,
    predictions: Mapping[str, ArrayLike | None],
    weighting: Weighting = "galaxies",
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.9,
) -> Evaluation:
    """Judges predictions against the volunteers' votes.

    Args:
        questions: the decision tree that the columns follow.
        votes: counts [N, A], zeros where nobody was asked.
        predictions: `fraction` [N, A]; optional `concentration` [N, Q] for the Dirichlet-multinomial likelihood,
            `fraction_lower` and `fraction_upper` [N, A] for the coverage. Other entries are left alone.
        weighting: whether each galaxy that was asked counts once, or as often as it has votes.
        seed: of the bootstrap over galaxies.
        resamples: of the bootstrap; 0 for no intervals.
        level: of the intervals.

    Returns:
        An `Evaluation`. The intervals are percentiles of the bootstrap; those of `calibration_error`, a sum of absolute
        values that every resampling raises, are shifted to have their mean at the estimate and end at 0.

    Raises:
        InputError: shapes, non-finite values, or fractions that don't sum to 1 per question.

    Example:
        >>> from tfgalaxy.data.questions import Question, Questions
        >>> shape = Questions("shape", (Question("shape", ("round", "flat")),))
        >>> evaluation = evaluate_predictions(shape, [[3, 1], [0, 2]], {"fraction": [[0.75, 0.25], [0.5, 0.5]]})
        >>> evaluation.score("total_absolute_error").value
        0.5
    """
    check(resamples >= 0, "resamples", "must be at least 0", resamples, "Take 1000, or 0 for no intervals.")
    counts = check_votes(questions, votes)
    terms = metric_terms(questions, counts, predictions, weighting)
    totals = sum_answers(questions, counts)  # [N, Q]
    totals = np.concatenate([totals.sum(axis=1, keepdims=True), totals], axis=1)  # [N, 1 + Q]
    galaxies = (totals > 0).sum(axis=0)
    voted = totals[:, 0] > 0
    # Galaxies without any vote are left out before resampling: they would only add noise to how many are drawn.
    kept = {name: Terms(item.numerator[voted], item.denominator[voted]) for name, item in terms.items()}
    return Evaluation(
        question_names=tuple(question.name for question in questions.questions),
        galaxies=tuple(int(count) for count in galaxies),
        votes=tuple(float(count) for count in totals.sum(axis=0)),
        galaxies_without_votes=int((~voted).sum()),
        scores=_scores(kept, galaxies, resamples, seed, level),
        weighting=weighting,
        level=level,
        resamples=resamples,
        seed=seed,
    )


def evaluate_baseline(
    questions: Questions,
    training_votes: ArrayLike,
    votes: ArrayLike,
    weighting: Weighting = "galaxies",
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.9,
) -> Evaluation:
    """`evaluate_predictions` of the class means of the training votes, as multinomial: what a model must beat."""
    means = baseline_fractions(training_votes, questions, weighting)
    counts = check_votes(questions, votes)
    predictions = {"fraction": np.broadcast_to(means, counts.shape)}
    return evaluate_predictions(questions, counts, predictions, weighting, seed, resamples, level)


def _scores(
    terms: Mapping[str, Terms], galaxies: np.ndarray, resamples: int, seed: int, level: float
) -> dict[str, tuple[Score, ...]]:
    intervals = _intervals(terms, resamples, seed, level) if resamples and galaxies[0] else {}
    scores = {}
    for metric, item in terms.items():
        values = metric_values(metric, item.numerator.sum(axis=0), item.denominator.sum(axis=0))
        low, high = intervals.get(metric, (np.full_like(values, np.nan),) * 2)
        # One galaxy resampled is that galaxy again: an interval of width 0 would claim certainty.
        known = (galaxies > 1) & np.isfinite(low)
        scores[metric] = tuple(
            Score(
                float(values[index]) if galaxies[index] else None,
                (float(low[index]), float(high[index])) if known[index] else None,
            )
            for index in range(len(values))
        )
    return scores


def _intervals(
    terms: Mapping[str, Terms], resamples: int, seed: int, level: float
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Low and high [1 + Q] of each metric, all from the same resamples."""
    count = next(iter(terms.values())).denominator.shape[0]
    flat = [array.reshape(count, -1) for item in terms.values() for array in (item.numerator, item.denominator)]
    sums = bootstrap_sums(np.concatenate(flat, axis=1), resamples, seed)
    parts = iter(np.split(sums, np.cumsum([array.shape[1] for array in flat])[:-1], axis=1))
    intervals = {}
    for metric, item in terms.items():
        numerator = next(parts).reshape(resamples, *item.numerator.shape[1:])
        samples = metric_values(metric, numerator, next(parts))  # [B, 1 + Q]
        if metric == "calibration_error":
            values = metric_values(metric, item.numerator.sum(axis=0), item.denominator.sum(axis=0))
            samples = centred_samples(samples, values)
        intervals[metric] = percentile_interval(samples, level)
    return intervals
