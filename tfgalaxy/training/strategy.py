"""The devices of a run: one, several of one machine, or those of a cluster of workers that `TF_CONFIG` names."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["STRATEGIES", "Devices", "choose_devices", "read_cluster"]

STRATEGIES = ("auto", "mirrored", "multi-worker")
# TF_CONFIG's kinds of tasks that train in lockstep; the first worker is the chief where there is none of that name.
TASKS = ("chief", "worker")
EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Devices:
    """A strategy of `tf.distribute` and this process's place in it.

    Attributes:
        strategy: models are made and compiled in its scope.
        worker: this process's number.
        workers: how many processes train together.
    """

    strategy: Any = dataclasses.field(default_factory=tf.distribute.get_strategy)
    worker: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        """Whether this process writes the run's directory."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """Copies of the model, over all workers."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def own_replicas(self) -> int:
        """Copies of the model in this process."""
        return self.replicas // self.workers

    def check_batch_size(self, batch_size: int) -> None:
        """Raises `InputError` unless each replica gets an equal part of a batch."""
        replicas = self.replicas
        rule = f"must be divisible by the number of replicas, {replicas}"
        remedy = f"Use {max(1, round(batch_size / replicas)) * replicas}."
        check(batch_size % replicas == 0, "batch_size", rule, batch_size, remedy)

    def gather(self, values: ArrayLike) -> NDArray[np.float32]:
        """The rows of all workers, in their order; every worker has to call it.

        Args:
            values: float32 [n, ...] on this worker; n may be another one on each.
        """
        own = np.asarray(values, np.float32)
        if self.workers == 1:
            return own

        first = self.worker * self.own_replicas

        def part(context: Any) -> tf.Tensor:
            # The worker's first replica gives its rows, the others none.
            return tf.constant(own if context.replica_id_in_sync_group == first else own[:0])

        parts = self.strategy.experimental_distribute_values_from_function(part)
        return np.asarray(self.strategy.gather(parts, axis=0))

    def gather_text(self, text: str) -> list[str]:
        """One text from each worker, in their order; every worker has to call it."""
        if self.workers == 1:
            return [text]
        codes = np.frombuffer(text.encode(), np.uint8)
        sizes = self.gather([len(codes)]).astype(int)
        parts = np.split(self.gather(codes).astype(np.uint8), np.cumsum(sizes)[:-1])
        return [part.tobytes().decode() for part in parts]

    def from_chief(self, make: Callable[[], str]) -> str:
        """What `make` gives on the chief, on all workers; an `InputError` there is raised on all of them."""
        text, error = "", None
        if self.chief:
            try:
                text = make()
            except InputError as raised:
                error = raised
        problem, said = json.loads(self.gather_text(json.dumps([error and str(error), text]))[0])
        if problem is not None:
            raise error or InputError(problem)
        return str(said)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What `TF_CONFIG` says: how many workers there are, and which of them this process is."""

    worker: int
    workers: int


def read_cluster(text: str | None) -> Cluster | None:
    """The cluster that `TF_CONFIG` names, or None where it names none.

    Args:
        text: the variable's value: JSON with `cluster` (addresses by kind of task) and `task` (this process).

    Raises:
        InputError: no JSON, a kind of task that does not train in lockstep, or a task that the cluster lacks.
    """
    if not text or not text.strip():
        return None
    remedy = f"Set it as in {EXAMPLE}."
    try:
        value = json.loads(text)
        cluster, task = value.get("cluster") or {}, value.get("task") or {}
        addresses = {kind: list(cluster[kind]) for kind in cluster}
    except (json.JSONDecodeError, AttributeError, TypeError) as error:
        raise InputError("TF_CONFIG", "must be JSON with cluster and task", text, remedy) from error
    if not addresses:
        return None
    others = sorted(set(addresses) - set(TASKS))
    check(not others, "TF_CONFIG", f"must name tasks of the kinds {' and '.join(TASKS)} only", others, remedy)
    chiefs, workers = (len(addresses.get(kind, [])) for kind in TASKS)
    check(chiefs <= 1, "TF_CONFIG", "must name one chief at most", addresses.get("chief"), remedy)
    kind, index = task.get("type"), task.get("index")
    if not (kind in addresses and isinstance(index, int) and 0 <= index < len(addresses[kind])):
        raise InputError("TF_CONFIG", "must have a task of its cluster", task, remedy)
    return Cluster(index + (chiefs if kind == "worker" else 0), chiefs + workers)


def choose_devices(requested: str = "auto") -> Devices:
    """The devices to train on; to be called before anything else makes TensorFlow look for devices.

    Args:
        requested: "mirrored" (all GPUs of this machine), "multi-worker" (the cluster of `TF_CONFIG`), or "auto": the
            cluster where there is one, else all GPUs where there are several, else one device.

    Raises:
        InputError: another name, no cluster or no second device where one is asked for, or see `read_cluster`.
    """
    check(requested in STRATEGIES, "strategy", f"must be one of {', '.join(STRATEGIES)}", requested, "Use auto.")
    cluster = None if requested == "mirrored" else read_cluster(os.environ.get("TF_CONFIG"))
    if requested == "multi-worker" and cluster is None:
        rule = "must find a cluster in the variable TF_CONFIG for multi-worker"
        raise InputError("strategy", rule, "without one", f"Set it as in {EXAMPLE}, or use auto.")
    if cluster is not None:
        return Devices(tf.distribute.MultiWorkerMirroredStrategy(), cluster.worker, cluster.workers)
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus if requested == "auto" else gpus or tf.config.list_logical_devices("CPU")
    if requested == "mirrored":
        rule = "must find two devices or more for mirrored"
        check(len(devices) > 1, "strategy", rule, f"{len(devices)}", "Use auto, or show it more GPUs.")
    return (
        Devices(tf.distribute.MirroredStrategy([device.name for device in devices])) if len(devices) > 1 else Devices()
    )
