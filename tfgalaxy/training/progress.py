"""The progress bar of `fit`: steps, rate, losses and time left over all phases of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

__all__ = ["StepProgress"]


class StepProgress(keras.callbacks.Callback):
    """Reports the steps done and the last epoch's scores.

    Args:
        report: as `tfgalaxy.progress.progress_bar` yields.
        total_steps: of all phases.
        done: steps of an earlier part of a resumed run.
    """

    def __init__(self, report: Callable[..., None], total_steps: int, done: int = 0) -> None:
        super().__init__()
        self.report, self.total_steps, self.done = report, total_steps, done
        self.text = ""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.done += 1
        self.report(self.done, self.total_steps, self.text)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        names = ("loss", "val_log_likelihood", "val_accuracy", "val_elbo")
        scores = [f"{name} {float(logs[name]):.4g}" for name in names if logs and name in logs]
        self.text = f"epoch {epoch + 1}: {', '.join(scores)}"
