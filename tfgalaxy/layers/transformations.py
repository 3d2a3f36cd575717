"""The transformations whose pose is predicted: parameters, matrix, group law and canonical coordinates, by name."""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf

from tfgalaxy.configuration import check

__all__ = [
    "Parameter",
    "Rotation",
    "RotationScale",
    "Scale",
    "Transformation",
    "Translation",
    "get_transformation",
    "register_transformation",
    "transformation_names",
    "wrap_angle",
]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a transformation.

    Attributes:
        name: as in "log_scale".
        unit: as in "radians".
        low, high: range from which tests and measurements draw it.
        periodic: whether it is an angle, with period 2 pi.
    """

    name: str
    unit: str
    low: float
    high: float
    periodic: bool = False


@dataclasses.dataclass(frozen=True)
class Transformation:
    """A group of maps T_theta of the plane, and coordinates in which they are translations.

    An image is a transformed canonical image, phi(x) = phi*(T_theta^-1 x) (Tai et al. 2019, equation 2), so that the
    canonical view is phi*(x) = phi(T_theta x). Canonical coordinates rho obey rho(T_theta x) = rho(x) + theta (equation
    5).

    A subclass states `name` and `parameters` and gives `matrix` and `coordinates`; `compose` and `inverse` are those of
    an additive group unless it says otherwise. `register_transformation` makes it known by its name.

    Attributes:
        name: by which layers and configurations refer to it.
        parameters: one `Parameter` for each of the k entries of theta.
    """

    name: str
    parameters: tuple[Parameter, ...]

    @property
    def size(self) -> int:
        """k, the number of parameters."""
        return len(self.parameters)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """For each parameter, whether it is an angle."""
        return tuple(parameter.periodic for parameter in self.parameters)

    @property
    def turns(self) -> bool:
        """Whether it is a turn about the centre, which a polar view undergoes exactly, and nothing else."""
        return False

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        """T_theta as a projective matrix on points (x, y, 1): [B, k] to [B, 3, 3]."""
        raise NotImplementedError

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        """rho of points (x, y): [..., 2] to [..., k]."""
        raise NotImplementedError

    def reference(self, window: float) -> tuple[float, ...]:
        """Mean of rho, [k], that defines the canonical pose for light weighted by a Gaussian of that width."""
        return (0.0,) * self.size

    def compose(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """theta of T_first T_second, [B, k]."""
        total = first + second
        return tf.stack(
            [wrap_angle(total[:, i]) if angle else total[:, i] for i, angle in enumerate(self.periodic)], axis=-1
        )

    def inverse(self, theta: tf.Tensor) -> tf.Tensor:
        """theta of the inverse map, [B, k]."""
        return -theta


def wrap_angle(angle: tf.Tensor) -> tf.Tensor:
    """The same angle in [-pi, pi)."""
    pi = tf.constant(3.141592653589793, angle.dtype)
    return tf.math.floormod(angle + pi, 2 * pi) - pi


def _mean_log_radius(window: float) -> float:
    # Light of constant brightness under the window has log(window) + 0.06, a point has -infinity. With 0.4 below
    # log(window) the window reaches far into a galaxy's faint outskirts, yet fits in a cut-out twice as wide.
    return math.log(window) - 0.4


def _affine(xx: tf.Tensor, xy: tf.Tensor, yx: tf.Tensor, yy: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """[[xx, xy, x], [yx, yy, y], [0, 0, 1]] for each image: six tensors [B] to [B, 3, 3]."""
    zero, one = tf.zeros_like(xx), tf.ones_like(xx)
    rows = [tf.stack(row, axis=-1) for row in ((xx, xy, x), (yx, yy, y), (zero, zero, one))]
    return tf.stack(rows, axis=-2)


def _log_radius(points: tf.Tensor) -> tf.Tensor:
    # The smallest radius only matters at the pole itself, where the logarithm has no value.
    return 0.5 * tf.math.log(tf.maximum(tf.reduce_sum(tf.square(points), axis=-1), 1e-6))


def _direction(points: tf.Tensor) -> tf.Tensor:
    at_pole = tf.reduce_all(points == 0, axis=-1)
    return tf.atan2(points[..., 1], tf.where(at_pole, tf.ones_like(points[..., 0]), points[..., 0]))


@dataclasses.dataclass(frozen=True)
class Rotation(Transformation):
    """A turn about the centre by `angle`, from +x towards +y; rho = atan2(y, x)."""

    name: str = "rotation"
    parameters: tuple[Parameter, ...] = (Parameter("angle", "radians", -3.141592653589793, 3.141592653589793, True),)

    @property
    def turns(self) -> bool:
        return True

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        cosine, sine = tf.cos(theta[:, 0]), tf.sin(theta[:, 0])
        zero = tf.zeros_like(sine)
        return _affine(cosine, -sine, sine, cosine, zero, zero)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _direction(points)[..., tf.newaxis]


@dataclasses.dataclass(frozen=True)
class Translation(Transformation):
    """A shift by (x, y), in half-widths; rho = (x, y)."""

    name: str = "translation"
    parameters: tuple[Parameter, ...] = (
        Parameter("x", "half-widths", -0.1, 0.1),
        Parameter("y", "half-widths", -0.1, 0.1),
    )

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        zero = tf.zeros_like(theta[:, 0])
        return _affine(zero + 1, zero, zero, zero + 1, theta[:, 0], theta[:, 1])

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return points


@dataclasses.dataclass(frozen=True)
class Scale(Transformation):
    """A magnification about the centre by exp(log_scale); rho = log r."""

    name: str = "scale"
    parameters: tuple[Parameter, ...] = (Parameter("log_scale", "log of the magnification", -0.2, 0.2),)

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor, zero = tf.exp(theta[:, 0]), tf.zeros_like(theta[:, 0])
        return _affine(factor, zero, zero, factor, zero, zero)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return _log_radius(points)[..., tf.newaxis]

    def reference(self, window: float) -> tuple[float, ...]:
        return (_mean_log_radius(window),)


@dataclasses.dataclass(frozen=True)
class RotationScale(Transformation):
    """A turn by `angle` and a magnification by exp(log_scale) about the centre; rho = (atan2(y, x), log r)."""

    name: str = "rotation_scale"
    parameters: tuple[Parameter, ...] = (
        Parameter("angle", "radians", -3.141592653589793, 3.141592653589793, True),
        Parameter("log_scale", "log of the magnification", -0.2, 0.2),
    )

    def matrix(self, theta: tf.Tensor) -> tf.Tensor:
        factor = tf.exp(theta[:, 1])
        cosine, sine = factor * tf.cos(theta[:, 0]), factor * tf.sin(theta[:, 0])
        zero = tf.zeros_like(sine)
        return _affine(cosine, -sine, sine, cosine, zero, zero)

    def coordinates(self, points: tf.Tensor) -> tf.Tensor:
        return tf.stack([_direction(points), _log_radius(points)], axis=-1)

    def reference(self, window: float) -> tuple[float, ...]:
        return (0.0, _mean_log_radius(window))


_REGISTRY: dict[str, Transformation] = {}


def register_transformation(transformation: Transformation) -> Transformation:
    """Makes a transformation known by its name; a name is taken once."""
    name = transformation.name
    check(name not in _REGISTRY, "transformation", "must have a new name", name, "Choose another name.")
    _REGISTRY[name] = transformation
    return transformation


def transformation_names() -> tuple[str, ...]:
    """The names of all registered transformations, sorted."""
    return tuple(sorted(_REGISTRY))


def get_transformation(name: str) -> Transformation:
    """The registered transformation of that name.

    Raises:
        InputError: there is none.
    """
    rule = f"must be one of {', '.join(transformation_names())}"
    check(name in _REGISTRY, "transformation", rule, name, "Choose one, or register your own.")
    return _REGISTRY[name]


for _transformation in (Rotation(), Translation(), Scale(), RotationScale()):
    register_transformation(_transformation)
