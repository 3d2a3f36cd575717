"""Scores over seeds and galaxies: means, paired differences and labels saved, each with an interval.

Two things make a score uncertain: which labels, weights and orders were drawn (seeds), and which galaxies it is judged
by. Both are resampled at once, seeds and galaxies each by themselves, since all seeds' models are judged by the same
galaxies:

    x[b, s]  = metric(sum over galaxies n of m[b, n] terms[s, n])
    score[b] = mean of x[b, s] over all seeds + k (mean over drawn seeds - mean over all seeds)

S - 1 of S seeds are drawn (with replacement): the mean of so many has the variance of a mean of S seeds, while that of
S drawn ones is too small by (S - 1) / S, a fifth at five seeds (Rao and Wu 1988). And a variance known from a few seeds
may itself be too small: k is the ratio of Student's quantile with S - 1 degrees of freedom to the Normal's, 1.30 for
five seeds. Without k, intervals of five seeds that differ as much as galaxies do held the truth 85 % of the time.

The folds of a seed are judged together, each galaxy by the model that has not seen it. With one seed the interval holds
the spread of galaxies only. All resamples use the same draws, so that differences between two methods are paired by
seed, fold and galaxy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tfgalaxy.evaluation.bootstrap import bootstrap_sums, centred_samples, percentile_interval
from tfgalaxy.evaluation.inputs import FloatArray
from tfgalaxy.evaluation.metrics import CALIBRATION_BINS, METRICS, metric_terms, metric_values

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["LEVEL", "SCOPES", "Bootstrap", "GalaxyTerms", "Scores", "galaxy_terms", "term_values"]

SCOPES = ("first question", "all questions")
LEVEL = 0.9
RESAMPLES = 1000
# Columns of each metric: its numerators, then its denominator.
_WIDTHS = tuple((CALIBRATION_BINS if metric == "calibration_error" else 1) + 1 for metric in METRICS)
_ENDS = np.cumsum(_WIDTHS)

# Seed and fold of a cell.
Replicate = tuple[int, int | None]


@dataclasses.dataclass(frozen=True, eq=False)
class GalaxyTerms:
    """What each galaxy that a cell is judged by adds to each metric.

    Attributes:
        ids: [N] text.
        terms: [N, 2, K], by scope: the first question, all questions. K are the numerators and denominators of all
            metrics, in the order of `METRICS`.
    """

    ids: NDArray[np.str_]
    terms: FloatArray


def galaxy_terms(
    questions: Questions, ids: NDArray[np.str_], votes: ArrayLike, predictions: Mapping[str, ArrayLike | None]
) -> GalaxyTerms:
    """The terms of predictions, as `metric_terms` gives them; a metric that cannot be computed has zeros."""
    by_metric = metric_terms(questions, votes, predictions)
    columns = []
    for metric, width in zip(METRICS, _WIDTHS, strict=True):
        if metric not in by_metric:
            columns.append(np.zeros((len(ids), 2, width)))
            continue
        item = by_metric[metric]
        # Row 0 of `Terms` is all questions together, row 1 the first question.
        columns.append(np.concatenate([item.numerator[:, 1::-1], item.denominator[:, 1::-1, np.newaxis]], axis=2))
    return GalaxyTerms(ids, np.concatenate(columns, axis=2))


def term_values(sums: FloatArray) -> FloatArray:
    """Metrics from sums of terms over galaxies, [..., 2, K] to [..., 2, M], in `METRICS`' order; NaN without any."""
    values = []
    for metric, end, width in zip(METRICS, _ENDS, _WIDTHS, strict=True):
        values.append(metric_values(metric, sums[..., end - width : end - 1], sums[..., end - 1]))
    return np.stack(values, axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Scores with their resamples, by scope and metric.

    Attributes:
        values: [2, M].
        samples: [B, 2, M]; those of two `Scores` from one `Bootstrap` and the same replicates belong together.
    """

    values: FloatArray
    samples: FloatArray

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """The 90 % interval, low and high [2, M]; NaN where a score is not defined."""
        return percentile_interval(self.samples, LEVEL)

    def minus(self, other: Scores) -> Scores:
        """The paired difference."""
        return Scores(self.values - other.values, self.samples - other.samples)


def _student_factor(seeds: int) -> float:
    quantile = (1 + LEVEL) / 2
    return float(stats.t.ppf(quantile, seeds - 1) / stats.norm.ppf(quantile)) if seeds > 1 else 1.0


class Bootstrap:
    """Resamples of seeds and galaxies that all methods share.

    Args:
        ids: of all galaxies that any cell is judged by.
        resamples: B.
        seed: of the draws.
    """

    def __init__(self, ids: Iterable[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.rows = {name: row for row, name in enumerate(sorted(set(ids)))}
        self.resamples, self.seed = resamples, seed

    def scores(self, cells: Mapping[Replicate, GalaxyTerms]) -> Scores:
        """Scores of one method with one number of labels.

        Args:
            cells: by seed and fold, at least one. Galaxies that none of them has count nowhere.
        """
        seeds = sorted({seed for seed, _ in cells})
        width = next(iter(cells.values())).terms.shape[1:]
        terms = np.zeros((len(self.rows), len(seeds), *width))  # [N, S, 2, K]
        for (seed, _), cell in cells.items():
            terms[[self.rows[str(name)] for name in cell.ids], seeds.index(seed)] += cell.terms
        estimate = term_values(terms.sum(axis=0)).mean(axis=0)
        sums = bootstrap_sums(terms.reshape(len(terms), -1), self.resamples, self.seed)
        by_seed = term_values(sums.reshape(self.resamples, len(seeds), *width))  # [B, S, 2, M]
        size = (self.resamples, max(1, len(seeds) - 1))
        drawn = np.random.default_rng(self.seed + 1).integers(len(seeds), size=size)
        centre = by_seed.mean(axis=1)
        shift = np.take_along_axis(by_seed, drawn[:, :, np.newaxis, np.newaxis], axis=1).mean(axis=1) - centre
        samples = centre + _student_factor(len(seeds)) * shift
        calibration = METRICS.index("calibration_error")
        samples[..., calibration] = centred_samples(samples[..., calibration], estimate[..., calibration])
        return Scores(estimate, samples)
