"""Bootstrap over galaxies of statistics that are functions of sums over galaxies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["bootstrap_sums", "centred_samples", "percentile_interval"]

# Entries of the matrix of multiplicities held at once: 32 MiB, whatever the number of galaxies.
CHUNK_ENTRIES = 4_000_000


def _multiplicities(galaxies: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each galaxy was drawn in each resample, some resamples at a time: [b, N]."""
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK_ENTRIES // galaxies)
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        drawn = generator.integers(galaxies, size=(count, galaxies)) + galaxies * np.arange(count)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=count * galaxies).reshape(count, galaxies).astype(np.float64)


def bootstrap_sums(terms: FloatArray, resamples: int = 1000, seed: int = 0) -> FloatArray:
    """Sums over galaxies drawn with replacement.

        S[b, k] = sum_n m[b, n] terms[n, k],  m[b] the multiplicities of N draws of N galaxies

    A galaxy is drawn with all its columns, so that statistics made from one resample belong together.

    Args:
        terms: what each galaxy adds to each of K sums, [N, K].
        resamples: B.
        seed: the same seed gives the same resamples, whatever K is.

    Returns:
        [B, K].

    Raises:
        InputError: no galaxy, or fewer than one resample.

    Example:
        >>> bootstrap_sums(np.ones((5, 1)), resamples=3).tolist()
        [[5.0], [5.0], [5.0]]
    """
    check(len(terms) > 0, "terms", "must hold at least one galaxy", len(terms), "Give galaxies with votes.")
    check(resamples >= 1, "resamples", "must be at least 1", resamples, "Take 1000.")
    chunks = _multiplicities(len(terms), resamples, seed)
    return np.concatenate([multiplicity @ terms for multiplicity in chunks])


def percentile_interval(samples: FloatArray, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
    """Percentile interval along the first axis; resamples that are NaN (a rare question drew no galaxy) are left out.

    Args:
        samples: [B, ...].
        level: share of the resamples within, 0 to 1.

    Returns:
        low [...] and high [...]; NaN where every resample is NaN.

    Raises:
        InputError: a level outside 0 to 1.
    """
    check(0 < level < 1, "level", "must be between 0 and 1", level, "Take 0.9.")
    flat = samples.reshape(len(samples), -1)
    bounds = np.full((2, flat.shape[1]), np.nan)
    defined = np.isfinite(flat)
    for column in np.flatnonzero(defined.any(axis=0)):
        values = flat[defined[:, column], column]
        bounds[:, column] = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    low, high = bounds.reshape(2, *samples.shape[1:])
    return low, high


def centred_samples(samples: FloatArray, values: FloatArray) -> FloatArray:
    """Resamples shifted to have their mean at the estimate, and held at 0 or more.

    For a sum of absolute values, such as the calibration error, which every resampling raises.

    Args:
        samples: [B, ...], NaN where undefined.
        values: the estimates, [...].

    Returns:
        [B, ...].

    Example:
        >>> centred_samples(np.array([0.2, 0.4]), np.array(0.1)).round(6).tolist()
        [0.0, 0.2]
    """
    defined = np.isfinite(samples)
    mean = np.where(defined, samples, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    return np.maximum(samples - mean + values, 0.0)
