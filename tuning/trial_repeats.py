"""A trial as one run or several with different seeds: what few labels and few validation galaxies make of a score by
chance is averaged out before trials are compared.
"""

from __future__ import annotations

from typing import Any

from tfgalaxy.training.config import RunConfig
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.trial_run import Progress, TrialData, TrialResult, read_history, run_trial

__all__ = ["epochs_done", "run_repeats"]


def run_repeats(
    trial_id: str,
    config: RunConfig,
    data: TrialData,
    directory: SearchDirectory,
    objective: str,
    *,
    seeds: int = 1,
    progress: Progress | None = None,
    **settings: Any,
) -> TrialResult:
    """Trains the runs of a trial one after another, or goes on with them where they were killed.

    A trial that the median rule finds poor by one of its runs gets no more of them.

    Args:
        trial_id, config, data, directory, objective: of `run_trial`.
        seeds: runs, with the seeds from the configuration's on.
        progress: told the number of epochs done, of all runs together.
        **settings: of `run_trial`, for every run.

    Raises:
        keras_tuner.errors.FailedTrialError: a run has failed.
    """
    results: list[TrialResult] = []
    for repeat in range(seeds):
        before = epochs_done(directory, trial_id, repeat)

        def report(epochs: int, before: int = before) -> None:
            if progress is not None:
                progress(before + epochs)

        seeded = config.replace(training=config.training.replace(seed=config.training.seed + repeat))
        run = {"repeat": repeat, "progress": report, **settings}
        results.append(run_trial(trial_id, seeded, data, directory, objective, **run))
        if results[-1].is_poor:
            break
    return TrialResult(
        scores=tuple(result.score for result in results),
        epochs=sum(result.epochs for result in results),
        seconds=sum(result.seconds for result in results),
        is_whole=len(results) == seeds and all(result.is_whole for result in results),
        is_poor=results[-1].is_poor,
    )


def epochs_done(directory: SearchDirectory, trial_id: str, runs: int) -> int:
    """Epochs of the first so many runs of a trial so far, those of the unlabelled clock included."""
    return sum(len(read_history(directory.run(trial_id, repeat))) for repeat in range(runs))
