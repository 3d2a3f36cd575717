"""One run of a trial: that of `tfgalaxy train`, which ends when the search wants it to and can be gone on with."""

from __future__ import annotations

import csv
import dataclasses
import shutil
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_api

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_directory
from tfgalaxy.training.clocks import MONITOR
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.regimes import phases
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.tuning.median_stopping import MedianStopping
from tfgalaxy.tuning.search_directory import SearchDirectory

__all__ = ["TrialData", "TrialResult", "finish_trial", "objective_curve", "read_history", "run_trial"]

Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class TrialData:
    """What all trials of a search train on; pixels hold the images of the train and validation parts and of the pool,
    never those of the test part.
    """

    catalogue: Catalogue
    pixels: Pixels
    labels: int
    sources: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        scores: of each run: the objective at the epoch whose weights it keeps, the best by
            `tfgalaxy.training.clocks.MONITOR`.
        epochs: with the classifier's clock, of all runs.
        seconds: of all epochs, those of a shared start included; without those of teachers.
        is_whole: whether every run came to the end that `tfgalaxy train` would have come to.
        is_poor: whether the median rule would end it here.
    """

    scores: tuple[float, ...]
    epochs: int
    seconds: float
    is_whole: bool
    is_poor: bool = False

    @property
    def score(self) -> float:
        """By which the trial is judged: the mean over its runs."""
        return statistics.fmean(self.scores)


class _TrialEndedError(Exception):
    """Leaves `fit` after an epoch's checkpoint is written."""


class _EndTrial(keras.callbacks.Callback):
    """The last callback of a trial: ends it after its last epoch, or when another callback wants it."""

    def __init__(self, last_epoch: int, progress: Progress | None) -> None:
        super().__init__()
        self.last_epoch, self.progress = last_epoch, progress

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.progress is not None:
            self.progress(epoch + 1)
        if epoch + 1 >= self.last_epoch or self.model.stop_training:
            raise _TrialEndedError


def run_trial(
    trial_id: str,
    config: RunConfig,
    data: TrialData,
    directory: SearchDirectory,
    objective: str,
    *,
    repeat: int = 0,
    epochs: int | None = None,
    promoted: str | None = None,
    stop_by_median: bool = False,
    shared_start: bool = False,
    hyperparameters: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> TrialResult:
    """Trains a trial, or goes on with it where it was killed.

    The run is that of `tfgalaxy train` with the same configuration, epoch by epoch, whatever ends it here. It is left
    unfinished, with its checkpoint and without the saved model, which `finish_trial` makes of the one that is wanted.

    Args:
        trial_id: name of its run.
        config: of the run.
        data: what it trains on.
        directory: of the search.
        objective: name of what it is judged by.
        repeat: which of the trial's runs this is; see `run_repeats`.
        epochs: with the classifier's clock, for a rung of Hyperband; all of them by default. Learning rates fall as
            over all of them.
        promoted: a trial of an earlier rung, whose run this one goes on with.
        stop_by_median: whether `MedianStopping` may end it.
        shared_start: whether the epochs of the unlabelled clock alone are taken from another trial's.
        hyperparameters: for TensorBoard.
        progress: told the number of epochs done, those of the unlabelled clock included.

    Raises:
        keras_tuner.errors.FailedTrialError: the configuration is not possible, the model does not fit into memory, or
            training diverged; says which.
    """
    run = directory.run(trial_id, repeat)
    _prepare(run, directory.run(promoted, repeat) if promoted is not None else None)
    plan = phases(config.training, data.labels)
    first, last = plan[-1].first_epoch, plan[-1].last_epoch
    end = last if epochs is None else min(first + epochs, last)
    callbacks: list[Any] = []
    median = None
    if stop_by_median:
        history = objective_curve(read_history(run), objective, first)
        folder = directory.curves_of(repeat)
        median = MedianStopping(folder, objective, first_epoch=first, name=trial_id, history=history)
        callbacks.append(median)
    callbacks.append(_EndTrial(end, progress))
    if not _has_ended(run, config, first, end):
        _train(config, data, run, directory, shared_start, callbacks)
        if hyperparameters is not None:
            _tell_tensorboard(run, trial_id, hyperparameters)
    if median is not None:
        median.leave_curve()
    result = _result(run, config, objective, first, last)
    return dataclasses.replace(result, is_poor=median is not None and median.is_poor())


def _prepare(run: RunDirectory, promoted: RunDirectory | None) -> None:
    if run.path.exists() and not run.run_file.is_file():
        shutil.rmtree(run.path)  # killed before it had begun
    if promoted is not None and not run.path.exists():
        with atomic_directory(run.path) as temporary:
            shutil.copytree(promoted.path, temporary, dirs_exist_ok=True)


def _train(
    config: RunConfig,
    data: TrialData,
    run: RunDirectory,
    directory: SearchDirectory,
    shared_start: bool,
    callbacks: Sequence[Any],
) -> None:
    settings: dict[str, Any] = {"pixels": data.pixels, "sources": data.sources, "quiet": True}
    # All trials with one encoder share what simulated galaxies teach it, whatever else they vary.
    settings |= {"starts": directory.starts if shared_start else None, "cache": directory.starts}
    keras.backend.clear_session()
    try:
        train(config, data.catalogue, run.path, resume=True, callbacks=callbacks, **settings)
    except _TrialEndedError:
        return
    except InputError as error:
        raise keras_tuner.errors.FailedTrialError(str(error)) from error
    except tf.errors.ResourceExhaustedError as error:
        raise keras_tuner.errors.FailedTrialError(f"the model does not fit into memory: {error.message}") from error


def read_history(run: RunDirectory) -> list[dict[str, str]]:
    """The rows of a run's history so far; none before its first epoch has ended."""
    if not run.history_file.is_file():
        return []
    with run.history_file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def objective_curve(rows: Sequence[dict[str, str]], objective: str, first_epoch: int) -> list[float]:
    """The objective after each epoch from `first_epoch` on."""
    return [float(row[objective]) for row in rows if int(row["epoch"]) >= first_epoch]


def _has_ended(run: RunDirectory, config: RunConfig, first: int, end: int) -> bool:
    """Whether there is nothing to train before epoch `end`."""
    return len(read_history(run)) >= end or _out_of_patience(run, config, first)


def _out_of_patience(run: RunDirectory, config: RunConfig, first: int) -> bool:
    monitored, patience = objective_curve(read_history(run), MONITOR, first), config.training.patience
    return bool(monitored) and patience is not None and len(monitored) - 1 - _kept(monitored) >= patience


def _kept(monitored: Sequence[float]) -> int:
    """The epoch whose weights a run keeps."""
    return max(range(len(monitored)), key=lambda epoch: monitored[epoch])


def _result(run: RunDirectory, config: RunConfig, objective: str, first: int, last: int) -> TrialResult:
    rows = read_history(run)
    scores = objective_curve(rows, objective, first)
    kept = _kept(objective_curve(rows, MONITOR, first))
    is_whole = _has_ended(run, config, first, last)
    return TrialResult((scores[kept],), len(scores), sum(float(row["seconds"]) for row in rows), is_whole)


def _tell_tensorboard(run: RunDirectory, trial_id: str, hyperparameters: dict[str, Any]) -> None:
    """Writes what TensorBoard's HParams plugin shows beside the scalars of the run."""
    with tf.summary.create_file_writer(str(run.tensorboard)).as_default():
        hparams_api.hparams(hyperparameters, trial_id=trial_id)


def finish_trial(trial_id: str, data: TrialData, directory: SearchDirectory) -> RunDirectory:
    """Makes a finished run of a trial's: the best epoch's weights with fitted concentrations, saved."""
    run = directory.run(trial_id)
    return train(
        run.config, data.catalogue, run.path, resume=True, quiet=True, pixels=data.pixels, sources=data.sources
    )
