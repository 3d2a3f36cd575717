"""Opens a run's directory, new or to be resumed; of several workers, one writes it and all see what came of that."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError
from tfgalaxy.files import remove_leftovers
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.strategy import Devices

__all__ = ["check_agreement", "open_run"]

FINISHED, BEGUN, NEW = "finished", "begun", "new"


@contextlib.contextmanager
def open_run(
    output: str | os.PathLike[str],
    config: RunConfig,
    resume: bool,
    sources: Mapping[str, Any],
    devices: Devices,
) -> Iterator[RunDirectory | None]:
    """The directory to write to while training, or None where there is nothing left to do.

    That of the chief is `output`. Another worker's is a temporary one with the same names: it takes part in all that
    is computed for a checkpoint, and what it writes is dropped at the end.

    Args:
        output, config, resume, sources: see `tfgalaxy.training.train`.
        devices: of the run; every worker has to call this.

    Raises:
        InputError: on all workers, what `RunDirectory.create` says on the chief; a run with another configuration; or
            workers that were given different ones.
    """
    check_agreement(devices, "config", json.dumps(config.to_dict()), "Start all workers with the same options.")
    run = RunDirectory(output)
    state = devices.from_chief(lambda: _start_or_resume(run, config, resume, sources))
    if state == FINISHED:
        yield None
    elif devices.chief:
        try:
            yield run
        except InputError:
            # Nothing is left of what could not begin: the mended command finds its directory free.
            if state == NEW and [path.name for path in run.path.iterdir()] == [run.run_file.name]:
                shutil.rmtree(run.path)
            raise
    else:
        with tempfile.TemporaryDirectory(prefix="tfgalaxy-worker-") as folder:
            own = RunDirectory(Path(folder))
            if run.checkpoint_file.is_file():
                shutil.copy(run.checkpoint_file, own.checkpoint_file)
            yield own


def check_agreement(devices: Devices, argument: str, value: str, remedy: str) -> None:
    """Raises `InputError` on all workers unless all call it with the same value."""
    values = devices.gather_text(value)
    differing = [f"worker {worker}: {other}" for worker, other in enumerate(values) if other != values[0]]
    check(not differing, argument, f"must be the same on all workers ({values[0]})", differing[:1], remedy)


def _start_or_resume(run: RunDirectory, config: RunConfig, resume: bool, sources: Mapping[str, Any]) -> str:
    if resume:
        remove_leftovers(run.path)
    if not (resume and run.run_file.is_file()):
        run.create(config, sources)
        return NEW
    if run.config != config:
        remedy = "Leave the other options out: a resumed run goes on with its own."
        raise InputError("config", f"must be the one in {run.run_file}", "another one", remedy)
    return FINISHED if run.finished else BEGUN
