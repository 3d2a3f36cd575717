"""How many labels one regime would need for the score of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["LabelsSaved", "equal_labels", "labels_saved"]


def equal_labels(labels: Sequence[int], curve: ArrayLike, score: ArrayLike, higher_is_better: bool) -> FloatArray:
    """The smallest number of labels at which a curve is as good as a score, linear between points in log(labels).

        log n = log n[i-1] + (log n[i] - log n[i-1]) (c[i-1] - s) / (c[i-1] - c[i]),  i the first with c[i] as good as s

    A noisy curve may reach a score more than once; the first time is taken, which never makes savings look larger.

    Args:
        labels: [L] in rising order.
        curve: its scores there, [..., L].
        score: [...].
        higher_is_better: the score's direction.

    Returns:
        [...]: 0 where even the fewest labels score better, infinity where no number reaches the score, NaN where a
        score is not known.

    Raises:
        InputError: fewer than two points.

    Example:
        >>> float(equal_labels([100, 400], [0.4, 0.2], 0.3, higher_is_better=False).round(6))
        200.0
    """
    check(len(labels) >= 2, "labels", "must be at least two numbers", labels, "Run the curve's regime with more.")
    sign = -1.0 if higher_is_better else 1.0
    loss, target = sign * np.asarray(curve, np.float64), sign * np.asarray(score, np.float64)
    known = np.isfinite(loss).all(axis=-1) & np.isfinite(target)
    reached = loss <= target[..., np.newaxis]
    first = np.where(reached.any(axis=-1), reached.argmax(axis=-1), len(labels))
    after = np.clip(first, 1, len(labels) - 1)[..., np.newaxis]
    low, high = (np.take_along_axis(loss, index, axis=-1)[..., 0] for index in (after - 1, after))
    logs = np.log(np.asarray(labels, np.float64))
    start, end = logs[after[..., 0] - 1], logs[after[..., 0]]
    step = np.where(low > high, low - high, 1.0)
    between = np.exp(start + (end - start) * (low - target) / step)
    better = np.where(loss[..., 0] == target, float(labels[0]), 0.0)
    found = np.where(first == 0, better, np.where(first == len(labels), np.inf, between))
    return np.where(known, found, np.nan)


@dataclasses.dataclass(frozen=True)
class LabelsSaved:
    """How many labels of the reference regime are worth a regime's.

    Attributes:
        labels: number that the regime was given.
        equal: number at which the reference scores the same; 0 for fewer than its fewest, infinity for more than its
            most.
        low, high: the 90 % interval of `equal`.
        fewest, most: ends of the reference's curve.
    """

    labels: int
    equal: float
    low: float
    high: float
    fewest: int
    most: int

    def words(self, metric: str) -> str:
        """As in "812 (90 %: 410 to more than 1,200) by rmse, which saves 512"; claims no more than the interval."""
        interval = f"{self._number(self.low)} to {self._number(self.high)}"
        return f"{self._number(self.equal)} (90 %: {interval}) by {metric.replace('_', ' ')}, {self._verdict()}"

    def _verdict(self) -> str:
        if self.equal <= self.labels:
            return "which saves none"
        if self.low <= self.labels:
            return "a saving that is not shown"
        if np.isfinite(self.equal):
            return f"which saves {self.equal - self.labels:,.0f}"
        if self.most > self.labels:
            return f"which saves more than {self.most - self.labels:,}"
        return "which saves some, but how many cannot be said: the curve ends there"

    def _number(self, value: float) -> str:
        if value == 0:
            return f"fewer than {self.fewest:,}"
        return f"{value:,.0f}" if np.isfinite(value) else f"more than {self.most:,}"


def labels_saved(
    labels: int,
    curve_labels: Sequence[int],
    curve: tuple[FloatArray, FloatArray],
    score: tuple[float, FloatArray],
    higher_is_better: bool,
    level: float = 0.9,
) -> LabelsSaved | None:
    """`equal_labels` with an interval over paired resamples.

    Args:
        labels: number that the regime was given.
        curve_labels: [L] of the reference.
        curve: the reference's scores, [L], and their resamples, [B, L].
        score: the regime's score and its resamples, [B].
        higher_is_better: the score's direction.
        level: of the interval.

    Returns:
        None where a score is not known.
    """
    equal = float(equal_labels(curve_labels, curve[0], score[0], higher_is_better))
    samples = equal_labels(curve_labels, curve[1], score[1], higher_is_better)
    samples = np.sort(samples[~np.isnan(samples)])
    if np.isnan(equal) or not len(samples):
        return None
    # Order statistics: a quantile between two values would be NaN where one of them is infinite.
    low, high = (samples[round(share * (len(samples) - 1))] for share in ((1 - level) / 2, (1 + level) / 2))
    return LabelsSaved(labels, equal, float(low), float(high), curve_labels[0], curve_labels[-1])
