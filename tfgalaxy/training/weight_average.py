"""An exponential moving average of all weights, which is what is validated and kept."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["WeightAverage", "as_variable", "get_values", "set_values"]


def as_variable(weight: Any) -> tf.Variable:
    """The TensorFlow variable of a weight: itself in Keras 2.15, inside a `keras.Variable` in Keras 3."""
    return weight if isinstance(weight, tf.Variable) or not hasattr(weight, "value") else weight.value


def get_values(variables: list[Any]) -> list[np.ndarray]:
    """Copies of the variables' values."""
    return [np.array(tf.convert_to_tensor(as_variable(variable))) for variable in variables]


def set_values(variables: list[Any], values: list[np.ndarray]) -> None:
    """Assigns what `get_values` gave."""
    for variable, value in zip(variables, values, strict=True):
        as_variable(variable).assign(value)


class WeightAverage(keras.callbacks.Callback):
    """Keeps average = decay average + (1 - decay) weights after every step, normalisation statistics included.

    The average stands in for the weights while the model is evaluated within `fit`. Early on the decay is lower,
    (1 + step) / (10 + step), so that the first, random weights are forgotten.

    Args:
        model: the `GalaxyVAE` to be fitted.
        decay: between 0 (no average) and 1.
    """

    def __init__(self, model: Any, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.variables = [as_variable(variable) for variable in model.state_variables]
        self.averages = [tf.Variable(variable, trainable=False) for variable in self.variables]
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._kept: list[np.ndarray] | None = None
        self._update = tf.function(self._update_all, autograph=False)

    def start(self) -> None:
        """Starts again from the model's present weights."""
        self.step.assign(0)
        set_values(self.averages, get_values(self.variables))

    def _update_all(self) -> None:
        step = tf.cast(self.step.assign_add(1), tf.float32)
        decay = tf.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign_sub(tf.cast(1.0 - decay, average.dtype) * (average - tf.convert_to_tensor(variable)))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update()

    def swap_in(self) -> None:
        """Puts the average into the model and keeps the weights."""
        self._kept = get_values(self.variables)
        set_values(self.variables, get_values(self.averages))

    def swap_out(self) -> None:
        """Puts the kept weights back."""
        if self._kept is not None:
            set_values(self.variables, self._kept)
            self._kept = None

    def accept(self) -> None:
        """Makes the average the model's weights for good."""
        set_values(self.variables, get_values(self.averages))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.swap_in()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self.swap_out()
