"""Chief and workers over KerasTuner's own protocol: a worker that dies loses nothing but time."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from oracle_loop import end, open_oracle
from sleeping_worker import die, work

from tfgalaxy.errors import InputError
from tfgalaxy.tuning.chief import LocalWorkers, serve_until_done, serving, worker_environment
from tfgalaxy.tuning.run_search import role


@pytest.fixture(autouse=True)
def _path_of_workers(monkeypatch):
    """Workers import from this folder."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))


def begun(folder):
    """Trial, worker and process of each trial begun."""
    path = folder / "begun.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
@pytest.mark.core
def test_a_worker_killed_in_mid_trial_is_given_its_trial_again(tmp_path):
    oracle, deaths = open_oracle(tmp_path, trials=4), []
    workers = LocalWorkers(oracle, work, {"folder": tmp_path, "seconds": 0.5}, 2, deaths.append)
    killed = []

    def kill_once():
        if not killed and len(begun(tmp_path)) >= 2 and oracle.ongoing_trials:
            trial, name, process, _ = begun(tmp_path)[-1]
            if oracle.ongoing_trials.get(name) is not None and oracle.ongoing_trials[name].trial_id == trial:
                os.kill(int(process), signal.SIGKILL)
                killed.append((trial, name))

    workers.run(kill_once)
    ((trial, name),) = killed
    assert deaths == [f"{name} has died (killed by signal 9) in trial {trial}; started again"]
    assert [row[1] for row in begun(tmp_path) if row[0] == trial] == [name, name]
    others = [row[0] for row in begun(tmp_path) if row[0] != trial]
    assert len(others) == len(set(others)) == 3
    assert sorted(oracle.end_order) == ["0", "1", "2", "3"]
    assert {oracle.trials[one].status for one in oracle.end_order} == {"COMPLETED"}
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert {row[3] for row in begun(tmp_path)} == {share}


def test_a_trial_that_kills_its_workers_fails(tmp_path):
    oracle, deaths = open_oracle(tmp_path, trials=2), []
    oracle.create_trial("worker0")
    LocalWorkers(oracle, die, {"folder": tmp_path, "times": 3}, 1, deaths.append).run(lambda: None)
    assert oracle.trials["0"].status == "FAILED"
    assert oracle.trials["0"].message == "its worker died 3 times (exit code 3)"
    assert oracle.ongoing_trials == {}
    assert deaths == ["worker0 has died (exit code 3) in trial 0; started again"] * 3


def test_workers_that_cannot_start(tmp_path):
    workers = LocalWorkers(open_oracle(tmp_path), die, {"folder": tmp_path, "times": 9}, 1, lambda _: None)
    with pytest.raises(InputError, match=r"--workers must be able to start, not 'worker0, exit code 3, 3 times'"):
        workers.run(lambda: None)


def client(port, name, monkeypatch):
    for variable, value in worker_environment(name, port, 1).items():
        monkeypatch.setenv(variable, value)
    from keras_tuner.src.distribute.oracle_client import OracleClient

    return OracleClient(None)


def test_the_chief_of_a_cluster_ends_with_its_trials(tmp_path, monkeypatch):
    oracle = open_oracle(tmp_path, trials=2)
    with serving(open_oracle(tmp_path / "other"), "127.0.0.1:0") as (port, _):
        pass  # a port that is free now
    polls = []
    chief = threading.Thread(target=serve_until_done, args=(oracle, f"127.0.0.1:{port}", lambda: polls.append(1)))
    chief.start()
    worker = client(port, "worker0", monkeypatch)
    oracle.tuner_ids.add("worker that never came back")
    monkeypatch.setattr("tfgalaxy.tuning.chief.FAREWELL_SECONDS", 0.2)
    for _ in range(2):
        end(worker, worker.create_trial("worker0"))
    assert chief.is_alive()
    assert worker.create_trial("worker0").status == "STOPPED"
    chief.join(timeout=10)
    assert not chief.is_alive()
    assert polls
    assert oracle.end_order == ["0", "1"]


def test_an_address_that_is_taken(tmp_path):
    with (
        serving(open_oracle(tmp_path / "a"), "127.0.0.1:0") as (port, _),
        pytest.raises(InputError, match="must be an address that this machine can listen at"),
        serving(open_oracle(tmp_path / "b"), f"127.0.0.1:{port}"),
    ):
        time.sleep(0)


def test_roles_by_the_environment(monkeypatch):
    monkeypatch.delenv("KERASTUNER_ORACLE_IP", raising=False)
    assert role() == "alone"
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.delenv("KERASTUNER_TUNER_ID", raising=False)
    with pytest.raises(InputError, match="KERASTUNER_ORACLE_PORT must be set where KERASTUNER_ORACLE_IP is"):
        role()
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    with pytest.raises(InputError, match="KERASTUNER_TUNER_ID must be set"):
        role()
    for name, expected in (("chief", "chief"), ("worker3", "worker")):
        monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        assert role() == expected
