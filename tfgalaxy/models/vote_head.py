"""The classifier: features of a galaxy to the parameters of its votes, for all questions of the tree."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models.vote_likelihood import VoteParameters

__all__ = ["VoteHead"]

# Galaxy Zoo's volunteers differ from a good prediction about as a Dirichlet of this total concentration does.
INITIAL_CONCENTRATION = 20.0
LOG_CONCENTRATION_BOUNDS = (np.log(1.0), np.log(1000.0))


@keras.saving.register_keras_serializable(package="tfgalaxy")
class VoteHead(keras.layers.Layer):
    """One dense layer to the logits of all answers and, if wanted, one to the log concentration of each question.

    It starts at `answer_fractions` for every galaxy: the weights are small and the biases are their logs.

    Args:
        questions: the decision tree, or its `to_dict()`.
        dropout: share of inputs dropped when a `seed` is given.
        concentrations: whether to predict concentrations (Dirichlet-multinomial votes).
        answer_fractions: A mean fractions; uniform when None.

    Input shape: [B, F]. Output: `VoteParameters` of logits [B, A] and log_concentration [B, Q] or None; float32.
    """

    def __init__(
        self,
        questions: Questions | dict[str, Any],
        dropout: float = 0.0,
        concentrations: bool = True,
        answer_fractions: tuple[float, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.questions = questions if isinstance(questions, Questions) else Questions.from_dict(questions)
        self.dropout, self.concentrations = dropout, concentrations
        self._given_fractions = None if answer_fractions is None else tuple(map(float, answer_fractions))
        self.answer_fractions = self._checked_fractions(self._given_fractions)
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.logits_layer = keras.layers.Dense(
            self.questions.num_answers, kernel_initializer=small, dtype="float32", name="logits"
        )
        self.log_concentration_layer = keras.layers.Dense(
            self.questions.num_questions,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(float(np.log(INITIAL_CONCENTRATION))),
            dtype="float32",
            name="log_concentration",
        )

    def _checked_fractions(self, fractions: tuple[float, ...] | None) -> np.ndarray:
        """The mean fractions [A], each question's summing to 1 and none quite 0."""
        questions = self.questions
        uniform = np.concatenate(
            [np.full(part.stop - part.start, 1 / (part.stop - part.start)) for part in questions.slices]
        )
        if fractions is None:
            return uniform.astype(np.float32)
        if len(fractions) != questions.num_answers or min(fractions) < 0:
            rule = f"must be {questions.num_answers} fractions that are not negative"
            raise InputError("answer_fractions", rule, fractions, "Give one for each answer, in the questions' order.")
        mixed = 0.99 * np.asarray(fractions) + 0.01 * uniform
        totals = np.add.reduceat(mixed, [part.start for part in questions.slices])
        return (mixed / totals[questions.question_index]).astype(np.float32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.logits_layer.build(tuple(input_shape))
        self.logits_layer.bias.assign(np.log(self.answer_fractions))
        if self.concentrations:
            self.log_concentration_layer.build(tuple(input_shape))
        self.built = True

    def call(self, features: tf.Tensor, seed: tf.Tensor | None = None) -> VoteParameters:
        features = tf.cast(features, tf.float32)
        if seed is not None and self.dropout > 0:
            features = tf.nn.experimental.stateless_dropout(features, self.dropout, seed=seed)
        log_concentration = None
        if self.concentrations:
            log_concentration = tf.clip_by_value(self.log_concentration_layer(features), *LOG_CONCENTRATION_BOUNDS)
        return VoteParameters(self.logits_layer(features), log_concentration)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> VoteParameters:
        batch = input_shape[0]
        spread = (batch, self.questions.num_questions) if self.concentrations else None
        return VoteParameters((batch, self.questions.num_answers), spread)

    def get_config(self) -> dict[str, Any]:
        own = {
            "questions": self.questions.to_dict(),
            "dropout": self.dropout,
            "concentrations": self.concentrations,
            "answer_fractions": self._given_fractions,
        }
        return {**super().get_config(), **own}
