"""What is kept at the end of every epoch: history, best weights, and the checkpoint that a killed run resumes from."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.training.checkpoint import load_state, save_state
from tfgalaxy.training.clocks import MONITOR
from tfgalaxy.training.regimes import Phase
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.weight_average import WeightAverage, get_values, set_values

__all__ = ["RunLog"]


class RunLog(keras.callbacks.Callback):
    """Writes history and checkpoint after each epoch, remembers the best epoch, and stops a run that has stopped
    gaining.

    The best epoch is the one with the highest `MONITOR`, the multinomial log-likelihood of the validation galaxies'
    votes, among those in which the classifier's clock ran; without validation galaxies the last one. Its weights are
    the average ones.

    Args:
        run: where to write.
        model, optimizers, average: what a checkpoint holds.
        patience: epochs without gain before stopping, or None.
        galaxies: `digest_parts` of the run's, kept with the state.
    """

    def __init__(
        self,
        run: RunDirectory,
        model: Any,
        optimizers: dict[str, Any],
        average: WeightAverage,
        patience: int | None,
        galaxies: str = "",
    ) -> None:
        super().__init__()
        self.run, self.average, self.patience, self.galaxies = run, average, patience, galaxies
        self.rows: list[dict[str, Any]] = []
        self.best_score, self.best_epoch, self.next_epoch = -np.inf, -1, 0
        self.best = [tf.Variable(variable, trainable=False) for variable in average.averages]
        self.phase: Phase | None = None
        self.groups = {"model": average.variables, "average": [*average.averages, average.step], "best": self.best}
        for name, optimizer in optimizers.items():
            variables = optimizer.variables
            self.groups[name] = list(variables() if callable(variables) else variables)
        self._writer: Any = None

    @property
    def stopped(self) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        return (
            self.patience is not None
            and self.best_epoch >= 0
            and self.next_epoch - 1 - self.best_epoch >= self.patience
        )

    def resume(self) -> bool:
        """Restores the state of the last whole epoch; False when none was written yet."""
        if not self.run.checkpoint_file.is_file():
            return False
        record = load_state(self.run.checkpoint_file, self.groups)
        self.rows = record["rows"]
        self.best_epoch, self.next_epoch = record["best_epoch"], record["next_epoch"]
        self.best_score = -np.inf if record["best_score"] is None else record["best_score"]
        return True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self.phase is not None  # set by the one caller, `fit`, before every phase
        logs = {name: float(value) for name, value in sorted((logs or {}).items())}
        seconds = round(time.monotonic() - self._started, 3)
        self.rows.append({"epoch": epoch, "phase": self.phase.name, "seconds": seconds, **logs})
        self._remember_best(epoch, self.phase, logs)
        self.next_epoch = epoch + 1
        record = {"rows": self.rows, "best_epoch": self.best_epoch, "next_epoch": self.next_epoch}
        record["best_score"] = None if np.isneginf(self.best_score) else self.best_score
        record["galaxies"] = self.galaxies
        save_state(self.run.checkpoint_file, self.groups, record)
        self.run.write_history(self.rows)
        self._write_tensorboard(epoch, logs)
        if self.stopped:
            self.model.stop_training = True

    def _remember_best(self, epoch: int, phase: Phase, logs: dict[str, float]) -> None:
        if not phase.counts_towards_best:
            return
        score = logs.get(MONITOR, float(epoch))  # without validation, later is better
        if score > self.best_score:
            self.best_score, self.best_epoch = score, epoch
            set_values(self.best, get_values(self.average.averages))

    def _write_tensorboard(self, epoch: int, logs: dict[str, float]) -> None:
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.run.tensorboard))
        with self._writer.as_default(step=epoch):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def restore_best(self) -> None:
        """Puts the best epoch's weights into the model."""
        set_values(self.average.variables, get_values(self.best if self.best_epoch >= 0 else self.average.averages))
