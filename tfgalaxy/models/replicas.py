"""What the replicas of a model under `tf.distribute` share: the rows of one global batch.

A replica sees its part of that batch, the n-th replica the n-th part. What is drawn for it, and what its rows are
compared with, are those of one device that sees the whole batch, so that both do the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

__all__ = ["all_rows", "own_rows", "own_seed", "sample_own_rows", "step_result"]


def _context() -> Any:
    """The replica's context, or None where there is one replica only, or none is running."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def own_rows(draw: Callable[[tf.Tensor], Any], rows: tf.Tensor) -> Any:
    """This replica's rows of what is drawn for the global batch.

    Args:
        draw: from a number of rows to a tensor, or a structure of tensors, with so many.
        rows: of this replica's part; the parts are equal.

    Returns:
        The same structure with `rows` rows.
    """
    context = _context()
    if context is None:
        return draw(rows)
    start = tf.cast(context.replica_id_in_sync_group, tf.int32) * rows
    return tf.nest.map_structure(lambda whole: whole[start : start + rows], draw(context.num_replicas_in_sync * rows))


def all_rows(values: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in their order: [B, ...] to [replicas * B, ...]; differentiable."""
    context = _context()
    return values if context is None else context.all_gather(values, axis=0)


def own_seed(seed: tf.Tensor) -> tf.Tensor:
    """Another stateless seed for each replica; the given one where there is but one.

    For draws too large to be made for the global batch and cut: their distribution is that of one device, their values
    are not.
    """
    context = _context()
    if context is None:
        return seed
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(context.replica_id_in_sync_group, tf.int32))


def sample_own_rows(posterior: tfp.distributions.MultivariateNormalDiag, seed: tf.Tensor) -> tf.Tensor:
    """One sample [B, Z] of a posterior over this replica's rows, reparameterised: mean + stddev * noise."""
    mean = posterior.mean()
    size = mean.shape[-1]

    def noise(rows: tf.Tensor) -> tf.Tensor:
        return tfp.distributions.MultivariateNormalDiag(tf.zeros([rows, size])).sample(seed=seed)

    return mean + posterior.stddev() * own_rows(noise, tf.shape(mean)[0])


def step_result(value: tf.Tensor) -> tf.Tensor:
    """A metric's value in the form in which a step has to give it to Keras's trainer.

    With several workers, that of Keras 2.15 adds up what each replica reports, the mean over all of them, and that of
    Keras 3 takes a mean along a first axis, which a scalar lacks.
    """
    context = _context()
    if context is None or not isinstance(context.strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return value
    if keras.__version__.startswith("2."):
        return value / context.num_replicas_in_sync
    return value[tf.newaxis]
