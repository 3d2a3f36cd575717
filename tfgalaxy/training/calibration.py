"""Fits how far volunteers stray from the predictions, on galaxies that the weights were not fitted to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tfgalaxy.data.questions import Questions
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import VoteParameters, vote_log_prob

__all__ = ["calibrate_concentration", "concentration_offsets"]

# Offsets of the log concentration that are tried: factors from 1/50 to 50 in steps of 5 %.
OFFSETS = np.linspace(-np.log(50.0), np.log(50.0), 161)
# The prior of an offset is Normal(0, 1): where few volunteers of few galaxies say little, it stays near 0.
PRIOR_STDDEV = 1.0


def concentration_offsets(questions: Questions, votes: ArrayLike, parameters: VoteParameters) -> NDArray[np.float64]:
    """For each question the offset d of the log concentration that fits the votes best, with the fractions as they are.

    d_q = argmax_d sum over galaxies of log DirichletMultinomial(votes_q; exp(log_concentration_q + d) fraction_q)
    - d^2 / 2, over a grid of factors between 1/50 and 50.

    Args:
        questions: the decision tree.
        votes: counts [N, A] of galaxies that the parameters were not fitted to.
        parameters: predicted for those galaxies, with concentrations.

    Returns:
        [Q]; 0 for a question of which the votes say nothing.
    """
    counts = tf.constant(np.asarray(votes, np.float32))

    @tf.function(autograph=False)
    def log_likelihood(offset: tf.Tensor) -> tf.Tensor:
        shifted = VoteParameters(parameters.logits, parameters.log_concentration + offset)
        return tf.reduce_sum(vote_log_prob(questions, counts, shifted), axis=0)  # [Q]

    likelihoods = np.stack([log_likelihood(tf.constant(offset, tf.float32)).numpy() for offset in OFFSETS])
    scores = likelihoods.astype(np.float64) - 0.5 * np.square(OFFSETS / PRIOR_STDDEV)[:, np.newaxis]
    return OFFSETS[np.argmax(scores, axis=0)]


def calibrate_concentration(
    model: GalaxyVAE,
    images: ArrayLike,
    votes: ArrayLike,
    batch_size: int = 64,
    gather: Callable[[ArrayLike], ArrayLike] = np.asarray,
) -> None:
    """Moves the biases of the model's log concentrations by `concentration_offsets`; other weights stay.

    Trained on a few hundred galaxies, a classifier comes closer to their votes than to anyone else's, and its
    concentrations tell of the former: its intervals would be too narrow.

    Args:
        model: fitted; one with multinomial votes, which have no concentration, stays as it is.
        images: [N, H, W, C], uint8 or float32 between 0 and 1, of galaxies that it was not fitted to.
        votes: their counts [N, A].
        batch_size: images at a time.
        gather: from rows of this process to those of all workers; every worker then ends with the same biases.
    """
    images = np.asarray(images)
    if not model.head.concentrations or len(images) == 0:
        return
    predict = tf.function(model.predicted_votes, autograph=False)
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        scaled = batch.astype(np.float32) / 255.0 if batch.dtype == np.uint8 else batch
        parts.append(predict(tf.constant(scaled)))
    joined = (tf.concat(values, axis=0) for values in zip(*parts, strict=True))
    parameters = VoteParameters(*(tf.constant(gather(values)) for values in joined))
    bias = model.head.log_concentration_layer.bias
    bias.assign(np.asarray(bias) + concentration_offsets(model.questions, gather(votes), parameters).astype(np.float32))
