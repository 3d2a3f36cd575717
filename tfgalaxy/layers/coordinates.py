"""Points of pictures and of canonical grids; one pixel convention for grids, samplers and augmentation.

Pixel centres lie at (2 j + 1) / W - 1 along x (right) and (2 i + 1) / H - 1 along y (down). Angles are in radians, from
+x towards +y. Radii are in half-widths. NumPy, float64: grids that do not depend on an image are made once.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

__all__ = [
    "angle_steps",
    "apply_matrix",
    "image_points",
    "invert_matrix",
    "log_polar_points",
    "moved_planes",
    "pixel_centres",
    "polar_points",
    "ring_radii",
]

Points = NDArray[np.float64]


def pixel_centres(size: int) -> Points:
    """Coordinates of the pixel centres of an axis of `size` pixels: (2 j + 1) / size - 1, shape [size].

    Example:
        >>> pixel_centres(4).tolist()
        [-0.75, -0.25, 0.25, 0.75]
    """
    return (2.0 * np.arange(size) + 1.0) / size - 1.0


def image_points(height: int, width: int) -> Points:
    """(x, y) of all pixels in row order, [H * W, 2]."""
    y, x = np.meshgrid(pixel_centres(height), pixel_centres(width), indexing="ij")
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def angle_steps(angles: int) -> Points:
    """The angles 2 pi j / A, [A]; the end point, which is the first one again, is left out."""
    return 2.0 * np.pi * np.arange(angles) / angles


def ring_radii(radii: int, maximum_radius: float = 1.0) -> Points:
    """Radii of the rings, r_i = r_max (i + 1/2) / R, [R]: the middles of R rings of equal width."""
    return maximum_radius * (np.arange(radii) + 0.5) / radii


def _points_at(radius: Points, angles: int) -> Points:
    angle = angle_steps(angles)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)  # [A, 2]
    return radius[:, np.newaxis, np.newaxis] * circle


def polar_points(radii: int, angles: int, maximum_radius: float = 1.0) -> Points:
    """(x, y) of a polar grid, [R, A, 2]: a rotation by 2 pi k / A moves it k steps along A."""
    return _points_at(ring_radii(radii, maximum_radius), angles)


def log_polar_points(radii: int, angles: int, minimum_radius: float, maximum_radius: float = 1.0) -> Points:
    """(x, y) of a log-polar grid, [R, A, 2]: a magnification by a factor moves it along R by log(factor) / step.

    log r_i = log r_min + (i + 1/2) step with step = log(r_max / r_min) / R.
    """
    step = np.log(maximum_radius / minimum_radius) / radii
    return _points_at(minimum_radius * np.exp((np.arange(radii) + 0.5) * step), angles)


def apply_matrix(matrices: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Maps points by projective matrices: [B, 3, 3] and [N, 2] or [B, N, 2] to [B, N, 2].

    (x, y) goes to (u / w, v / w) with (u, v, w) = M (x, y, 1).
    """
    points = tf.convert_to_tensor(points, matrices.dtype)
    return tf.stack(moved_planes(matrices, points[..., 0], points[..., 1]), axis=-1)


def moved_planes(matrices: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`apply_matrix` with x and y apart, [N] or [B, N] each to [B, N] each: a third of the time of a product."""
    # Element by element, each image's points do not depend on the batch, to the last bit.
    u, v, depth = (
        matrices[:, row, 0:1] * x + matrices[:, row, 1:2] * y + matrices[:, row, 2:3] for row in range(3)
    )  # [B, N]
    # On the horizon itself there is no point: one far away keeps values and gradients finite.
    depth = tf.where(tf.abs(depth) < 1e-6, tf.constant(1e-6, depth.dtype), depth)
    return u / depth, v / depth


def invert_matrix(matrices: tf.Tensor) -> tf.Tensor:
    """Inverse of each 3x3 matrix, [B, 3, 3], through cross products of its columns: arithmetic of every runtime."""
    first, second, third = tf.unstack(matrices, num=3, axis=-1)
    rows = tf.stack([tf.linalg.cross(second, third), tf.linalg.cross(third, first), tf.linalg.cross(first, second)], -2)
    determinant = tf.reduce_sum(first * rows[..., 0, :], axis=-1)
    return rows / determinant[..., tf.newaxis, tf.newaxis]
