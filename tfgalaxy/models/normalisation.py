"""Batch normalisation whose running statistics belong to one clock each."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from tfgalaxy.errors import InputError

__all__ = ["CLOCKS", "Clock", "ClockedNormalization"]

Clock = Literal["vae", "classifier"]
CLOCKS: tuple[Clock, Clock] = ("vae", "classifier")


@keras.saving.register_keras_serializable(package="tfgalaxy")
class ClockedNormalization(keras.layers.Layer):
    """Batch normalisation with shared scale and offset, and running statistics of its own for either clock.

    The VAE's strongly changed views have other statistics than the classifier's. With one set of running statistics the
    former leak into the latter's predictions, which costs accuracy (0.839 against 0.865 in the prototypes). So each
    clock keeps its own: y = gamma (x - mean_clock) / sqrt(variance_clock + epsilon) + beta.

    Args:
        method: "batch", "synchronized" (statistics over all replicas) or "none" (only gamma and beta are left).
        momentum: of the running statistics.
        epsilon: added to the variance.

    Input shape: [..., C]. Output shape: the same.

    Example:
        >>> layer = ClockedNormalization()
        >>> layer(tf.ones([2, 4, 4, 8]), clock="vae").shape
        TensorShape([2, 4, 4, 8])
    """

    def __init__(self, method: str = "batch", momentum: float = 0.95, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if method not in ("batch", "synchronized", "none"):
            raise InputError("method", "must be batch, synchronized or none", method, "Choose one.")
        self.method, self.momentum, self.epsilon = method, momentum, epsilon
        self.statistics: dict[str, keras.layers.Layer] = {}
        if method != "none":
            for clock in CLOCKS:
                self.statistics[clock] = keras.layers.BatchNormalization(
                    momentum=momentum,
                    epsilon=epsilon,
                    center=False,
                    scale=False,
                    synchronized=method == "synchronized",
                    name=f"{clock}_statistics",
                    dtype=self.dtype_policy_of(kwargs),
                )

    @staticmethod
    def dtype_policy_of(kwargs: dict[str, Any]) -> Any:
        """The dtype given to this layer, for its sublayers; None follows the global policy in both Keras 2.15 and 3."""
        return kwargs.get("dtype")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        for layer in self.statistics.values():
            layer.build(input_shape)
        self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool = False, clock: Clock = "classifier") -> tf.Tensor:
        normalised = self.statistics[clock](inputs, training=training) if self.statistics else inputs
        gamma = tf.cast(self.gamma, normalised.dtype)
        return normalised * gamma + tf.cast(self.beta, normalised.dtype)

    def copy_statistics(self, source: Clock, target: Clock) -> None:
        """Starts one clock's running statistics from the other's."""
        if self.statistics:
            self.statistics[target].set_weights(self.statistics[source].get_weights())

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"method": self.method, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
