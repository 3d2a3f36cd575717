"""Splits by a hash of the galaxy's id: a galaxy keeps its part when the catalogue grows, shrinks or is sorted anew."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import check

__all__ = ["assign_folds", "assign_parts", "check_fractions", "check_whole", "hash_fraction", "hash_order"]


def hash_fraction(ids: Iterable[str], seed: int, purpose: str = "split") -> NDArray[np.float64]:
    """A number in [0, 1) for each id, uniform over ids and fixed by id, seed and purpose alone.

        u = (first 53 bits of blake2b("<purpose>:<seed>:<id>")) / 2**53

    Args:
        ids: [N].
        seed: another seed gives independent numbers.
        purpose: another purpose too, so that choosing labels within a split does not repeat the split's own choice.

    Returns:
        [N] float64.
    """
    head = f"{purpose}:{seed}:"
    digests = b"".join(hashlib.blake2b((head + name).encode(), digest_size=8).digest() for name in ids)
    return (np.frombuffer(digests, ">u8") >> np.uint64(11)).astype(np.float64) / 2.0**53


def check_whole(argument: str, value: int) -> int:
    """`value` as an `int`; `InputError` unless it is a whole number, so that 0 and 0.0 cannot name two splits."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    check(whole, argument, "must be a whole number", value, "Give an integer.")
    return int(value)


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """Raises `InputError` unless the fractions are parts of a whole."""
    parts = tuple(float(part) for part in fractions)
    fits = len(parts) == 3 and all(math.isfinite(part) and part >= 0 for part in parts)
    rule = "must be three numbers of at least 0, for train, validation and test"
    check(fits, "fractions", rule, fractions, "Give for example (0.7, 0.1, 0.2).")
    check(abs(sum(parts) - 1) < 1e-6, "fractions", "must sum to 1", fractions, f"They sum to {sum(parts):g}.")
    return parts


def assign_parts(ids: Iterable[str], seed: int, fractions: Sequence[float]) -> NDArray[np.int64]:
    """For each id the number of its part, 0 for the first fraction; a part of a small catalogue may come out empty.

    Args:
        ids: [N].
        seed: names the split.
        fractions: sizes of train, validation and test; they sum to 1.
    """
    edges = np.cumsum(check_fractions(fractions))[:-1]
    edges[edges > 1 - 1e-6] = 1  # rounding must not leave anything for a last part of size 0
    return np.searchsorted(edges, hash_fraction(ids, seed), side="right").astype(np.int64)


def assign_folds(ids: Iterable[str], seed: int, folds: int) -> NDArray[np.int64]:
    """For each id the number of its fold, 0 to folds - 1; independent of the ids' order and of the split.

    Folds are equal parts of the order by hash, and their sizes differ by one at most. With parts of the hash's range,
    as `assign_parts` takes them, no galaxy would move when others come, but folds of a hundred galaxies would differ
    by ten, and the smallest train part would limit how many labels can be compared.

    Args:
        ids: [N].
        seed: another seed gives other folds.
        folds: K.

    Raises:
        InputError: fewer than two folds, or more folds than galaxies.
    """
    names = list(ids)
    rule = f"must be between 2 and the number of labelled galaxies, {len(names)}"
    check(2 <= check_whole("folds", folds) <= len(names), "folds", rule, folds, "Take 5.")
    assigned = np.empty(len(names), np.int64)
    assigned[hash_order(names, seed, "folds")] = np.arange(len(names)) * folds // len(names)
    return assigned


def hash_order(ids: Iterable[str], seed: int, purpose: str = "labels") -> NDArray[np.int64]:
    """Indices that sort ids by their hash; the first n are a random subset, nested in the first n + 1."""
    names = list(ids)
    return np.lexsort((np.array(names, dtype=str), hash_fraction(names, seed, purpose)))
