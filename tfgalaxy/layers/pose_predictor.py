"""Predicts the angle of a galaxy from its polar view, so that it turns with the galaxy."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.layers.circular import circular_mean
from tfgalaxy.layers.coordinates import angle_steps
from tfgalaxy.layers.polar_convolution import pad_angle, pad_radius
from tfgalaxy.layers.pose import concentration_of_length

__all__ = ["PosePredictor"]

# Of the convolution's product: with fewer, it has fewer zeros and is a smaller one, repeated more often.
RINGS_AT_ONCE = 4


@keras.saving.register_keras_serializable(package="tfgalaxy")
class PosePredictor(keras.layers.Layer):
    """Angle and concentration from a polar view; f(turned view) = f(view) + angle.

    Average over `pool` rings, polar convolution, layer normalisation, ReLU; for each angle, a dense layer over all
    rings and channels gives one logit; p = softmax(temperature * logits); the angle is the circular mean of p. No
    stride and no pooling along the angle.

    The concentration is that of the von Mises distribution with resultant length sqrt(l e). l is p's resultant length,
    how decided the network is; e, the share of the view's variance that is in its second harmonics, says how elongated
    the galaxy is. A round galaxy's angle is never sure, whatever the network says, and neither is one that looks the
    same from both ends.

    The view fades out towards its edge, where light would come and go as a galaxy is zoomed or moved. View and features
    are normalised by their own mean and deviation, over all positions and channels, not by
    statistics of batches: nothing leaks from one kind of batch into another, prediction is that of training, and the
    untrained layer works already. With logits of order one the circular mean is close to the phase of their first
    harmonic, which changes smoothly; with sharp logits it jumps between rival maxima.

    Args:
        filters: channels of the convolution.
        kernel_size: odd, of the convolution.
        pool: rings averaged before it.
        temperature: factor on the logits.

    Input shape: [B, R, A, C], A even, R divisible by `pool`. Output shape: angle [B, 1] and concentration [B, 1];
    float32.

    Raises:
        InputError: an argument out of range, or in `build` a view that does not fit.
    """

    def __init__(
        self, filters: int = 12, kernel_size: int = 5, pool: int = 2, temperature: float = 2.0, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        check(filters >= 1, "filters", "must be at least 1", filters, "Use 12.")
        check(kernel_size >= 1 and kernel_size % 2 == 1, "kernel_size", "must be odd", kernel_size, "Use 5.")
        check(pool >= 1, "pool", "must be at least 1", pool, "Use 2.")
        check(temperature > 0, "temperature", "must be positive", temperature, "Use 2.")
        self.filters, self.kernel_size, self.pool, self.temperature = filters, kernel_size, pool, temperature

    def build(self, input_shape: tuple[Any, ...]) -> None:
        _, radii, angles, channels = input_shape
        margin = self.kernel_size // 2
        fits = angles % 2 == 0 and radii % self.pool == 0 and min(radii // self.pool, angles) >= margin
        rule = f"must have even A, R divisible by {self.pool}, and at least {margin} pooled rings"
        check(fits, "input shape", rule, tuple(input_shape), "Use a larger view or a smaller kernel.")
        size = (self.kernel_size, self.kernel_size, channels, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer="he_normal")
        self.gamma = self.add_weight(name="gamma", shape=(self.filters,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(self.filters,), initializer="zeros")
        logit_shape = (radii // self.pool * self.filters, 1)
        self.logit_kernel = self.add_weight(name="logit_kernel", shape=logit_shape, initializer="lecun_normal")
        self.built = True

    def logits(self, polar: tf.Tensor) -> tf.Tensor:
        """One logit for each angle, [B, A]."""
        return tf.cast(self._logits(_standardised(tf.cast(polar, tf.float64), _taper(polar.shape[1]))), tf.float32)

    def _logits(self, x: tf.Tensor) -> tf.Tensor:
        radii, angles, channels = x.shape[1:]
        rings = radii // self.pool
        # TensorFlow's pooling takes three times as long in float64.
        x = tf.add_n(tf.unstack(tf.reshape(x, [-1, rings, self.pool, angles, channels]), axis=2)) / self.pool
        mean = _mean_convolved(x, tf.cast(self.kernel, tf.float64))  # [B, 1, 1]
        # Each value is a sum of few terms, whose order is the same in all batches.
        x = _convolved(tf.cast(x, tf.float32), tf.cast(self.kernel, tf.float32))  # [B, A, R / pool * F]
        row = tf.cast(tf.reshape(x, [-1, 1, angles * x.shape[-1]]), tf.float64)
        # As a product, that the squares need not be kept; in float64, where its order does not matter.
        variance = tf.matmul(row, row, transpose_b=True) / row.shape[-1] - tf.square(mean)
        gamma, beta = (tf.tile(tf.cast(value, tf.float64), [rings]) for value in (self.gamma, self.beta))
        # The mean is that of the exact features, the squares are of rounded ones: their difference may fall below 0.
        scale = gamma * tf.math.rsqrt(tf.maximum(variance, 0.0) + 1e-8)
        shift = beta - mean * scale
        x = tf.nn.relu(x * tf.cast(scale, tf.float32) + tf.cast(shift, tf.float32))
        features = tf.cast(tf.reshape(x, [-1, x.shape[-1]]), tf.float64)
        return tf.reshape(tf.matmul(features, tf.cast(self.logit_kernel, tf.float64)), [-1, angles])

    def call(self, polar: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The angle of a round galaxy hangs on the last digits, which differ between batches of one image and of many:
        # in float64 those are beyond float32's.
        view = _standardised(tf.cast(polar, tf.float64), _taper(polar.shape[1]))
        angle, length = circular_mean(tf.nn.softmax(self.temperature * self._logits(view)))
        length = tf.sqrt(tf.maximum(length * _elongation(view), 1e-12))  # where the gradient ends before it is infinite
        concentration = concentration_of_length(tf.cast(length, tf.float32))
        return tf.cast(angle, tf.float32)[:, tf.newaxis], concentration[:, tf.newaxis]

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[tuple[int | None, int], ...]:
        return ((input_shape[0], 1), (input_shape[0], 1))

    def get_config(self) -> dict[str, Any]:
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "pool": self.pool,
            "temperature": self.temperature,
        }
        return {**super().get_config(), **own}


def _taper(radii: int) -> NDArray[np.float64]:
    """cos^2 (pi r / 2 r_max) at each ring, [R, 1, 1]: 1 in the middle, 0 at the outer edge."""
    radius = (np.arange(radii) + 0.5) / radii
    return np.asarray(np.cos(0.5 * np.pi * radius) ** 2)[:, np.newaxis, np.newaxis]


def _elongation(view: tf.Tensor) -> tf.Tensor:
    """Share of a view's variance, by area, in the second harmonics of its rings: [B, R, A, C] to [B], from 0 to 1."""
    radii, angles = view.shape[1:3]
    area = (np.arange(radii) + 0.5)[:, np.newaxis, np.newaxis]
    phase = 2.0 * angle_steps(angles)
    waves = np.stack([np.cos(phase), np.sin(phase)], axis=-1) / angles
    harmonics = tf.tensordot(view, tf.constant(waves), axes=[[2], [0]])  # [B, R, C, 2]
    elongated = 2.0 * tf.reduce_sum(area * tf.square(harmonics), axis=[1, 2, 3])
    return elongated / (tf.reduce_sum(area * tf.square(view), axis=[1, 2, 3]) / angles + 1e-8)


def _convolved(polar: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`polar_convolution` as a product over some rings at once, [B, R, A, C] and [k, k, C, F] to [B, A, R * F]:
    TensorFlow's convolutions are slow in float64, and this is the order in which the logits are summed.
    """
    size, (rings, angles, channels) = kernel.shape[0], polar.shape[1:]
    group = math.gcd(rings, RINGS_AT_ONCE)
    padded = pad_angle(pad_radius(polar, size // 2), size // 2, size // 2)
    columns = tf.reshape(tf.transpose(padded, [0, 2, 1, 3]), [-1, padded.shape[2], padded.shape[1] * channels])
    span = (group + size - 1) * channels
    starts = range(0, rings * channels, group * channels)
    columns = tf.stack([columns[..., start : start + span] for start in starts], axis=2)
    windows = tf.concat([columns[:, start : start + angles] for start in range(size)], axis=-1)
    # Row of ring p in the product: kernel[p - r] at ring r.
    offsets = np.stack([np.eye(group + size - 1, group, -shift) for shift in range(size)], axis=-1)
    weights = tf.einsum("pri,ijcf->jpcrf", tf.constant(offsets, kernel.dtype), kernel)
    weights = tf.reshape(weights, [size * span, group * kernel.shape[3]])
    product = tf.matmul(tf.reshape(windows, [-1, size * span]), weights)
    return tf.reshape(product, [-1, angles, rings * kernel.shape[3]])


def _mean_convolved(polar: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Mean of `_convolved` over all angles, rings and filters, [B, 1, 1], from the means of the rings: each position of
    the kernel sees every angle once.
    """
    size, filters, (rings, _, channels) = kernel.shape[0], kernel.shape[3], polar.shape[1:]
    source = np.arange(rings)[:, np.newaxis] + np.arange(size) - size // 2  # the ring that position i sees from ring r
    source = np.where(source < 0, -1 - source, source)  # across the pole; beyond the outermost ring are zeros
    counts = np.stack([np.sum(source == ring, axis=0) for ring in range(rings)])
    weights = tf.einsum("ri,ijcf->rc", tf.constant(counts / (rings * filters), kernel.dtype), kernel)
    means = tf.reshape(tf.reduce_mean(polar, axis=2), [-1, rings * channels])
    return tf.matmul(means, tf.reshape(weights, [-1, 1]))[..., tf.newaxis]


def _standardised(x: tf.Tensor, taper: NDArray[np.float64]) -> tf.Tensor:
    """Each view [B, R, A, C] with mean 0, times the taper [R, 1, 1], with deviation 1; a flat view stays at 0."""
    flat = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])  # rows are broadcast faster than four dimensions
    weights = tf.constant(np.broadcast_to(taper, x.shape[1:]).reshape(1, -1))
    centre = tf.matmul(flat, weights / tf.reduce_sum(weights), transpose_b=True)
    flat = (flat - centre) * weights
    flat *= tf.math.rsqrt(tf.reduce_mean(tf.square(flat), axis=1, keepdims=True) + 1e-8)
    return tf.reshape(flat, [-1, *x.shape[1:]])
