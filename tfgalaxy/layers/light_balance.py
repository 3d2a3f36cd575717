"""The pose in which the light is balanced: for transformations that are not affine, and in general."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfgalaxy.layers.coordinates import image_points, invert_matrix
from tfgalaxy.layers.transformations import CANONICAL_WIDTH, Transformation

__all__ = ["balanced_pose", "unposed_light"]

WINDOW = 0.3
ITERATIONS = 8
PROBE = 0.02
HORIZON = 0.05


def unposed_light(matrices: tf.Tensor, light: tf.Tensor, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The light of a view: what the pixels at points x contribute to integrals over the view's points u = M^-1 x.

    A pixel's light is multiplied by |du / dx|, so that such an integral depends on the view only, and not on the pose
    in which the image shows it. Behind the horizon of a projective map there is no light.

    Args:
        matrices: M, [B, 3, 3], from points of the view to points of the image.
        light: [B, N].
        points: [N, 2] or [B, N, 2].

    Returns:
        Light [B, N] and points u [B, N, 2].
    """
    inverse = invert_matrix(matrices)
    first, second, third = tf.unstack(inverse, num=3, axis=-1)
    determinant = tf.reduce_sum(first * tf.linalg.cross(second, third), axis=-1)[:, tf.newaxis]
    points = tf.convert_to_tensor(points, tf.float32)
    x, y = points[..., 0], points[..., 1]
    # Row by row: twice as fast as products with matrices of two columns.
    u, v, depth = (
        row[:, 0, tf.newaxis] * x + row[:, 1, tf.newaxis] * y + row[:, 2, tf.newaxis]
        for row in tf.unstack(inverse, num=3, axis=1)
    )  # [B, N]
    in_front = depth > HORIZON * inverse[:, 2, 2, tf.newaxis]
    share = tf.where(in_front, 1.0 / tf.where(in_front, depth, 1.0), 0.0)
    return light * tf.abs(determinant) * share**3, tf.stack([u * share, v * share], axis=-1)


def balanced_pose(transformation: Transformation, light: tf.Tensor, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """theta at which the un-posed light has mean moments 0: E[m(u)] = 0, u = T_theta^-1 x.

    The mean is over the un-posed image, weighted by light |du / dx| exp(-|u|^2 / (2 WINDOW^2)). If theta solves this
    for an image, then theta + theta' does for the image transformed by theta', whatever the window. It is found by
    Newton's method from 0, each parameter by itself, with slopes from the steps before; angles stay 0. The gradient is
    that of the exact solution, d theta = -dE / slope.

    Args:
        transformation: gives `moments`.
        light: [B, N], not negative and not all 0.
        points: [N, 2] or [B, N, 2].

    Returns:
        theta [B, k] and its variance [B, k], as if the light were that of independent draws of points.
    """
    least = 0.5 * _expected_slope(transformation)

    def step(theta: tf.Tensor, mean: tf.Tensor, slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        change = -mean / slope
        theta = transformation.compose(theta, change)
        moved, _ = _mean_moments(transformation, light, points, theta)
        large = tf.abs(change) > 1e-3
        measured = (moved - mean) / tf.where(large, change, 1.0)
        return theta, moved, tf.where(large, _safe(measured, least), slope)

    theta = tf.zeros([tf.shape(light)[0], transformation.size])
    mean, _ = _mean_moments(transformation, light, points, theta)
    start = (theta, mean, 2.0 * least + tf.zeros_like(theta))
    theta, _, _ = tf.while_loop(lambda *_: True, step, start, maximum_iterations=ITERATIONS)
    theta = tf.stop_gradient(theta)
    mean, variance = _mean_moments(transformation, light, points, theta)
    slope = tf.stop_gradient(_safe(_slope(transformation, light, points, theta, mean), least))
    return transformation.compose(theta, -mean / slope), variance / tf.square(slope)


def _expected_slope(transformation: Transformation) -> tf.Tensor:
    """dE / dtheta of a round canonical galaxy, [1, k]."""
    grid = tf.constant(image_points(32, 32), tf.float32)
    light = tf.exp(-0.5 * tf.reduce_sum(tf.square(grid), axis=-1) / CANONICAL_WIDTH**2)[tf.newaxis]
    theta = tf.zeros([1, transformation.size])
    mean, _ = _mean_moments(transformation, light, grid, theta)
    return _slope(transformation, light, grid, theta, mean)


def _safe(slope: tf.Tensor, least: tf.Tensor) -> tf.Tensor:
    """The slope, but at least `least`, with its sign.

    Some light, such as a bright neighbour's, makes the slope small or turns its sign where theta is far from the
    solution. Half the slope of a round canonical galaxy leads towards it.
    """
    return least * tf.maximum(slope / least, 1.0)


def _slope(
    transformation: Transformation, light: tf.Tensor, points: tf.Tensor, theta: tf.Tensor, mean: tf.Tensor
) -> tf.Tensor:
    """dE[m_i] / dtheta_i for each parameter i, [B, k]; 1 for angles."""
    slopes = []
    for index, angle in enumerate(transformation.periodic):
        probe = np.zeros([1, transformation.size], np.float32)
        probe[0, index] = PROBE
        if angle:
            slopes.append(tf.ones_like(mean[:, index]))
        else:
            moved, _ = _mean_moments(transformation, light, points, transformation.compose(theta, tf.constant(probe)))
            slopes.append((moved - mean)[:, index] / PROBE)
    return tf.stack(slopes, axis=-1)


def _mean_moments(
    transformation: Transformation, light: tf.Tensor, points: tf.Tensor, theta: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """E[m(u)], 0 for angles, and the squared standard error of that mean, [B, k] each."""
    light, unposed = unposed_light(transformation.matrix(theta), light, points)
    weights = light * tf.exp(-0.5 * tf.reduce_sum(tf.square(unposed), axis=-1) / WINDOW**2)
    weights = weights / (tf.reduce_sum(weights, axis=-1, keepdims=True) + 1e-20)
    free = np.array([0.0 if angle else 1.0 for angle in transformation.periodic], np.float32)
    moments = free * transformation.moments(unposed)  # [B, N, k]
    mean = tf.linalg.matvec(moments, weights, transpose_a=True)
    spread = tf.square(moments - mean[:, tf.newaxis])
    return mean, tf.linalg.matvec(spread, tf.square(weights), transpose_a=True)
