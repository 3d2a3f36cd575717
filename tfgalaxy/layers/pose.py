"""What a pose is: its parameters, how sure they are, and the map that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

__all__ = ["Pose", "concentration_of_length", "pose_distribution"]

tfd = tfp.distributions

# Resultant lengths are cut here: a von Mises concentration of about 5,000, a standard deviation of 0.8 degrees.
LONGEST = 0.9999


class Pose(NamedTuple):
    """The pose of each image of a batch, as layers predict it.

    Attributes:
        mean: [B, P], the parameters of all transformations, in their order.
        concentration: [B, P], positive: the von Mises concentration of an angle; 1 / variance of any other parameter.
        matrix: [B, 3, 3], from points of the canonical view to points of the image.
    """

    mean: tf.Tensor
    concentration: tf.Tensor
    matrix: tf.Tensor


def concentration_of_length(length: tf.Tensor) -> tf.Tensor:
    """Concentration of the von Mises distribution with that resultant length.

    k = l (2 - l^2) / (1 - l^2), within a few percent of the solution of I1(k) / I0(k) = l.

    Reference: Banerjee et al., JMLR 6, 2005, equation 4.4.
    """
    length = tf.clip_by_value(length, 1e-6, LONGEST)
    squared = tf.square(length)
    return length * (2.0 - squared) / (1.0 - squared)


def pose_distribution(
    mean: tf.Tensor, concentration: tf.Tensor, periodic: Sequence[bool]
) -> tfp.distributions.JointDistribution:
    """Independent distributions of a pose's parameters: von Mises for angles, Normal for the others.

    Scales are positive; their parameter is the logarithm, so that their distribution is log-normal.

    Args:
        mean, concentration: [B, P], of a `Pose`.
        periodic: for each parameter, whether it is an angle; `layer.periodic`.

    Returns:
        A joint distribution; `log_prob` takes a list of P tensors [B], and `sample` gives one.
    """
    parts = []
    for index, angle in enumerate(periodic):
        location, precision = mean[:, index], concentration[:, index]
        parts.append(tfd.VonMises(location, precision) if angle else tfd.Normal(location, tf.math.rsqrt(precision)))
    return tfd.JointDistributionSequential(parts)
