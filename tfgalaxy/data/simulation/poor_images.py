"""Simulated pictures as a survey shows galaxies that are smaller and fainter than Galaxy Zoo 2's."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

__all__ = ["poor_images"]

# Points across the picture that are left of the galaxy: what is small in the survey's pixels was enlarged.
SIZES = np.array([16, 20, 24, 32, 40, 48]) / 64
LARGEST_NOISE = 0.03  # of those points, where white is 1
BRIGHTNESS_SPREAD = 0.4  # of the logarithm
BATCH = 512


def poor_images(images: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """Pictures with fewer points, noise and another brightness, enlarged again: blurred, in noise that is blurred too.

    Args:
        images: uint8 [N, S, S, C].
        seed: of how poor each one becomes.

    Returns:
        uint8 [N, S, S, C].
    """
    rng = np.random.default_rng(seed)
    side = images.shape[1]
    sizes = np.maximum(np.round(rng.choice(SIZES, len(images)) * side).astype(int), 2)
    noise = rng.uniform(0.0, LARGEST_NOISE, len(images)).astype(np.float32)
    gain = np.exp(BRIGHTNESS_SPREAD * rng.standard_normal(len(images))).astype(np.float32)
    result = np.empty_like(images)
    for size in np.unique(sizes):
        for rows in _parts(np.flatnonzero(sizes == size)):
            factor, spread = (values[rows].reshape(-1, 1, 1, 1) for values in (gain, noise))
            points = tf.image.resize(images[rows].astype(np.float32) / 255.0, [size, size], method="area")
            points = factor * points + spread * rng.standard_normal(points.shape, dtype=np.float32)
            enlarged = tf.image.resize(points, [side, side], method="bicubic")
            result[rows] = np.clip(np.round(255.0 * enlarged.numpy()), 0, 255).astype(np.uint8)
    return result


def _parts(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
