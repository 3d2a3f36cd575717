"""Random poses as matrices in the pixel convention: what augmentation of pictures and of training views share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

__all__ = ["PoseRange", "pose_matrices"]


class PoseRange(Protocol):
    """How far poses may go: whether they turn and mirror, and by how much they zoom and shift."""

    @property
    def rotation(self) -> bool: ...

    @property
    def flip(self) -> bool: ...

    @property
    def zoom(self) -> float: ...

    @property
    def shift(self) -> float: ...


def pose_matrices(
    seed: tf.Tensor, batch: tf.Tensor | int, pose_range: PoseRange, flip_seed: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws one pose for each image, without state: the same seed gives the same poses.

    Args:
        seed: int32 [2].
        batch: number of images B.
        pose_range: uniform turns, mirror flips of half of the images, zoom exp(U(-zoom, zoom)), shift U(-shift, shift)
            of the half-width along either axis.
        flip_seed: of the draw whose images are mirrored here too; `seed` by default.

    Returns:
        float32 [B, 3, 3] from points (x, y, 1) of the view to points of the image, and bool [B]: which views are
        mirrored. A zoom above 1 shows the galaxy larger.
    """
    numbers = tf.random.stateless_uniform([5, batch], seed, -1.0, 1.0)
    angle = np.pi * numbers[0] if pose_range.rotation else tf.zeros_like(numbers[0])
    flips = numbers[1] if flip_seed is None else tf.random.stateless_uniform([5, batch], flip_seed, -1.0, 1.0)[1]
    flipped = flips > 0 if pose_range.flip else tf.zeros_like(numbers[1], tf.bool)
    scale = tf.exp(-pose_range.zoom * numbers[2])
    x, y = pose_range.shift * numbers[3], pose_range.shift * numbers[4]
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    mirror = tf.where(flipped, -1.0, 1.0)  # of the view's y, before it is turned
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    rows = [cosine, -sine * mirror, x, sine, cosine * mirror, y, zero, zero, one]
    return tf.reshape(tf.stack(rows, axis=-1), [-1, 3, 3]), flipped
