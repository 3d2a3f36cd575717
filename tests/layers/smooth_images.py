"""Smooth images known at every point, and the self-consistency of whatever predicts a pose from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Blobs(NamedTuple):
    """Images that are sums of round Gaussians inside the disc, so that any transformed copy is exact, not resampled.

    Attributes:
        centres: [B, K, 2].
        widths: [B, K].
        colours: [B, K, C].
    """

    centres: Array
    widths: Array
    colours: Array


def random_blobs(count: int, seed: int = 0, channels: int = 3) -> Blobs:
    """A bright round middle with four fainter blobs around it, all wider than two pixels of a 64 pixels wide image."""
    generator = np.random.default_rng(seed)
    radius, angle = generator.uniform(0.08, 0.4, (count, 5)), generator.uniform(0, 2 * np.pi, (count, 5))
    radius[:, 0] = 0.0
    centres = radius[..., np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    widths = generator.uniform(0.08, 0.14, (count, 5))
    colours = generator.uniform(0.1, 0.4, (count, 5, channels))
    colours[:, 0] += 0.3
    return Blobs(centres, widths, colours)


def draw(
    blobs: Blobs,
    size: int = 64,
    linear: Array | None = None,
    shift: Array | None = None,
    matrix: Array | None = None,
) -> NDArray[np.float32]:
    """The images transformed by x -> linear x + shift, or by a projective matrix, [B, size, size, C].

    `linear` [B, 2, 2], `shift` [B, 2], `matrix` [B, 3, 3] of points (x, y, 1).
    """
    count = len(blobs.centres)
    if matrix is None:
        matrix = np.tile(np.eye(3), (count, 1, 1))
        matrix[:, :2, :2] = np.eye(2) if linear is None else linear
        matrix[:, :2, 2] = 0.0 if shift is None else shift
    axis = (2 * np.arange(size) + 1) / size - 1
    points = np.stack([*np.meshgrid(axis, axis), np.ones((size, size))], axis=-1).reshape(-1, 3)
    original = np.einsum("bij,nj->bni", np.linalg.inv(matrix), points)
    original = original[..., :2] / original[..., 2:]
    squared = np.sum((original[:, :, np.newaxis] - blobs.centres[:, np.newaxis]) ** 2, axis=-1)  # [B, N, K]
    light = np.exp(-0.5 * squared / blobs.widths[:, np.newaxis] ** 2)
    return np.einsum("bnk,bkc->bnc", light, blobs.colours).reshape(count, size, size, -1).astype(np.float32)


def similarity(angle: Array, log_scale: Array | float = 0.0) -> Array:
    """exp(log_scale) times a turn by `angle` from +x towards +y (right to down), [B, 2, 2]."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=-2)
    return turn * np.exp(np.broadcast_to(log_scale, angle.shape))[:, np.newaxis, np.newaxis]


def wrapped(angle: Array) -> Array:
    """The same angle in [-pi, pi)."""
    return np.mod(np.asarray(angle) + np.pi, 2 * np.pi) - np.pi


def angle_error(predict: Callable[[NDArray[np.float32]], Array], count: int = 48, seed: int = 0) -> Array:
    """|f(T x) - f(x) - theta| for random angles, [B]; pi / 2 on average for a constant predictor."""
    blobs = random_blobs(count, seed)
    angle = np.random.default_rng(seed + 1).uniform(-np.pi, np.pi, count)
    return np.abs(wrapped(predict(draw(blobs, linear=similarity(angle))) - predict(draw(blobs)) - angle))
