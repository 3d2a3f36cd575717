"""Perspectives: projective transformations that keep the centre and its surroundings, and lines through it."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfgalaxy.layers.transformations import Parameter, Transformation, away_from_zero, register_transformation

__all__ = ["PerspectiveX", "PerspectiveY"]

_TILT = Parameter("tilt", "change of 1 / coordinate, per half-width", -0.1, 0.1)


def _matrix(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """[[1, 0, 0], [0, 1, 0], [x, y, 1]] for each image: two tensors [B] to [B, 3, 3]."""
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    rows = [tf.stack(row, axis=-1) for row in ((one, zero, zero), (zero, one, zero), (x, y, one))]
    return tf.stack(rows, axis=-2)


@dataclasses.dataclass(frozen=True)
class PerspectiveX(Transformation):
    """(x, y) goes to (x, y) / (1 + tilt x); rho = 1 / x. Canonical: as much light at the right as at the left.

    Within the image's width all is in front of the horizon as long as |tilt| < 1.
    """

    name: str = "perspective_x"
    parameters: tuple[Parameter, ...] = (_TILT,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        return _matrix(theta[:, 0], tf.zeros_like(theta[:, 0]))

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return 1.0 / away_from_zero(points[..., :1])

    def moments(self, points: tf.Tensor) -> tf.Tensor:
        return points[..., :1]


@dataclasses.dataclass(frozen=True)
class PerspectiveY(Transformation):
    """(x, y) goes to (x, y) / (1 + tilt y); rho = 1 / y. Canonical: as much light below as above.

    Within the image's height all is in front of the horizon as long as |tilt| < 1.
    """

    name: str = "perspective_y"
    parameters: tuple[Parameter, ...] = (_TILT,)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        return _matrix(tf.zeros_like(theta[:, 0]), theta[:, 0])

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return 1.0 / away_from_zero(points[..., 1:])

    def moments(self, points: tf.Tensor) -> tf.Tensor:
        return points[..., 1:]


for _transformation in (PerspectiveX(), PerspectiveY()):
    register_transformation(_transformation)
