"""The baseline that anyone would try first: a plain convolutional network on turned and mirrored images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.data.augmentation import Augmentation
from tfgalaxy.data.pipelines import batches
from tfgalaxy.evaluation.metrics import baseline_fractions
from tfgalaxy.models.vote_likelihood import VoteParameters, fraction_interval, vote_fractions, vote_log_prob
from tfgalaxy.progress import progress_bar
from tfgalaxy.training.progress import StepProgress

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions
    from tfgalaxy.training.run_data import RunData

__all__ = ["fit_plain_cnn"]

FILTERS = (24, 48, 64, 96)
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
# Concentrations of the volunteers' votes about the prediction, as wide as the package's own models allow.
LOG_CONCENTRATION_BOUNDS = (0.0, float(np.log(1000.0)))
INITIAL_LOG_CONCENTRATION = float(np.log(20.0))


def fit_plain_cnn(
    data: RunData, images: NDArray[np.uint8], seed: int, steps: int, voters: int, quiet: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Trains on the labelled galaxies by the log-likelihood of their votes, and predicts.

    Four convolutions 3x3 with normalisation, ReLU and pooling, the mean over the image, dropout, and a dense layer to
    the parameters of Dirichlet-multinomial votes; AdamW along a cosine; any turn, mirror, 20 % of size and 5 % of
    shift. All steps are run: nothing is chosen by validation galaxies.

    Args:
        data: of the cell.
        images: to predict, [M, S, S, C], 0 to 255.
        seed: of weights, order and augmentation.
        steps: batches of 64.
        voters: for whom intervals are stated.
        quiet: whether to show no progress.

    Returns:
        `fraction`, `fraction_lower`, `fraction_upper` [M, A] and `concentration` [M, Q].
    """
    questions = data.train.questions
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    model = _network(questions, images.shape[1:], np.log(baseline_fractions(data.train.votes, questions) + 1e-3))
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-4), loss=VoteLoss(questions))
    labelled = batches(
        data.train,
        BATCH_SIZE,
        pixels=data.train_pixels,
        shuffle=True,
        seed=seed,
        augmentation=Augmentation(),
        repeat=True,
    )
    with progress_bar("plain CNN", "steps", quiet) as report:
        callbacks = [StepProgress(report, steps)]
        model.fit(labelled, steps_per_epoch=steps, epochs=1, callbacks=callbacks, shuffle=False, verbose=0)
    outputs = np.concatenate([
        np.asarray(model(images[start : start + 256].astype(np.float32) / 255, training=False))
        for start in range(0, len(images), 256)
    ])  # fmt: skip
    parameters = _parameters(questions, tf.constant(outputs))
    lower, upper = fraction_interval(questions, parameters, voters)
    return {
        "fraction": vote_fractions(questions, parameters.logits).numpy(),
        "concentration": tf.exp(parameters.log_concentration).numpy(),
        "fraction_lower": lower.numpy(),
        "fraction_upper": upper.numpy(),
    }


def _network(questions: Questions, shape: tuple[int, ...], mean_logits: NDArray[np.float64]) -> Any:
    """Images [B, S, S, C] to the logits and log concentrations of the votes, [B, A + Q]."""
    layers = keras.layers
    biases = np.append(mean_logits, np.full(questions.num_questions, INITIAL_LOG_CONCENTRATION))
    stack: list[Any] = [keras.Input(shape)]
    for filters in FILTERS:
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(momentum=0.9)]
        stack += [layers.ReLU(), layers.MaxPooling2D()]
    last = layers.Dense(len(biases), kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=0))
    model = keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dropout(0.5), last])
    last.bias.assign(biases)
    return model


def _parameters(questions: Questions, outputs: tf.Tensor) -> VoteParameters:
    spread = tf.clip_by_value(outputs[:, questions.num_answers :], *LOG_CONCENTRATION_BOUNDS)
    return VoteParameters(outputs[:, : questions.num_answers], spread)


class VoteLoss(keras.losses.Loss):
    """Minus the log-likelihood of each galaxy's votes [B, A], given the network's outputs [B, A + Q]."""

    def __init__(self, questions: Questions) -> None:
        super().__init__(name="votes")
        self.questions = questions

    def call(self, votes: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return -tf.reduce_sum(vote_log_prob(self.questions, votes, _parameters(self.questions, outputs)), axis=-1)
