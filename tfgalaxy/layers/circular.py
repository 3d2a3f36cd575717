"""Angles: circular means, and exact turns of a polar view by any angle."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfgalaxy.layers.coordinates import angle_steps

__all__ = ["circular_mean", "turn", "turning_matrix"]


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


def turning_matrix(angle: tf.Tensor, angles: int, output_angles: int | None = None) -> tf.Tensor:
    """Matrices [B, A', A] that turn a ring of A samples by an angle and read it at A' angles.

    T[j, k] = D(2 pi j / A' - 2 pi k / A - angle) with D(t) = (1 + 2 sum_{m=1}^{M-1} cos(m t) + w cos(M t)) / A, M = A'
    / 2: the ring's Fourier series, evaluated at the turned angles. For A' = A nothing is smoothed, whole steps are
    exact rolls, and the highest frequency, whose phase A samples cannot hold, is kept real (w = 1). For A' < A the
    frequencies that A' samples cannot hold are left out first (w = 0), so that a turn of the input is a turn of the
    output.

    Args:
        angle: [B], radians.
        angles: A, even.
        output_angles: A', even, at most A; A by default.
    """
    output_angles = output_angles or angles
    highest = output_angles // 2
    orders = np.arange(highest + 1, dtype=np.float64)
    weights = np.where(orders == 0, 1.0, 2.0) / angles
    weights[-1] = 1.0 / angles if output_angles == angles else 0.0
    inputs = orders[:, np.newaxis] * angle_steps(angles)  # [M + 1, A]
    cosine, sine = weights[:, np.newaxis] * np.cos(inputs), weights[:, np.newaxis] * np.sin(inputs)
    outputs = np.outer(angle_steps(output_angles), orders)
    left = np.concatenate([np.cos(outputs), np.sin(outputs)], axis=1)  # [A', 2 (M + 1)]
    # cos(m (a - b - angle)) = cos(m a) cos(m (b + angle)) + sin(m a) sin(m (b + angle)): a product over the orders m.
    # In float32 the phase m * angle of a high order would be off by 1e-5.
    phase = tf.cast(angle, tf.float64)[:, tf.newaxis, tf.newaxis] * orders[:, np.newaxis]
    c, s = tf.cast(tf.cos(phase), tf.float32), tf.cast(tf.sin(phase), tf.float32)  # [B, M + 1, 1]
    cosine, sine = tf.constant(cosine, tf.float32), tf.constant(sine, tf.float32)
    right = tf.concat([c * cosine - s * sine, s * cosine + c * sine], axis=1)
    return tf.matmul(tf.constant(left, tf.float32), right)


def turn(polar: tf.Tensor, angle: tf.Tensor, output_angles: int | None = None) -> tf.Tensor:
    """Turns polar views by an angle: what stood at angle a stands at a + angle afterwards.

    Args:
        polar: [B, R, A, C].
        angle: [B], radians.
        output_angles: A', at most A: number of angles of the result, behind a low-pass; A by default.

    Returns:
        [B, R, A', C] of the same dtype; computed in float32. Gradients reach both arguments.
    """
    radii, angles, channels = polar.shape[1:]
    count = output_angles or angles
    rings = tf.reshape(tf.transpose(tf.cast(polar, tf.float32), [0, 2, 1, 3]), [-1, angles, radii * channels])
    turned = tf.matmul(turning_matrix(tf.cast(angle, tf.float32), angles, count), rings)
    turned = tf.transpose(tf.reshape(turned, [-1, count, radii, channels]), [0, 2, 1, 3])
    return tf.cast(turned, polar.dtype)
