"""What `fit` is given in each phase of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfgalaxy.data.pipelines import batches, unlabelled_batches
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.regimes import Phase

if TYPE_CHECKING:
    from tfgalaxy.training.run import RunData

__all__ = ["phase_batches", "validation_batches"]


def phase_batches(phase: Phase, data: RunData, training: TrainingConfig, first_epoch: int) -> Any:
    """Endless batches from the start of an epoch of the run; what they hold is a function of seed and epoch only."""
    skip = first_epoch * training.steps_per_epoch
    endless: dict[str, Any] = {"batch_size": training.batch_size, "shuffle": True, "repeat": True, "skip_batches": skip}
    if phase.batches == "unlabelled":
        return unlabelled_batches(pixels=data.pool_pixels, seed=training.seed + 1, **endless)
    labelled = batches(data.train, pixels=data.train_pixels, seed=training.seed, **endless)
    if phase.batches == "labelled":
        return labelled
    unlabelled = unlabelled_batches(pixels=data.pool_pixels, seed=training.seed + 1, **endless)
    return tf.data.Dataset.zip((labelled, unlabelled))


def validation_batches(data: RunData, batch_size: int) -> Any:
    """The validation galaxies in order, or None where there are none."""
    return batches(data.validation, batch_size, pixels=data.validation_pixels) if len(data.validation) else None
