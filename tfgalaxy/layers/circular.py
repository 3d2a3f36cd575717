"""Angles: circular means, and exact turns of a polar view by any angle."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.layers.coordinates import angle_steps
from tfgalaxy.layers.sampling import batch_first, batch_last

__all__ = ["circular_mean", "turn", "turn_rings"]


def circular_mean(probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Circular mean and resultant length of a distribution over the angles 2 pi j / A.

    angle = atan2(S, C), length = sqrt(C^2 + S^2) with C = sum_j p_j cos(2 pi j / A), S = sum_j p_j sin(2 pi j / A).

    Args:
        probabilities: [B, A], float32 or float64, each row summing to 1.

    Returns:
        angle [B] in (-pi, pi] and length [B] in [0, 1]: 1 where all probability lies at one angle, 0 where none is
        preferred.

    Reference: Mardia and Jupp, Directional Statistics, 2000, section 2.2.
    """
    steps = angle_steps(probabilities.shape[-1])
    cosine = tf.linalg.matvec(probabilities, tf.constant(np.cos(steps), probabilities.dtype))
    sine = tf.linalg.matvec(probabilities, tf.constant(np.sin(steps), probabilities.dtype))
    # Where no angle is preferred the gradient of atan2 is infinite: a tiny offset keeps it finite.
    squared = tf.square(cosine) + tf.square(sine)
    flat = squared < 1e-12
    length = tf.sqrt(tf.where(flat, tf.constant(1e-12, squared.dtype), squared))
    zero, tiny = tf.constant(0.0, sine.dtype), tf.constant(1e-6, sine.dtype)
    return tf.atan2(tf.where(flat, zero, sine), tf.where(flat, tiny, cosine)), length


class _Series(NamedTuple):
    """A ring's Fourier series as constant matrices.

    Attributes:
        analysis: [2 M, A], samples to coefficients: M of cosines, then M of sines.
        synthesis: [A', 2 M], coefficients to samples.
        orders: [M], 0 ... M - 1.
    """

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    orders: NDArray[np.float64]


@functools.lru_cache(maxsize=64)
def _series(angles: int, output_angles: int) -> _Series:
    """For A' = A nothing is left out, and the highest order, whose phase A samples cannot hold, is kept real. For
    A' < A the orders that A' samples cannot hold are left out.
    """
    whole = output_angles == angles
    orders = np.arange(output_angles // 2 + whole, dtype=np.float64)
    weights = np.where((orders == 0) | (orders == angles // 2), 1.0, 2.0) / angles
    inputs = orders[:, np.newaxis] * angle_steps(angles)
    outputs = np.outer(angle_steps(output_angles), orders)
    analysis = np.concatenate([np.cos(inputs), np.sin(inputs)]) * np.tile(weights, 2)[:, np.newaxis]
    synthesis = np.concatenate([np.cos(outputs), np.sin(outputs)], axis=1)
    return _Series(analysis.astype(np.float32), synthesis.astype(np.float32), orders)


def turn_rings(rings: tf.Tensor, angle: tf.Tensor, output_angles: int | None = None) -> tf.Tensor:
    """`turn` with the batch last, float32 [R, A, C, B] to [R, A', C, B]: two products with constant matrices, between
    which each order's phase is moved.

    sum_m a_m cos(m t) + b_m sin(m t) at t - angle has the coefficients a_m cos(m angle) - b_m sin(m angle) and
    a_m sin(m angle) + b_m cos(m angle).
    """
    radii, angles, channels = rings.shape[:3]
    series = _series(angles, output_angles or angles)
    orders = len(series.orders)
    coefficients = tf.matmul(tf.constant(series.analysis), tf.reshape(rings, [radii, angles, -1]))
    row = orders * tf.shape(coefficients)[2]
    cosines, sines = tf.split(tf.reshape(coefficients, [radii, 2 * row]), 2, axis=1)
    # In float32 the phase m * angle of a high order would be off by 1e-5.
    phase = tf.constant(series.orders[:, np.newaxis]) * tf.cast(angle, tf.float64)  # [M, B]
    # One row for all rings, repeated for the colours: other ways to broadcast take three times as long.
    c, s = (
        tf.reshape(tf.tile(tf.cast(wave, tf.float32), [1, channels]), [1, row])
        for wave in (tf.cos(phase), tf.sin(phase))
    )
    moved = tf.concat([c * cosines - s * sines, s * cosines + c * sines], axis=1)
    turned = tf.matmul(tf.constant(series.synthesis), tf.reshape(moved, [radii, 2 * orders, -1]))
    return tf.reshape(turned, [radii, output_angles or angles, channels, -1])


def turn(polar: tf.Tensor, angle: tf.Tensor, output_angles: int | None = None) -> tf.Tensor:
    """Turns polar views by an angle: what stood at angle a stands at a + angle afterwards.

    A ring's Fourier series is evaluated at the turned angles: nothing is smoothed, and whole steps are exact rolls.

    Args:
        polar: [B, R, A, C].
        angle: [B], radians.
        output_angles: A', even, at most A: number of angles of the result, behind a low-pass, so that a turn of the
            input is a turn of the output; A by default.

    Returns:
        [B, R, A', C] of the same dtype; computed in float32. Gradients reach both arguments.
    """
    radii, angles, channels = polar.shape[1:]
    rings = tf.reshape(batch_last(polar), [radii, angles, channels, -1])
    turned = turn_rings(rings, tf.cast(angle, tf.float32), output_angles)
    return tf.cast(batch_first(turned, (radii, output_angles or angles, channels)), polar.dtype)
