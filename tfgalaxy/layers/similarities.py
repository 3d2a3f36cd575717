"""Transformations that keep shapes: rotation, translation, scale, and rotation with scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfgalaxy.layers.light_ellipse import Ellipse
from tfgalaxy.layers.transformations import (
    CANONICAL_WIDTH,
    Parameter,
    Transformation,
    affine_matrix,
    register_transformation,
)

__all__ = ["Rotation", "RotationScale", "Scale", "Translation"]

_ANGLE = Parameter("angle", "radians", -np.pi, np.pi, True)
_LOG_SCALE = Parameter("log_scale", "log of the magnification", -0.2, 0.2)


def _log_radius(points: tf.Tensor) -> tf.Tensor:
    # The smallest radius only matters at the pole itself, where the logarithm has no value.
    return 0.5 * tf.math.log(tf.maximum(tf.reduce_sum(tf.square(points), axis=-1), 1e-6))


def _direction(points: tf.Tensor) -> tf.Tensor:
    at_pole = tf.reduce_all(points == 0, axis=-1)
    return tf.atan2(points[..., 1], tf.where(at_pole, tf.ones_like(points[..., 0]), points[..., 0]))


def _log_width(ellipse: Ellipse) -> tf.Tensor:
    """log of the geometric mean of the ellipse's semi-axes over the canonical width, [B]."""
    determinant = ellipse.xx * ellipse.yy - tf.square(ellipse.xy)
    return 0.25 * tf.math.log(determinant) - float(np.log(CANONICAL_WIDTH))


@dataclasses.dataclass(frozen=True)
class Rotation(Transformation):
    """A turn about the centre by `angle`, from +x towards +y; rho = atan2(y, x)."""

    name: str = "rotation"
    parameters: tuple[Parameter, ...] = (_ANGLE,)

    @property
    def turns(self) -> bool:
        return True

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        cosine, sine = tf.cos(theta[:, 0]), tf.sin(theta[:, 0])
        return affine_matrix(cosine, -sine, sine, cosine)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _direction(points)[..., tf.newaxis]


@dataclasses.dataclass(frozen=True)
class Translation(Transformation):
    """A shift by (x, y), in half-widths; rho = (x, y). Canonical: the light's ellipse stands in the middle."""

    name: str = "translation"
    parameters: tuple[Parameter, ...] = (
        Parameter("x", "half-widths", -0.1, 0.1),
        Parameter("y", "half-widths", -0.1, 0.1),
    )

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        zero = tf.zeros_like(theta[:, 0])
        return affine_matrix(zero + 1, zero, zero, zero + 1, theta[:, 0], theta[:, 1])

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return points

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return tf.stack([ellipse.x, ellipse.y], axis=-1)


@dataclasses.dataclass(frozen=True)
class Scale(Transformation):
    """A magnification about the centre by exp(log_scale); rho = log r. Canonical: det C = CANONICAL_WIDTH^4."""

    name: str = "scale"
    parameters: tuple[Parameter, ...] = (_LOG_SCALE,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor, zero = tf.exp(theta[:, 0]), tf.zeros_like(theta[:, 0])
        return affine_matrix(factor, zero, zero, factor)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _log_radius(points)[..., tf.newaxis]

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return _log_width(ellipse)[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class RotationScale(Transformation):
    """A turn by `angle` and a magnification by exp(log_scale) about the centre; rho = (atan2(y, x), log r)."""

    name: str = "rotation_scale"
    parameters: tuple[Parameter, ...] = (_ANGLE, _LOG_SCALE)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor = tf.exp(theta[:, 1])
        cosine, sine = factor * tf.cos(theta[:, 0]), factor * tf.sin(theta[:, 0])
        return affine_matrix(cosine, -sine, sine, cosine)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return tf.stack([_direction(points), _log_radius(points)], axis=-1)

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        log_width = _log_width(ellipse)
        return tf.stack([tf.zeros_like(log_width), log_width], axis=-1)


for _transformation in (Rotation(), Translation(), Scale(), RotationScale()):
    register_transformation(_transformation)
