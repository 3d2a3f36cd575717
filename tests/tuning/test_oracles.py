"""Oracles through kills at every moment: finished trials are kept, the running one comes again, nothing twice."""

import json
import shutil

import numpy as np
import pytest
from oracle_loop import SPACE, end, open_oracle, run

from tfgalaxy.models.config import ModelConfig
from tfgalaxy.tuning.oracles import planned_trials
from tfgalaxy.tuning.space import NOTHING, SearchSpace

ALGORITHMS = ("random", "bayesian", "hyperband")


class KilledError(Exception):
    """Stands for SIGKILL."""


def kill_at(oracle, monkeypatch, write):
    """Kills the process in place of the so-manieth file that the oracle writes from now on."""
    import tfgalaxy.tuning.oracles as module

    written, original = [], module._write

    def counted(path, state):
        if len(written) == write:
            raise KilledError
        written.append(path)
        original(path, state)

    monkeypatch.setattr(module, "_write", counted)
    return oracle


def release(oracle):
    """The lock of a process that is gone is gone with it."""
    from keras_tuner.src.engine import oracle as module

    if module.LOCKS[oracle].locked():
        module.THREADS[oracle] = None
        module.LOCKS[oracle].release()


@pytest.mark.core
@pytest.mark.parametrize(
    ("algorithm", "write"),
    # Six files a trial; Hyperband promotes from its tenth trial on, and the Bayesian oracle fits from its fourth.
    [("random", write) for write in range(8)]
    + [("bayesian", 19), ("bayesian", 21)]
    + [("hyperband", write) for write in range(60, 66)],
)
def test_a_search_killed_at_any_write_asks_nothing_twice(tmp_path, monkeypatch, algorithm, write):
    trials = 13 if algorithm == "hyperband" else 6
    whole = run(open_oracle(tmp_path / "whole", algorithm, trials))
    first = open_oracle(tmp_path / "killed", algorithm, trials)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        run(kill_at(first, patch, write))
    release(first)
    kept = {
        path.parent.name: json.loads(path.read_text())
        for path in (tmp_path / "killed" / "oracle").glob("trial_*/trial.json")
    }
    ended = {record["trial_id"] for record in kept.values() if record["status"] == "COMPLETED"}
    second = open_oracle(tmp_path / "killed", algorithm, trials)
    again = run(second)
    assert not ended & {trial_id for trial_id, _ in again}
    assert len(second.trials) == len(second.end_order) == len(set(second.end_order)) == len(whole) == trials
    values = [json.dumps(trial.hyperparameters.values, sort_keys=True) for trial in second.trials.values()]
    assert len(set(values)) == len(values)
    assert {trial.trial_id: trial.hyperparameters.values for trial in second.trials.values()} == dict(whole)


def test_the_configuration_itself_comes_first(tmp_path):
    for algorithm in ALGORITHMS:
        (_, values), *_ = run(open_oracle(tmp_path / algorithm, algorithm), most=2)
        assert values["dropout"] == ModelConfig().dropout
        assert values["batch_size"] == 64
        assert values["fine_tuning_learning_rate"] == 3e-4


def test_more_trials_for_a_search_that_has_ended(tmp_path):
    before = run(open_oracle(tmp_path))
    after = run(open_oracle(tmp_path, trials=8))
    assert len(before) == 6
    assert [trial_id for trial_id, _ in after] == ["6", "7"]
    assert not {str(values) for _, values in before} & {str(values) for _, values in after}


def test_the_bayesian_oracle_learns(tmp_path):
    asked = run(open_oracle(tmp_path, "bayesian", trials=14, space=SPACE.replace(fine_tuning_learning_rate=None)))
    distances = [abs(values["dropout"] - 0.5) for _, values in asked]
    assert np.median(distances[-5:]) < 0.1 < np.median(distances[:5])


def test_few_choices_are_asked_for_once_each(tmp_path):
    few = SearchSpace(**{**NOTHING, "batch_size": (16, 32, 64), "dropout": (0.5, 0.5)})
    for algorithm in ("random", "bayesian"):
        asked = run(open_oracle(tmp_path / algorithm, algorithm, trials=9, space=few))
        assert sorted(values["batch_size"] for _, values in asked) == [16, 32, 64]


def test_hyperband_promotes_the_best(tmp_path):
    oracle = open_oracle(tmp_path, "hyperband", trials=100)
    asked = dict(run(oracle))
    # Brackets of 9 epochs and factor 3: 9 to 3 to 1, then 5 to 2, then 3 trials (sizes of KerasTuner's own formula).
    assert planned_trials(oracle) == len(asked)
    promoted = [values for values in asked.values() if "tuner/trial_id" in values]
    assert promoted
    for values in promoted:
        past = asked[values["tuner/trial_id"]]
        assert past["tuner/epochs"] == values["tuner/initial_epoch"] < values["tuner/epochs"]
        assert past["dropout"] == values["dropout"]
    assert max(values["tuner/epochs"] for values in asked.values()) == 9


def test_three_failures_in_a_row_end_a_search_that_can_go_on(tmp_path):
    oracle = open_oracle(tmp_path, trials=9)
    for status in ("FAILED", "COMPLETED", "FAILED", "FAILED", "FAILED"):
        end(oracle, oracle.create_trial("tuner0"), status, "no")
    assert oracle.create_trial("tuner0").status == "STOPPED"
    again = open_oracle(tmp_path, trials=9)
    assert [again.trials[trial_id].status for trial_id in again.end_order].count("FAILED") == 4
    assert len(run(again)) == 4


def test_a_worker_that_outlives_its_chief(tmp_path):
    chief = open_oracle(tmp_path)
    trial = chief.create_trial("worker0")
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    restarted = open_oracle(tmp_path.with_name("copy"))
    end(restarted, trial)
    end(restarted, trial, "FAILED", "again")
    assert restarted.trials["0"].status == "COMPLETED"
    assert restarted.create_trial("worker1").trial_id == "1"
