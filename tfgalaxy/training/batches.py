"""What `fit` is given in each phase of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfgalaxy.data.pipelines import batches, unlabelled_batches
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.regimes import Phase
from tfgalaxy.training.strategy import Devices

if TYPE_CHECKING:
    from tfgalaxy.training.run_data import RunData

__all__ = ["phase_batches", "validation_batches"]


def phase_batches(
    phase: Phase, data: RunData, training: TrainingConfig, first_epoch: int, devices: Devices | None = None
) -> Any:
    """Endless batches from the start of an epoch of the run; what they hold is a function of seed and epoch only.

    With several workers, each makes batches for its own replicas from its own share of the galaxies.
    """
    if devices is not None and devices.workers > 1:
        parts = (devices.own_replicas, devices.replicas)
        return _on_each_worker(devices, lambda: _endless(phase, data, training, first_epoch, *parts))
    return _endless(phase, data, training, first_epoch)


def _endless(
    phase: Phase, data: RunData, training: TrainingConfig, first_epoch: int, in_step: int = 1, parts: int = 1
) -> Any:
    """Batches of which a step takes `in_step` here and `parts` over all workers; those of one process are cut by
    `fit`.
    """
    skip = first_epoch * training.steps_per_epoch * in_step
    batch_size = training.batch_size // parts
    endless: dict[str, Any] = {"shuffle": True, "repeat": True, "skip_batches": skip}
    labelled_size, unlabelled_size = (steps * batch_size for steps in (phase.classifier_steps, phase.vae_steps))
    pool: dict[str, Any] = {"pixels": data.pool_pixels, "seed": training.seed + 1, "batch_size": unlabelled_size}
    if phase.batches == "unlabelled":
        return unlabelled_batches(**pool, **endless)
    labelled = _labelled(data, training, labelled_size, endless)
    if phase.batches == "labelled":
        return labelled
    return tf.data.Dataset.zip((labelled, unlabelled_batches(**pool, **endless)))


def _labelled(data: RunData, training: TrainingConfig, size: int, endless: dict[str, Any]) -> tf.data.Dataset:
    """Batches of labelled galaxies; with teachers, a share of them, and galaxies with the votes that these expect."""
    voted = size if data.taught is None else max(1, round(training.voted_share * size))
    labelled = batches(data.own_train, voted, pixels=data.train_pixels, seed=training.seed, **endless)
    if data.taught is None or voted == size:
        return labelled
    taught = batches(data.taught, size - voted, pixels=data.taught_pixels, seed=training.seed + 2, **endless)
    # Evenly among each other: a batch may be cut into steps and replicas.
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in (voted, size - voted)])
    order = np.argsort(places, kind="stable")

    def join(*parts: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        return tuple(tf.gather(tf.concat(pair, axis=0), order) for pair in zip(*parts, strict=True))

    return tf.data.Dataset.zip((labelled, taught)).map(join)


def validation_batches(data: RunData, batch_size: int, devices: Devices | None = None) -> tuple[Any, int | None]:
    """The validation galaxies in order, or None where there are none; and the number of steps, where `fit` has to be
    told. See `phase_batches`.
    """
    if not len(data.validation):
        return None, None
    if devices is None or devices.workers == 1:
        return batches(data.own_validation, batch_size, pixels=data.validation_pixels), None
    size = batch_size // devices.replicas
    largest = max(int(text) for text in devices.gather_text(str(len(data.validation_pixels))))
    steps = -(-largest // (size * devices.own_replicas))
    return _on_each_worker(devices, lambda: _padded(data, size, steps * devices.own_replicas)), steps


def _padded(data: RunData, batch_size: int, count: int) -> Any:
    """So many validation batches over and over; those behind this worker's last galaxy are empty."""
    shape = data.validation_pixels.store.shape[1:]
    nobody = (tf.zeros([0, *shape]), tf.zeros([0, data.validation.questions.num_answers]))
    empty = tf.data.Dataset.from_tensors(nobody).repeat()
    own = batches(data.own_validation, batch_size, pixels=data.validation_pixels)
    return _any_size(own).concatenate(_any_size(empty)).take(count).repeat()


def _any_size(examples: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches; only data sets of like shapes can be joined."""

    def forget(images: tf.Tensor, votes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = (None, *images.shape[1:])
        return tf.ensure_shape(images, shape), tf.ensure_shape(votes, (None, *votes.shape[1:]))

    return examples.map(forget)


def _on_each_worker(devices: Devices, make: Callable[[], Any]) -> Any:
    """A distributed data set of which each of this worker's replicas takes one batch after the other."""

    def own(context: Any) -> Any:
        return make()

    return devices.strategy.distribute_datasets_from_function(own)
