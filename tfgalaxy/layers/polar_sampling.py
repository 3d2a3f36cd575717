"""Samples polar views at points of the plane that differ from image to image."""

from __future__ import annotations

import math

import tensorflow as tf

from tfgalaxy.layers.polar_convolution import pad_angle, pad_radius
from tfgalaxy.layers.sampling import sample_at_indices

__all__ = ["polar_sample"]


def polar_sample(polar: tf.Tensor, points: tf.Tensor, maximum_radius: float = 1.0) -> tf.Tensor:
    """Values of polar views at points, bilinear in radius and angle; gradients reach views and points.

    Within the innermost ring it interpolates across the pole; beyond the outermost ring it takes that ring's value.

    Args:
        polar: [B, R, A, C], A even.
        points: (x, y), float32 [B, N, 2].
        maximum_radius: of the polar view.

    Returns:
        [B, N, C] of the views' dtype.
    """
    radii, angles = polar.shape[1:3]
    x, y = points[..., 0], points[..., 1]
    squared = tf.square(x) + tf.square(y)
    at_pole = squared < 1e-12  # where neither radius nor angle has a gradient
    radius = tf.sqrt(tf.where(at_pole, 1e-12, squared)) * (radii / maximum_radius) - 0.5
    angle = tf.atan2(tf.where(at_pole, 0.0, y), tf.where(at_pole, 1.0, x))
    step = tf.math.floormod(angle, 2.0 * math.pi) * (angles / (2.0 * math.pi))
    padded = pad_angle(pad_radius(polar, 1)[:, : radii + 1], 0, 1)  # one ring inside, none outside
    return sample_at_indices(padded, radius + 1.0, step)
