"""Soft votes for galaxies without votes: what several models, taught by the labelled galaxies alone, expect on average.

One model that learns the mean of several from the galaxies without votes costs in use what one does. What that has
gained, and what not, stands in docs/label-efficiency.md. Hinton, Vinyals and Dean 2015 (arXiv 1503.02531) call it
distillation; with galaxies that the teachers have not seen it is self-training.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import vote_fractions
from tfgalaxy.progress import console
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_data import RunData
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.strategy import Devices

__all__ = ["TEACHERS", "soft_votes", "teacher_config", "with_soft_votes"]

TEACHERS = "teachers"  # folder in the run's
SEED_STEP = 1000  # between a run and its teachers: seeds of runs that are compared are close together
BATCH = 256

Train = Callable[[RunConfig, Path], RunDirectory]


def teacher_config(config: RunConfig, number: int) -> RunConfig:
    """Of a run's teacher: the same labelled galaxies by the classifier's clock alone, after the same simulated start if
    there is one, with other random numbers.
    """
    training = config.training
    return config.replace(
        training=training.replace(
            regime="two-step" if training.simulated_start else "supervised",
            unlabelled_epochs=0,
            teachers=0,
            seed=training.seed + SEED_STEP * (number + 1),
        )
    )


def with_soft_votes(
    config: RunConfig,
    data: RunData,
    folder: str | os.PathLike[str],
    train: Train,
    quiet: bool = False,
    devices: Devices | None = None,
) -> RunData:
    """Trains the run's teachers, and adds the galaxies that they teach to its data.

    Args:
        config: of the run.
        data: its galaxies. Those of the unlabelled pool that are not labelled are what is taught; with several workers,
            of this one's share. Where a worker has none, and in the supervised regime, all stays as it is.
        folder: of the teachers' runs; one that is finished there is not trained again.
        train: from a teacher's configuration and directory to its finished run.
        quiet: whether to say nothing.
        devices: of the run; every worker has to call this.
    """
    if config.training.regime == "supervised" or not config.training.teachers:
        return data
    labelled = set(data.train.files)
    files = [file for file in data.pool_pixels.files if file not in labelled]
    if "0" in (devices or Devices()).gather_text(str(len(files))):
        return data
    models = []
    for number in range(config.training.teachers):
        console(quiet).print(f"teacher {number + 1} of {config.training.teachers}")
        models.append(train(teacher_config(config, number), Path(folder) / str(number)).load_model())
    pixels = data.pool_pixels.select(files)
    questions, votes = data.train.questions, data.train.votes
    voters = float(votes[:, questions.slices[questions.order[0]]].sum(axis=1).mean())
    names = np.array(files, dtype=object)
    taught = Catalogue(questions, names, names, soft_votes(models, pixels, voters))
    return dataclasses.replace(data, taught=taught, taught_pixels=pixels)


def soft_votes(models: Sequence[GalaxyVAE], pixels: Pixels, voters: float) -> NDArray[np.float32]:
    """Votes that so many people are expected to give: voters * asked probability * fraction, of the models' mean
    fractions; [N, A].
    """
    questions = models[0].questions
    total = np.zeros([len(pixels), questions.num_answers])
    for model in models:
        predict = _fractions(model)
        for start in range(0, len(pixels), BATCH):
            images = pixels.store[pixels.rows[start : start + BATCH]]
            total[start : start + BATCH] += predict(tf.constant(images)).numpy()
    mean = total / len(models)
    asked = questions.asked_probability(mean)[:, questions.question_index]
    return np.asarray(voters * asked * mean, np.float32)


def _fractions(model: GalaxyVAE) -> Any:
    def fractions(images: tf.Tensor) -> tf.Tensor:
        return vote_fractions(model.questions, model.predicted_votes(tf.cast(images, tf.float32) / 255.0).logits)

    size, channels = model.config.image_size, model.config.channels
    spec = tf.TensorSpec([None, size, size, channels], tf.uint8)
    return tf.function(fractions, input_signature=[spec], autograph=False)
