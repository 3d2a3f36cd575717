"""Which devices a run gets, and what is wrong with TF_CONFIG."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.training.strategy import Cluster, Devices, choose_devices, read_cluster

WORKERS = {"worker": ["a:1", "b:1"]}


def variable(cluster, task):
    return json.dumps({"cluster": cluster, "task": task})


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        (None, None),
        ("", None),
        ("{}", None),
        (variable(WORKERS, {"type": "worker", "index": 1}), Cluster(1, 2)),
        (variable({"chief": ["c:1"], **WORKERS}, {"type": "worker", "index": 1}), Cluster(2, 3)),
        (variable({"chief": ["c:1"], **WORKERS}, {"type": "chief", "index": 0}), Cluster(0, 3)),
    ],
)
def test_clusters_are_read(text, cluster):
    assert read_cluster(text) == cluster


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "TF_CONFIG must be JSON with cluster and task"),
        ("[1]", "TF_CONFIG must be JSON with cluster and task"),
        (variable({"ps": ["a:1"], **WORKERS}, {"type": "worker", "index": 0}), "must name tasks of the kinds"),
        (variable(WORKERS, {"type": "worker", "index": 2}), "must have a task of its cluster"),
        (variable(WORKERS, {}), "must have a task of its cluster"),
        (variable({"chief": ["a:1", "b:1"]}, {"type": "chief", "index": 0}), "must name one chief at most"),
    ],
)
def test_a_wrong_cluster_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        read_cluster(text)


def test_one_device_is_the_default(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    devices = choose_devices("auto")
    assert (devices.worker, devices.workers, devices.chief) == (0, 1, True)
    assert devices.gather([[1, 2]]).tolist() == [[1, 2]]
    assert devices.gather_text("é") == ["é"]


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="must be one of auto, mirrored, multi-worker"):
        choose_devices("many")
    with pytest.raises(InputError, match="must find a cluster in the variable TF_CONFIG"):
        choose_devices("multi-worker")


@pytest.mark.slow
def test_mirrored_takes_all_devices_of_the_machine():
    script = """
import tensorflow as tf
from tfgalaxy.errors import InputError
from tfgalaxy.training.strategy import choose_devices
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = choose_devices("mirrored")
print(devices.replicas, devices.own_replicas, choose_devices("auto").replicas)
devices.check_batch_size(8)
try:
    devices.check_batch_size(7)
except InputError as error:
    print(error)
"""
    environment = {"CUDA_VISIBLE_DEVICES": "-1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-2:] == [
        "2 2 1",
        "batch_size must be divisible by the number of replicas, 2, not 7. Use 8.",
    ]


def test_an_error_of_the_chief_is_raised():
    def fail():
        raise InputError("output", "must be empty", "full", "Empty it.")

    with pytest.raises(InputError, match="output must be empty"):
        Devices().from_chief(fail)
    assert Devices().from_chief(lambda: "config") == "config"
    assert np.asarray(Devices().gather(np.ones([2, 3]))).shape == (2, 3)
