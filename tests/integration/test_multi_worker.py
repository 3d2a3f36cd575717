"""Two workers on loopback: they do what one device does, and a killed run goes on to the same end."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_model import SMALL

from tfgalaxy.data.simulation import simulate
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.weight_average import get_values

STEPS = Path(__file__).with_name("mirrored_steps.py")
CONFIG = RunConfig(
    data=DataConfig(questions="gz1", labels=12),
    model=SMALL.replace(normalization="synchronized", prediction_views=1),
    training=TrainingConfig(regime="supervised", batch_size=8, steps_per_epoch=2, epochs=3),
)
TIME_LIMIT = 600


def free_ports(count):
    """Ports that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def start_workers(arguments, folder):
    """Two processes, each with its TF_CONFIG and a log of its own."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    workers = []
    for index in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        paths = [str(STEPS.parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "TF_CONFIG": json.dumps(cluster), "PYTHONPATH": os.pathsep.join(paths)}
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
        with (folder / f"worker-{index}.log").open("w") as log:
            command = [sys.executable, *map(str, arguments)]
            workers.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder))
    return workers


def finish(workers, folder):
    """The logs of both, when both have ended well."""
    try:
        codes = [worker.wait(TIME_LIMIT) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    logs = [(folder / f"worker-{index}.log").read_text() for index in range(2)]
    assert codes == [0, 0], "\n".join(log[-3000:] for log in logs)
    return logs


@pytest.mark.core
@pytest.mark.minutes
def test_two_workers_equal_one_device_in_each_regime(tmp_path):
    for log in finish(start_workers([STEPS], tmp_path), tmp_path):
        equal = [line for line in log.splitlines() if line.endswith(" equal")]
        assert equal == ["supervised equal", "two-step equal", "alternating equal"]


def train_arguments(folder, output, *more):
    galaxies = folder / "galaxies"
    data = ["--catalogue", galaxies / "catalogue.csv", "--images", galaxies, "--config", folder / "config.json"]
    return ["-m", "tfgalaxy.cli", "train", *data, "--output", output, "--strategy", "multi-worker", *more]


def final_weights(path):
    return get_values(RunDirectory(path).load_model().state_variables)


@pytest.mark.minutes
def test_killed_workers_go_on_to_the_same_weights_and_only_the_chief_writes(tmp_path):
    simulate(40, tmp_path / "galaxies", questions="gz1", image_size=64)
    CONFIG.to_json(tmp_path / "config.json")
    finish(start_workers(train_arguments(tmp_path, tmp_path / "whole"), tmp_path), tmp_path)
    killed = start_workers(train_arguments(tmp_path, tmp_path / "killed", "--resume"), tmp_path)
    checkpoint, end = tmp_path / "killed" / "checkpoint.npz", time.monotonic() + TIME_LIMIT
    while not checkpoint.is_file() and time.monotonic() < end:
        time.sleep(0.05)
    for worker in killed:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert checkpoint.is_file()
    assert not (tmp_path / "killed" / "model.keras").exists()
    logs = finish(start_workers(train_arguments(tmp_path, tmp_path / "killed", "--resume"), tmp_path), tmp_path)
    assert ["model.keras" in log for log in logs] == [True, False]
    for ours, theirs in zip(final_weights(tmp_path / "whole"), final_weights(tmp_path / "killed"), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert names == {"run.json", "split.csv", "excluded.csv", "history.csv", "tensorboard", "model.keras"}
    with (tmp_path / "killed" / "history.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["0", "1", "2"]
    with (tmp_path / "killed" / "split.csv").open(newline="") as stream:
        parts = [row["part"] for row in csv.DictReader(stream)]
    assert parts.count("train") == 12  # the chief's list holds both workers' galaxies
