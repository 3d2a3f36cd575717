"""KerasTuner's oracles, kept whole through a kill at any moment.

What KerasTuner 1.4.8 does otherwise, and what is done about it here:

- It writes `oracle.json` and `trial.json` in place, so that a kill leaves half a file: they are renamed into place.
- `oracle.json` still names a trial as running after it has ended; a search that goes on would train it again. And a
  trial whose file was written but which `oracle.json` does not know yet would stay running for ever. Both are put right
  when a search is read back.
- Three failed trials in a row raise within a lock that is then never released: a chief hangs, its workers with it.
  Here the oracle asks for nothing more, and the search says why.
- Nothing asks for the configuration that the search starts from: here it is the first trial.
- A Bayesian oracle may ask for what it has asked before: here it then asks for random values. It minimises its bound
  from 50 points one after another, which takes 5 to 10 s of a core for each trial of 24 settings: here the bound is
  computed for many points at once, and what is asked does not depend on whether the search was stopped before.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from tfgalaxy.files import atomic_file
from tfgalaxy.tuning.search_directory import Algorithm

__all__ = ["ENDED", "MAX_FAILURES", "make_oracle", "planned_trials"]

ENDED = ("COMPLETED", "FAILED")
MAX_FAILURES = 3
# Points at which the Bayesian oracle looks, four times.
CANDIDATES = 2000


class _DurableOracle(keras_tuner.Oracle):
    """What the oracles of all algorithms share."""

    failures = 0

    def save(self) -> None:
        _write(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Any) -> None:
        _write(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        super().reload()
        for trial_id in [trial_id for trial_id in self.trials if trial_id not in self.start_order]:
            # Killed between the two files: the trial has not begun, and will be asked for again.
            del self.trials[trial_id]
            shutil.rmtree(self._get_trial_dir(trial_id))
        ended = [trial_id for trial_id in self.start_order if self.trials[trial_id].status in ENDED]
        self.end_order += [trial_id for trial_id in ended if trial_id not in self.end_order]
        # In the order in which they were asked for; KerasTuner takes the last one first.
        self._retry_queue = [trial_id for trial_id in reversed(self.start_order) if trial_id not in ended]

    @keras_tuner.synchronized
    def end_trial(self, trial: Any) -> None:
        if trial.trial_id in self.end_order:
            return  # given out again after a chief's restart, and ended by either worker
        super().end_trial(trial)
        # As with a worker that has outlived its chief: the trial waits to be given out again, but has ended now.
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        self.failures = self.failures + 1 if self.trials[trial.trial_id].status == "FAILED" else 0
        self.save()  # without the trial among those that are running

    def _check_consecutive_failures(self) -> None:
        """Left to `failures` and `create_trial`."""

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        if self.failures < MAX_FAILURES or tuner_id in self.ongoing_trials:
            return super().create_trial(tuner_id)
        self.tuner_ids.discard(tuner_id)
        return keras_tuner.engine.trial.Trial(self.hyperparameters.copy(), trial_id="none", status="STOPPED")

    def _random_values(self) -> dict[str, Any] | None:
        if self.trials:
            return super()._random_values()
        defaults = keras_tuner.HyperParameters()
        for hyperparameter in self.hyperparameters.space:
            defaults.merge([hyperparameter])
        defaults.ensure_active_values()
        return defaults.values


class _RandomOracle(_DurableOracle, RandomSearchOracle):
    pass


class _BayesianOracle(_DurableOracle, BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        completed = sum(trial.status == "COMPLETED" for trial in self.trials.values())
        if completed < self.num_initial_points:
            return self._random_populate_space()
        vectors, losses = (np.nan_to_num(part, posinf=0, neginf=0) for part in self._vectorize_trials())
        with warnings.catch_warnings():
            # That a length scale ends at its bound is how the process says that a setting does not matter, or all.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(vectors, losses)
        # Of the trial's own number: a search that goes on asks as an undisturbed one.
        random = np.random.default_rng([self.seed, len(self.trials)])
        values = self._vector_to_values(self._most_promising(random))
        return self._random_populate_space() if self._duplicate(values) else {"status": "RUNNING", "values": values}

    def _most_promising(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Least lower confidence bound of the loss, in the unit cube of settings: the best of points drawn all over it,
        then of points drawn ever closer to the best so far.
        """
        points = random.uniform(0, 1, [CANDIDATES, len(self._nonfixed_space())])
        for width in (0.1, 0.03, 0.01):
            mean, deviation = self.gpr.predict(points, return_std=True)
            best = points[np.argsort(mean - self.beta * deviation)[: CANDIDATES // 100]]
            near = np.repeat(best, 99, axis=0) + random.normal(0, width, [99 * len(best), best.shape[1]])
            points = np.concatenate([best, np.clip(near, 0, 1)])
        mean, deviation = self.gpr.predict(points, return_std=True)
        return points[np.argmin(mean - self.beta * deviation)]


class _HyperbandOracle(_DurableOracle, HyperbandOracle):
    pass


def make_oracle(algorithm: Algorithm, objective: keras_tuner.Objective, trials: int, epochs: int, seed: int) -> Any:
    """The oracle of a search.

    Args:
        algorithm: which.
        objective: by which trials are judged.
        trials: at most so many are begun; those that Hyperband promotes count anew.
        epochs: of a trial that is not ended early.
        seed: of what is asked.
    """
    # KerasTuner takes 0 for no seed.
    settings: dict[str, Any] = {"objective": objective, "seed": seed + 1}
    if algorithm == "random":
        return _RandomOracle(max_trials=trials, **settings)
    if algorithm == "bayesian":
        return _BayesianOracle(max_trials=trials, num_initial_points=max(3, trials // 3), **settings)
    oracle = _HyperbandOracle(max_epochs=epochs, **settings)
    oracle.max_trials = trials
    return oracle


def planned_trials(oracle: Any) -> int:
    """How many trials an oracle of `make_oracle` will ask for, as far as it is known beforehand."""
    if not isinstance(oracle, HyperbandOracle):
        return int(oracle.max_trials)
    brackets = range(oracle._get_num_brackets())
    sizes = [oracle._get_size(bracket, rung) for bracket in brackets for rung in range(bracket + 1)]
    return min(int(oracle.max_trials), sum(sizes))


def _write(path: Path, state: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(state), encoding="utf-8")
