"""What a transformation is: parameters, matrix, group law, canonical coordinates and canonical pose; and all by name.

The transformations themselves stand in `similarities`, `linear_transformations` and `perspectives`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.light_ellipse import Ellipse

__all__ = [
    "CANONICAL_WIDTH",
    "Parameter",
    "Transformation",
    "affine_matrix",
    "away_from_zero",
    "get_transformation",
    "register_transformation",
    "transformation_names",
    "wrap_angle",
]

# Width of the light's ellipse in the canonical pose, in half-widths: that of a typical galaxy in the central half of a
# survey's cut-out, so that most galaxies are magnified by little.
CANONICAL_WIDTH = 0.2


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
    5). theta are the group's own, additive coordinates: a magnification is given by its logarithm.

    A subclass states `name` and `parameters` and gives `matrix` and `coordinates`; `compose` and `inverse` are those of
    an additive group unless it says otherwise. It also says which pose is canonical, angles aside: by `pose_of_ellipse`
    where T_theta keeps parallels parallel, else by `moments`. `register_transformation` makes it known by its name.

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

    @property
    def affine(self) -> bool:
        """Whether the pose is read from the light's ellipse, because `pose_of_ellipse` is given."""
        return type(self).pose_of_ellipse is not Transformation.pose_of_ellipse

    def pose_of_ellipse(self, ellipse: Ellipse) -> tf.Tensor:
        """theta [B, k], 0 for angles, of images whose light has that ellipse.

        With E the ellipse of an image, that of the transformed image is T_theta E, so that this must obey
        pose_of_ellipse(T_theta E) = pose_of_ellipse(E) + theta. A transformation that does not give it is read by its
        `moments`.
        """
        raise NotImplementedError

    def moments(self, points: tf.Tensor) -> tf.Tensor:
        """Smooth functions of points, [..., 2] to [..., k], whose mean over the light is 0 in the canonical pose.

        The mean is taken under a Gaussian window about the centre. rho itself will do where it is smooth and changes
        sign.
        """
        return self.coordinates(points)

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
    pi = tf.constant(np.pi, angle.dtype)
    return tf.math.floormod(angle + pi, 2 * pi) - pi


def affine_matrix(
    xx: tf.Tensor, xy: tf.Tensor, yx: tf.Tensor, yy: tf.Tensor, x: tf.Tensor | None = None, y: tf.Tensor | None = None
) -> tf.Tensor:
    """[[xx, xy, x], [yx, yy, y], [0, 0, 1]] for each image: tensors [B] to [B, 3, 3]; without a shift x = y = 0."""
    zero, one = tf.zeros_like(xx), tf.ones_like(xx)
    x, y = zero if x is None else x, zero if y is None else y
    rows = [tf.stack(row, axis=-1) for row in ((xx, xy, x), (yx, yy, y), (zero, zero, one))]
    return tf.stack(rows, axis=-2)


def away_from_zero(values: tf.Tensor) -> tf.Tensor:
    """The values, but for those within 1e-6 of 0, which become 1e-6: on the lines where a rho has no value."""
    return tf.where(tf.abs(values) < 1e-6, tf.constant(1e-6, values.dtype), values)


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
