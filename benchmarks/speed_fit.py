"""What `fit` adds to its steps: tracing before the first one, and waiting for data."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from speed_data import Galaxies, Sizes, cached_galaxies
from speed_report import Measured, Section
from speed_steps import make_model

from tfgalaxy.layers import sampling
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.batches import phase_batches
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.regimes import phases
from tfgalaxy.training.run_data import RunData

__all__ = ["measure_fit"]

WAITING_PERCENT, TRACING_STEPS = 3, 60


class StepClock(keras.callbacks.Callback):
    """When each step of a fit ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.ends.append(time.perf_counter())


class WaitingClock(keras.callbacks.Callback):
    """Takes the next batch outside of the step's graph, and the times of both, by epoch.

    Attributes:
        waiting, working: seconds of each epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[float] = []
        self.working: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        step = tf.function(self.model.train_step)

        def timed(iterator: Any) -> dict[str, tf.Tensor]:
            start = time.perf_counter()
            data = next(iterator)
            taken = time.perf_counter()
            result = step(data)
            self.waiting[-1] += taken - start
            self.working[-1] += time.perf_counter() - taken
            return result

        self.model.train_function = timed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.waiting.append(0.0)
        self.working.append(0.0)


def _pairs(galaxies: Galaxies, sizes: Sizes, folder: Path) -> tf.data.Dataset:
    """What a run gives `fit` in its alternating epochs, from a disk cache of the middle size."""
    catalogue, pixels = cached_galaxies(galaxies, sizes.growth[1], folder / "fit.npy")
    training = TrainingConfig(
        batch_size=sizes.batch, steps_per_epoch=sizes.fit_steps, unlabelled_epochs=0, simulated_galaxies=0
    )
    nobody = catalogue.subset(np.empty(0, np.int64))
    data = RunData(catalogue, nobody, nobody, pixels, pixels.select([]), pixels)
    (phase,) = phases(training, len(catalogue))
    return phase_batches(phase, data, training, 0)


def _fit(model: GalaxyVAE, pairs: tf.data.Dataset, sizes: Sizes, epochs: int, clock: Any) -> None:
    model.fit(pairs, steps_per_epoch=sizes.fit_steps, epochs=epochs, callbacks=[clock], shuffle=False, verbose=0)


def _tracing(pairs: tf.data.Dataset, sizes: Sizes, precision: str) -> Iterator[tuple[float, float]]:
    """Seconds from the start of `fit` to the end of its first step, and of a later step; each time of a new model that
    finds nothing which an earlier one has had compiled.
    """
    for _ in range(sizes.starts):
        sampling._compiled_sample.cache_clear()
        model, clock = make_model(sizes, precision), StepClock()
        start = time.perf_counter()
        _fit(model, pairs, sizes, 1, clock)
        yield clock.ends[0] - start, statistics.median(np.diff(clock.ends))


def measure_fit(sizes: Sizes, precision: str, galaxies: Galaxies, folder: Path) -> Section:
    """Alternating pairs through the package's own pipeline."""
    pairs = _pairs(galaxies, sizes, folder)
    starts = list(_tracing(pairs, sizes, precision))
    clock = WaitingClock()
    _fit(make_model(sizes, precision), pairs, sizes, 1 + sizes.repeats, clock)
    shares = [100 * wait / (wait + work) for wait, work in zip(clock.waiting, clock.working, strict=True)]
    in_steps = (first / step for first, step in starts)
    figures = [
        Measured.of("start to the first step's end", (first for first, _ in starts), "s"),
        Measured.of("the same, in later steps", in_steps, "steps", TRACING_STEPS),
        Measured.of("waiting for data after the first epoch", shares[1:], "% of the time", WAITING_PERCENT),
    ]
    return Section("`fit`, alternating", figures)
