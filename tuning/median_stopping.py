"""Ends poor trials early: those whose best epoch so far is worse than the median of the others' at the same epoch."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.files import atomic_file
from tfgalaxy.tuning.objectives import objective as make_objective

__all__ = ["MedianStopping", "is_worse_than_median"]


def is_worse_than_median(curve: Sequence[float], others: Sequence[Sequence[float]], trials: int) -> bool:
    """Whether the last value of a curve is below the median of other curves at the same epoch.

    The median stopping rule of Golovin et al. 2017 (Google Vizier, section 3.2.2), with the best values so far on both
    sides. Curves of trials that were ended early count up to their end: were they left out, the median would rise with
    every trial that is ended.

    Args:
        curve: best value so far after each epoch, higher is better.
        others: of other trials.
        trials: other curves that must reach this epoch; with fewer nothing is said.
    """
    values = [other[len(curve) - 1] for other in others if len(other) >= len(curve)]
    return len(values) >= trials and curve[-1] < float(np.median(values))


class MedianStopping(keras.callbacks.Callback):
    """A Keras callback for trials of any tuner: stops a fit that is worse than the median of the ended ones.

    Each trial leaves its curve in a folder when it ends, which the trials of other processes read as well. KerasTuner
    copies callbacks for each trial; every copy is a trial of its own.

    Args:
        folder: of curves; one for each search.
        objective: name of what `fit` reports; see `tfgalaxy.tuning.objective`.
        warm_up: epochs in which nothing is stopped.
        trials: ended trials that must have reached an epoch before a trial is stopped there.
        first_epoch: epochs before it do not count, such as those of the unlabelled clock alone.
        name: of this trial's curve; a new one by default. A curve of that name is written anew.
        history: values of epochs from `first_epoch` on, of an earlier part of a trial that was killed.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        objective: str = "val_log_likelihood",
        *,
        warm_up: int = 2,
        trials: int = 3,
        first_epoch: int = 0,
        name: str | None = None,
        history: Sequence[float] = (),
    ) -> None:
        super().__init__()
        check(warm_up >= 0, "warm_up", "must not be negative", warm_up, "Use 2.")
        check(trials >= 1, "trials", "must be at least 1", trials, "Use 3.")
        self.folder = Path(folder)
        self.objective, self.sign = objective, 1.0 if make_objective(objective).direction == "max" else -1.0
        self.warm_up, self.trials, self.first_epoch, self.name = warm_up, trials, first_epoch, name
        self.curve: list[float] = []
        for value in history:
            self._add(value)

    def __deepcopy__(self, memory: dict[int, Any]) -> MedianStopping:
        copy = MedianStopping(self.folder, self.objective, warm_up=self.warm_up, trials=self.trials)
        copy.first_epoch, copy.name = self.first_epoch, self.name
        return copy

    def _add(self, value: float) -> None:
        value = self.sign * value
        best = self.curve[-1] if self.curve else -math.inf
        self.curve.append(max(best, value) if math.isfinite(value) else best)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.first_epoch:
            return
        self._add(float((logs or {})[self.objective]))
        if self.is_poor():
            self.model.stop_training = True

    def is_poor(self) -> bool:
        """Whether the trial is to end after the epochs that it has had."""
        return len(self.curve) > self.warm_up and is_worse_than_median(self.curve, self.other_curves(), self.trials)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.leave_curve()

    def leave_curve(self) -> None:
        """Writes the curve for the trials after this one."""
        if not self.curve:
            return
        self.name = self.name or uuid.uuid4().hex
        values = [value if math.isfinite(value) else None for value in self.curve]
        with atomic_file(self.folder / f"{self.name}.json") as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")

    def other_curves(self) -> list[list[float]]:
        """Those that other trials have left."""
        files = [file for file in sorted(self.folder.glob("[!.]*.json")) if file.stem != self.name]
        curves = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return [[-math.inf if value is None else value for value in curve] for curve in curves]
