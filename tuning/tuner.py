"""The tuner of `tfgalaxy tune`: KerasTuner's loop, with runs of `tfgalaxy train` as trials."""

from __future__ import annotations

import contextlib
import functools
import io
import time
from collections.abc import Callable
from typing import Any

import keras_tuner

from tfgalaxy.files import atomic_file
from tfgalaxy.tuning.hypermodel import GalaxyHyperModel
from tfgalaxy.tuning.search_directory import SearchDirectory, SearchPlan
from tfgalaxy.tuning.trial_repeats import run_repeats
from tfgalaxy.tuning.trial_run import TrialData

__all__ = ["RUN_SCORE", "RunTuner", "TrialReport", "failure_reason"]

# Between two questions to an oracle that has nothing to hand out at the moment.
IDLE_SECONDS = 0.5
# Of the metric that holds the score of one of a trial's runs, before the run's number.
RUN_SCORE = "score_"
TrialReport = Callable[[Any, int], None]


class RunTuner(keras_tuner.Tuner):
    """Asks an oracle, here or at a chief, for trials, and trains each as a run.

    Args:
        oracle: from `make_oracle`.
        directory: of the search.
        plan: of the search.
        data: what trials train on; None for a tuner that runs none, as a chief's.
        on_progress: told a running trial and the number of its epochs done.
        on_end: told a trial that has ended.
    """

    def __init__(
        self,
        oracle: Any,
        directory: SearchDirectory,
        plan: SearchPlan,
        data: TrialData | None = None,
        on_progress: TrialReport | None = None,
        on_end: Callable[[Any], None] | None = None,
    ) -> None:
        self.search_directory, self.plan, self.data = directory, plan, data
        self.on_progress, self.on_end = on_progress, on_end
        self._asked = -IDLE_SECONDS
        questions = "" if data is None else data.catalogue.questions
        hypermodel = GalaxyHyperModel(questions or plan.config.data.questions, plan.space, plan.config)
        oracle.verbose = 0
        with contextlib.redirect_stdout(io.StringIO()):  # says that it reloads
            super().__init__(
                oracle=oracle,
                hypermodel=hypermodel,
                directory=str(directory.path),
                project_name=directory.oracle.name,
            )

    def _populate_initial_space(self) -> None:
        """Names the space without building models for it."""
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.oracle.update_space(hp)

    def _get_tuner_fname(self) -> str:
        # All that is kept is the oracle's; it exists from before the first trial on.
        return str(self.search_directory.oracle / "oracle.json")

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        if not self._is_worker():
            self.oracle.reload()

    def pre_create_trial(self) -> None:
        time.sleep(max(0.0, self._asked + IDLE_SECONDS - time.monotonic()))
        self._asked = time.monotonic()

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Trains a trial; the objective, how far it came, and the score of each of its runs."""
        values = trial.hyperparameters.values
        shown = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        progress = None if self.on_progress is None else functools.partial(self.on_progress, trial)
        assert self.data is not None  # a chief runs no trial
        result = run_repeats(
            trial.trial_id,
            self.hypermodel.run_config(trial.hyperparameters),
            self.data,
            self.search_directory,
            self.plan.objective,
            seeds=self.plan.seeds,
            epochs=values.get("tuner/epochs"),
            promoted=values.get("tuner/trial_id"),
            stop_by_median=self.plan.stop_early and self.plan.algorithm != "hyperband",
            shared_start=self.plan.space.shares_start,
            hyperparameters=shown,
            progress=progress,
        )
        return {
            self.plan.objective: result.score,
            "epochs": result.epochs,
            "seconds": result.seconds,
            "is_whole": float(result.is_whole),
            **{f"{RUN_SCORE}{repeat}": score for repeat, score in enumerate(result.scores)},
        }

    def on_trial_end(self, trial: Any) -> None:
        """Keeps the reason of a failure, which the protocol of chief and workers does not carry."""
        if trial.message:
            with atomic_file(self.search_directory.failure_file(trial.trial_id)) as temporary:
                temporary.write_text(failure_reason(trial.message) + "\n", encoding="utf-8")
        super().on_trial_end(trial)
        if self.on_end is not None:
            self.on_end(trial)

    def load_model(self, trial: Any) -> Any:
        """The finished model of a trial; see `finish_trial`."""
        return self.search_directory.run(trial.trial_id).load_model()


def failure_reason(message: str) -> str:
    """The error of a traceback, without its class where that only says that a trial failed."""
    last = message.strip().splitlines()[-1]
    name, _, reason = last.partition(": ")
    return reason if name.endswith("FailedTrialError") else last
