"""Linear transformations that change shapes: scales along one axis, shears, and the hyperbolic rotation."""

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
    away_from_zero,
    register_transformation,
)

__all__ = ["HyperbolicRotation", "ScaleX", "ScaleY", "ShearX", "ShearY"]

_LOG_SCALE = Parameter("log_scale", "log of the magnification", -0.2, 0.2)
_SHEAR = Parameter("shear", "tangent of the angle by which an axis leans", -0.2, 0.2)
_LOG_STRETCH = Parameter("log_stretch", "log of the magnification along x and of the reduction along y", -0.2, 0.2)


def _log_size(values: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.abs(away_from_zero(values)))


@dataclasses.dataclass(frozen=True)
class ScaleX(Transformation):
    """x is multiplied by exp(log_scale); rho = log |x|. Canonical: C_xx = CANONICAL_WIDTH^2."""

    name: str = "scale_x"
    parameters: tuple[Parameter, ...] = (_LOG_SCALE,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor, zero = tf.exp(theta[:, 0]), tf.zeros_like(theta[:, 0])
        return affine_matrix(factor, zero, zero, zero + 1)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _log_size(points[..., :1])

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return 0.5 * tf.math.log(ellipse.xx)[:, tf.newaxis] - float(np.log(CANONICAL_WIDTH))


@dataclasses.dataclass(frozen=True)
class ScaleY(Transformation):
    """y is multiplied by exp(log_scale); rho = log |y|. Canonical: C_yy = CANONICAL_WIDTH^2."""

    name: str = "scale_y"
    parameters: tuple[Parameter, ...] = (_LOG_SCALE,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor, zero = tf.exp(theta[:, 0]), tf.zeros_like(theta[:, 0])
        return affine_matrix(zero + 1, zero, zero, factor)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _log_size(points[..., 1:])

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return 0.5 * tf.math.log(ellipse.yy)[:, tf.newaxis] - float(np.log(CANONICAL_WIDTH))


@dataclasses.dataclass(frozen=True)
class ShearX(Transformation):
    """(x, y) goes to (x + shear y, y); rho = x / y. Canonical: C_xy = 0."""

    name: str = "shear_x"
    parameters: tuple[Parameter, ...] = (_SHEAR,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        zero = tf.zeros_like(theta[:, 0])
        return affine_matrix(zero + 1, theta[:, 0], zero, zero + 1)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return points[..., :1] / away_from_zero(points[..., 1:])

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return (ellipse.xy / ellipse.yy)[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class ShearY(Transformation):
    """(x, y) goes to (x, y + shear x); rho = y / x. Canonical: C_xy = 0."""

    name: str = "shear_y"
    parameters: tuple[Parameter, ...] = (_SHEAR,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        zero = tf.zeros_like(theta[:, 0])
        return affine_matrix(zero + 1, zero, theta[:, 0], zero + 1)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return points[..., 1:] / away_from_zero(points[..., :1])

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return (ellipse.xy / ellipse.xx)[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class HyperbolicRotation(Transformation):
    """(x, y) goes to (exp(t) x, exp(-t) y), t = log_stretch; rho = log(|x| / |y|) / 2. Canonical: C_xx = C_yy."""

    name: str = "hyperbolic_rotation"
    parameters: tuple[Parameter, ...] = (_LOG_STRETCH,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        zero = tf.zeros_like(theta[:, 0])
        return affine_matrix(tf.exp(theta[:, 0]), zero, zero, tf.exp(-theta[:, 0]))

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return 0.5 * (_log_size(points[..., :1]) - _log_size(points[..., 1:]))

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        return 0.25 * tf.math.log(ellipse.xx / ellipse.yy)[:, tf.newaxis]


for _transformation in (ScaleX(), ScaleY(), ShearX(), ShearY(), HyperbolicRotation()):
    register_transformation(_transformation)
