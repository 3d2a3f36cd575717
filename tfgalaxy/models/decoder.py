"""The decoder: latent variables to the canonical polar view."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfgalaxy.layers import PolarConv2D

__all__ = ["PolarDecoder"]

PATCH = 4  # rings and angles that the last convolution draws at each place


@keras.saving.register_keras_serializable(package="tfgalaxy")
class PolarDecoder(keras.layers.Layer):
    """Draws the canonical polar view from z: a dense start, a doubling by nearest neighbour, two convolutions, and one
    that draws 4x4 pixels at each place, by depth-to-space.

    No convolution at full size: they were nearly all of the research code's time (PAPER.md).

    Args:
        radii, angles: size of the view; both divisible by 8.
        channels: 1 or 3.
        filters: channels of the two convolutions.
        normalization: "batch", "synchronized" or "none". Only the VAE's clock runs the decoder.

    Input shape: [B, Z]. Output shape: [B, R, A, C], float32, unbounded: the location (or logit) of each pixel.
    """

    def __init__(
        self,
        radii: int,
        angles: int,
        channels: int,
        filters: tuple[int, int],
        normalization: str = "batch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.radii, self.angles, self.channels = radii, angles, channels
        self.filters, self.normalization = tuple(filters), normalization
        # Sublayers follow the global policy, not this layer's, unless they are given it.
        self._policy: dict[str, Any] = {"dtype": kwargs.get("dtype")}
        cells = radii // 8 * (angles // 8)
        self.start = keras.layers.Dense(cells * filters[0], activation="relu", name="start", **self._policy)
        self.convolutions = [
            PolarConv2D(count, 3, use_bias=normalization == "none", name=f"convolution_{block}", **self._policy)
            for block, count in enumerate(filters)
        ]
        self.normalizations = [self._normalization(block) for block in range(len(filters))]
        self.last = PolarConv2D(PATCH**2 * channels, 3, name="last", **self._policy)

    def _normalization(self, block: int) -> keras.layers.Layer:
        if self.normalization == "none":
            return keras.layers.Identity(name=f"normalization_{block}", **self._policy)
        synchronized = self.normalization == "synchronized"
        name = f"normalization_{block}"
        return keras.layers.BatchNormalization(momentum=0.95, synchronized=synchronized, name=name, **self._policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.start.build(tuple(input_shape))
        shape = (None, self.radii // PATCH, self.angles // PATCH, self.filters[0])
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            convolution.build(shape)
            shape = (*shape[:3], convolution.filters)
            normalization.build(shape)
        self.last.build(shape)
        self.built = True

    def call(self, latent: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = tf.reshape(self.start(latent), [-1, self.radii // 8, self.angles // 8, self.filters[0]])
        x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)  # [B, R / 4, A / 4, F]
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            x = tf.nn.relu(normalization(convolution(x), training=training))
        return tf.nn.depth_to_space(tf.cast(self.last(x), tf.float32), PATCH)  # [B, R, A, C]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.radii, self.angles, self.channels)

    def get_config(self) -> dict[str, Any]:
        own = {
            "radii": self.radii,
            "angles": self.angles,
            "channels": self.channels,
            "filters": self.filters,
            "normalization": self.normalization,
        }
        return {**super().get_config(), **own}
