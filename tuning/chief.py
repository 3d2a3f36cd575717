"""The chief of a search: hands out trials through KerasTuner's protocol, and keeps the workers of one machine alive.

What KerasTuner 1.4.8 does when a worker dies: its trial stays with the worker's name, and the chief waits for it for
ever. A worker that comes back under the same name is given its trial again; that is what is done here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tfgalaxy.child_process import end_with_parent
from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["LocalWorkers", "chief_address", "serve_until_done", "serving", "worker_environment"]

POLL_SECONDS = 0.5
# For workers to hear that there is nothing more; those that died without a trial never ask.
FAREWELL_SECONDS = 10.0
MAX_DEATHS = 3


def chief_address() -> str:
    """Where the environment says that the chief listens, as in 10.0.0.1:8000."""
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"


@contextlib.contextmanager
def serving(oracle: Any, address: str) -> Iterator[tuple[int, Any]]:
    """Answers KerasTuner's workers while the block runs; yields the port and KerasTuner's servicer.

    Args:
        oracle: of the search.
        address: to listen at; port 0 for any that is free.

    Raises:
        InputError: the address cannot be listened at.
    """
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    # One call at a time, as KerasTuner's own chief.
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    servicer = OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    rule, remedy = "must be an address that this machine can listen at", "Name a free port of this machine."
    check(port != 0, "KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT", rule, address, remedy)
    server.start()
    try:
        yield port, servicer
    finally:
        server.stop(grace=1.0).wait()


def serve_until_done(oracle: Any, address: str, poll: Callable[[], None]) -> None:
    """The chief of a cluster: answers workers that others start, until all trials have ended.

    Args:
        oracle: of the search.
        address: to listen at.
        poll: called twice a second.
    """
    with serving(oracle, address) as (_, servicer):
        ended: float | None = None
        while ended is None or (oracle.tuner_ids and time.monotonic() - ended < FAREWELL_SECONDS):
            time.sleep(POLL_SECONDS)
            poll()
            if servicer.stop_triggered and not oracle.ongoing_trials and ended is None:
                ended = time.monotonic()


def worker_environment(name: str, port: int, threads: int) -> dict[str, str]:
    """Environment of a worker on the chief's machine."""
    share = {variable: str(threads) for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    return {
        **share,
        "TF_NUM_INTEROP_THREADS": str(threads),
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
        "no_grpc_proxy": "127.0.0.1",
    }


class LocalWorkers:
    """The workers of one machine: each a process with its share of threads, started again when it dies.

    Args:
        oracle: of this process.
        target, arguments: what a worker runs, in a fresh interpreter; both can be pickled.
        count: of workers.
        on_death: told in words when one dies.
    """

    def __init__(
        self,
        oracle: Any,
        target: Callable[..., None],
        arguments: Mapping[str, Any],
        count: int,
        on_death: Callable[[str], None],
    ) -> None:
        self.oracle, self.target, self.arguments, self.on_death = oracle, target, dict(arguments), on_death
        self.names = [f"worker{number}" for number in range(count)]
        self.threads = max(1, len(os.sched_getaffinity(0)) // count)
        self.processes: dict[str, Any] = {}
        self.deaths: Counter[str] = Counter()

    def run(self, poll: Callable[[], None]) -> None:
        """Until each worker has heard that there is nothing more to do.

        Args:
            poll: called twice a second.

        Raises:
            InputError: workers die before they have begun a trial.
        """
        with serving(self.oracle, "127.0.0.1:0") as (port, _):
            try:
                for name in self.names:
                    self._start(name, port)
                while self.processes:
                    sentinels = [process.sentinel for process in self.processes.values()]
                    multiprocessing.connection.wait(sentinels, timeout=POLL_SECONDS)
                    poll()
                    for name in [name for name, process in self.processes.items() if not process.is_alive()]:
                        self._take_leave(name, port)
            finally:
                self._end()

    def _start(self, name: str, port: int) -> None:
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(self.target, self.arguments))
        with _variables(worker_environment(name, port, self.threads)):
            process.start()
        self.processes[name] = process

    def _take_leave(self, name: str, port: int) -> None:
        process = self.processes.pop(name)
        if process.exitcode == 0:
            return
        trial = self.oracle.ongoing_trials.get(name)
        what = name if trial is None else f"trial {trial.trial_id}"
        self.deaths[what] += 1
        how = f"killed by signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
        self.on_death(f"{name} has died ({how}){'' if trial is None else f' in {what}'}; started again")
        if self.deaths[what] >= MAX_DEATHS:
            if trial is None:
                remedy = "Look at what the worker printed."
                raise InputError("--workers", "must be able to start", f"{name}, {how}, {MAX_DEATHS} times", remedy)
            trial.status, trial.message = "FAILED", f"its worker died {MAX_DEATHS} times ({how})"
            self.oracle.end_trial(trial)
        self._start(name, port)

    def _end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join()


def _work(target: Callable[..., None], arguments: Mapping[str, Any]) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends its workers
    target(**arguments)


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a process that is started within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
