"""The encoder: canonical polar view to feature map, pooled features and q(z|x)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgalaxy.layers import PolarConv2D, PolarPool
from tfgalaxy.models.normalisation import Clock, ClockedNormalization

__all__ = ["PolarEncoder", "pool_features"]

FIRST_STRIDE = 4

# Bounds of the posterior's log standard deviation: exp(-6) still trains, exp(3) is wider than the prior by far.
LOG_STDDEV_BOUNDS = (-6.0, 3.0)


@keras.saving.register_keras_serializable(package="tfgalaxy")
class PolarEncoder(keras.layers.Layer):
    """Convolutions on the canonical polar view, and the posterior q(z|x) = Normal(mean, stddev) on their feature map.

    Each block is a polar convolution, a normalisation and ReLU. The first one's takes 8x8 windows at every fourth ring
    and angle, the others' are 3x3, with a pool of 2x2 between them: the feature map has the view's size over 2^n for n
    blocks. The wide first step is a quarter of the work of four 3x3 convolutions with pools, at the same score
    (docs/performance.md). An encoder shared by both clocks (PAPER.md 5); only its running statistics are kept apart.

    Args:
        filters: channels of each block, at least two.
        latent_size: number of latent variables Z.
        normalization: method of `ClockedNormalization`.

    Input shape: [B, R, A, C]. Output shape of `call`: feature map [B, R / 2^n, A / 2^n, filters[-1]] for n blocks.
    """

    def __init__(self, filters: tuple[int, ...], latent_size: int, normalization: str = "batch", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.latent_size, self.normalization = tuple(filters), latent_size, normalization
        # Sublayers follow the global policy, not this layer's, unless they are given it.
        policy: dict[str, Any] = {"dtype": kwargs.get("dtype")}
        self.convolutions = [
            PolarConv2D(
                count,
                3 if block else 2 * FIRST_STRIDE,
                use_bias=False,
                stride=1 if block else FIRST_STRIDE,
                name=f"convolution_{block}",
                **policy,
            )
            for block, count in enumerate(filters)
        ]
        self.normalizations = [
            ClockedNormalization(normalization, name=f"normalization_{block}") for block in range(len(filters))
        ]
        self.pool = PolarPool(2, name="pool", **policy)
        self.mean_layer = keras.layers.Dense(latent_size, dtype="float32", name="latent_mean")
        self.log_stddev_layer = keras.layers.Dense(
            latent_size, dtype="float32", kernel_initializer="zeros", name="latent_log_stddev"
        )

    def build(self, input_shape: tuple[Any, ...]) -> None:
        shape = tuple(input_shape)
        for block, (convolution, normalization) in enumerate(self._blocks):
            if block > 1:
                self.pool.build(shape)
                shape = tuple(self.pool.compute_output_shape(shape))
            convolution.build(shape)
            shape = tuple(convolution.compute_output_shape(shape))
            normalization.build(shape)
        flat = (None, shape[1] * shape[2] * shape[3])
        self.mean_layer.build(flat)
        self.log_stddev_layer.build(flat)
        self.built = True

    @property
    def _blocks(self) -> list[tuple[PolarConv2D, ClockedNormalization]]:
        return list(zip(self.convolutions, self.normalizations, strict=True))

    def call(self, polar: tf.Tensor, training: bool = False, clock: Clock = "classifier") -> tf.Tensor:
        x = polar
        for block, (convolution, normalization) in enumerate(self._blocks):
            x = self.pool(x) if block > 1 else x
            if training:
                x = normalization(convolution(x), training=True, clock=clock)
            else:
                # Folded into the convolution, which the graph's optimiser then joins with offset and ReLU.
                scale, offset = normalization.scale_and_offset(clock)
                kernel = tf.convert_to_tensor(convolution.kernel)
                x = convolution.convolve(x, kernel * tf.cast(scale, kernel.dtype), offset, trained=False)
            x = tf.nn.relu(x)
        return x  # [B, R / 2^n, A / 2^n, filters[-1]]

    def posterior(self, feature_map: tf.Tensor) -> tfp.distributions.MultivariateNormalDiag:
        """q(z|x) for a feature map; event shape [Z], float32."""
        flat = tf.cast(tf.reshape(feature_map, [-1, self.mean_layer.kernel.shape[0]]), tf.float32)
        log_stddev = tf.clip_by_value(self.log_stddev_layer(flat), *LOG_STDDEV_BOUNDS)
        return tfp.distributions.MultivariateNormalDiag(self.mean_layer(flat), tf.exp(log_stddev))

    @property
    def posterior_variables(self) -> list[Any]:
        """The weights of q(z|x) alone, which a classifier on the pooled features does not touch."""
        return [*self.mean_layer.trainable_variables, *self.log_stddev_layer.trainable_variables]

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        step = 2 ** len(self.filters)
        return (input_shape[0], input_shape[1] // step, input_shape[2] // step, self.filters[-1])

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "latent_size": self.latent_size, "normalization": self.normalization}
        return {**super().get_config(), **own}


def pool_features(feature_map: tf.Tensor, keep_radius: bool) -> tf.Tensor:
    """Mean and maximum over the angle, which a turn of the galaxy leaves as they are.

    Args:
        feature_map: [B, R', A', F].
        keep_radius: whether rings stay apart; where size and concentration are evidence, they should.

    Returns:
        float32 [B, 2 R' F] with radius kept, else [B, 2 F].
    """
    x = tf.cast(feature_map, tf.float32)
    pooled = tf.concat([tf.reduce_mean(x, axis=2), tf.reduce_max(x, axis=2)], axis=-1)  # [B, R', 2 F]
    if not keep_radius:
        return tf.reduce_mean(pooled, axis=1)
    return tf.reshape(pooled, [-1, pooled.shape[1] * pooled.shape[2]])
