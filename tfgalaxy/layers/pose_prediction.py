"""Pose predictors: translation-equivariant networks on canonical coordinates, read out by a centroid."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.layers.circular import circular_mean
from tfgalaxy.layers.coordinates import image_points
from tfgalaxy.layers.polar_convolution import PolarConv2D

__all__ = ["AnglePredictor", "CentrePredictor", "LogScalePredictor", "von_mises_concentration"]


def von_mises_concentration(length: tf.Tensor) -> tf.Tensor:
    """Concentration of the von Mises distribution of a mean resultant length, R (2 - R^2) / (1 - R^2).

    Reference: Banerjee, Dhillon, Ghosh, Sra 2005, equation (4.4) for two dimensions.
    """
    squared = tf.minimum(tf.square(length), 1.0 - 1e-4)
    return length * (2.0 - squared) / (1.0 - squared)


@keras.saving.register_keras_serializable(package="tfgalaxy")
class AnglePredictor(keras.layers.Layer):
    """Reads the angle of a galaxy off its polar view: turned by theta, the view gives an angle larger by theta.

    Rings are averaged by fours, a polar convolution finds features, each image is normalised by its own mean and spread
    (so that no statistics of other images enter), and a dense layer over all rings gives one logit per angle. The
    angle is the circular mean of softmax(2 logits). Nothing along the angle is strided or pooled.

    Args:
        filters: channels of the convolution.
        kernel_size: odd size of the convolution.
        pool: rings averaged.

    Input shape: [B, R, A, C]; with A = 128 an untrained layer misses self-consistency by 0.02 rad on real galaxies,
    with
        A = 64, where 64 px images alias along the outer rings, by 0.06 rad.
    Output: angle [B] in (-pi, pi], and its von Mises concentration [B].

    Reference: Tai, Bailis, Valiant 2019 (arXiv 1901.11399), section 3.
    """

    def __init__(self, filters: int = 12, kernel_size: int = 5, pool: int = 4, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.filters, self.kernel_size, self.pool = filters, kernel_size, pool
        self.convolution = PolarConv2D(filters, kernel_size, dtype="float32", name="convolution")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, radii, angles, channels = input_shape
        if radii % self.pool:
            rule = f"must be a multiple of pool, {self.pool}"
            raise InputError("radii", rule, radii, "Change either.")
        self.convolution.build((None, radii // self.pool, angles, channels))
        shape = (radii // self.pool, self.filters)
        scale = keras.initializers.RandomNormal(stddev=float(np.prod(shape)) ** -0.5)
        self.readout = self.add_weight(name="readout", shape=shape, initializer=scale)
        self.built = True

    def call(self, polar: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pooled = tf.nn.avg_pool2d(tf.cast(polar, tf.float32), [self.pool, 1], [self.pool, 1], "VALID")
        features = self.convolution(pooled)  # [B, R / pool, A, F]
        features -= tf.reduce_mean(features, axis=[1, 2], keepdims=True)
        spread = tf.reduce_mean(tf.square(features), axis=[1, 2, 3], keepdims=True)
        features = tf.nn.relu(features * tf.math.rsqrt(spread + 1e-6))
        logits = tf.einsum("braf,rf->ba", features, tf.convert_to_tensor(self.readout))
        angle, length = circular_mean(tf.nn.softmax(2.0 * logits))
        return angle, von_mises_concentration(length)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], ...]:
        return ((input_shape[0],), (input_shape[0],))

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "pool": self.pool}
        return {**super().get_config(), **own}


def _brightness(view: tf.Tensor, colours: Any) -> tf.Tensor:
    """Weighted sum over colours [B, ...], less its smallest value in the image: the sky."""
    weights = tf.nn.softmax(tf.convert_to_tensor(colours))
    total = tf.tensordot(tf.cast(view, tf.float32), weights, 1)
    axes = list(range(1, len(total.shape)))
    return total - tf.reduce_min(total, axis=axes, keepdims=True)


@keras.saving.register_keras_serializable(package="tfgalaxy")
class LogScalePredictor(keras.layers.Layer):
    """Reads the log of a galaxy's size off its log-polar view.

    log s = sum_r w_r log r / sum_r w_r with w_r = (mean brightness of ring r)^power * r: the centroid of the light
    along log r. Under a magnification by exp(theta) the light moves by theta along log r, and so does its centroid as
    far as the grid reaches. The power, which keeps sky and neighbours out, and the weights of the colours are learnt.

    Args:
        log_radii: log r of each ring, [R].

    Input shape: [B, R, A, C]. Output: log scale [B], relative to a galaxy that fills the image, and 1 / variance [B].
    """

    def __init__(self, log_radii: list[float], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.log_radii = [float(value) for value in log_radii]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if input_shape[1] != len(self.log_radii):
            raise InputError("log_radii", f"must have {input_shape[1]} entries", len(self.log_radii), "One per ring.")
        self.colours = self.add_weight(name="colours", shape=(input_shape[-1],), initializer="zeros")
        self.log_power = self.add_weight(
            name="log_power", shape=(), initializer=keras.initializers.Constant(float(np.log(2.0)))
        )
        self.built = True

    def call(self, log_polar: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rings = tf.reduce_mean(_brightness(log_polar, self.colours), axis=2)  # [B, R]
        log_radii = tf.constant(self.log_radii)
        power = tf.exp(tf.convert_to_tensor(self.log_power))
        weights = tf.nn.softmax(power * tf.math.log(rings + 1e-4) + log_radii)
        mean = tf.linalg.matvec(weights, log_radii)
        variance = tf.linalg.matvec(weights, tf.square(log_radii)) - tf.square(mean)
        return mean, 1.0 / tf.maximum(variance, 1e-6)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], ...]:
        return ((input_shape[0],), (input_shape[0],))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "log_radii": self.log_radii}


@keras.saving.register_keras_serializable(package="tfgalaxy")
class CentrePredictor(keras.layers.Layer):
    """Finds a galaxy's centre as the centroid of a saliency that depends on no direction.

    c = sum_p w_p p / sum_p w_p with w_p = exp(temperature * blurred brightness) and a Gaussian blur. Since neither the
    blur nor the weight knows a direction, the estimate turns with the image, unlike that of a general convolution, and
    steps that follow in a sequence stay self-consistent.

    Args:
        blur: standard deviation of the blur, in half-widths.

    Input shape: [B, H, W, C]. Output: centre (x, y) [B, 2] in half-widths, and 1 / variance along either axis, [B, 2].
    """

    def __init__(self, blur: float = 0.05, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not 0 < blur < 1:
            raise InputError("blur", "must lie between 0 and 1", blur, "Use 0.05.")
        self.blur = blur

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, height, width, channels = input_shape
        self.colours = self.add_weight(name="colours", shape=(channels,), initializer="zeros")
        self.log_temperature = self.add_weight(
            name="log_temperature", shape=(), initializer=keras.initializers.Constant(float(np.log(20.0)))
        )
        self._blurs = [self._blur_matrix(size) for size in (height, width)]
        self._points = image_points(height, width).astype(np.float32)
        self.built = True

    def _blur_matrix(self, size: int) -> np.ndarray:
        """Gaussian weights [size, size] between the pixels of an axis, each row summing to 1."""
        position = 2.0 * np.arange(size) / size
        weights = np.exp(-0.5 * ((position[:, np.newaxis] - position) / self.blur) ** 2)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

    def call(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows, columns = self._blurs
        blurred = tf.einsum("ih,bhw,jw->bij", rows, _brightness(images, self.colours), columns)
        size = len(rows) * len(columns)
        temperature = tf.exp(tf.convert_to_tensor(self.log_temperature))
        weights = tf.nn.softmax(temperature * tf.reshape(blurred, [-1, size]))
        mean = tf.matmul(weights, self._points)  # [B, 2]
        variance = tf.matmul(weights, self._points**2) - tf.square(mean)
        return mean, 1.0 / tf.maximum(variance, 1e-6)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], ...]:
        return ((input_shape[0], 2), (input_shape[0], 2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "blur": self.blur}
