"""Runs the cells of an experiment that are not finished, one after another, and keeps the report up to date."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfgalaxy.evaluation.label_efficiency.cell_lock import hold_cell
from tfgalaxy.evaluation.label_efficiency.cell_processes import CellProcesses
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore
from tfgalaxy.evaluation.label_efficiency.galaxies import ExperimentGalaxies
from tfgalaxy.evaluation.label_efficiency.manifest import Manifest, store_manifest
from tfgalaxy.evaluation.label_efficiency.measurements import Measurements
from tfgalaxy.evaluation.label_efficiency.plan import Cell, Plan, select_cells
from tfgalaxy.evaluation.label_efficiency.report import write_report
from tfgalaxy.evaluation.label_efficiency.run_cell import judge_cell
from tfgalaxy.progress import console
from tfgalaxy.training.config import RunConfig

__all__ = ["CNN_STEPS", "Outcome", "run_experiment", "time_left"]

CNN_STEPS = 1500
CELLS_PER_PROCESS = 6


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Numbers of cells: of the whole experiment, finished, and of those asked for that other processes are running."""

    cells: int
    finished: int
    elsewhere: int


def run_experiment(
    output: str | os.PathLike[str],
    plan: Plan,
    config: RunConfig,
    galaxies: ExperimentGalaxies,
    *,
    only: Sequence[str] = (),
    cnn_steps: int = CNN_STEPS,
    cache: str | os.PathLike[str] | None = None,
    sources: Mapping[str, Any] | None = None,
    quiet: bool = False,
    cells_per_process: int | None = CELLS_PER_PROCESS,
) -> Outcome:
    """Runs what is not finished; may be called again, and by several processes at once on the same directory.

    Args:
        output: the experiment's directory: new, or with the cells of earlier calls.
        plan: the cells. An experiment that is there may be given more.
        config: of all runs; labels, regime and seeds are each cell's own.
        galaxies: the catalogue, and the same with the second folder of unlabelled images.
        only: names of cells, or patterns with `*` and `?`; all by default.
        cnn_steps: of the plain CNN.
        cache: folder of decoded images; `output/cache` by default.
        sources: where the data came from, for the record.
        quiet: whether to show no progress.
        cells_per_process: cells run in a process of their own, which is replaced after so many; None runs them in this
            one. (As with all processes of Python's, a script that calls this guards its main part by `__name__`.)

    Raises:
        InputError: more labels than a train part holds, a pattern that no cell fits, or an experiment in the directory
            that was made from something else; nothing has been written then.
    """
    store = CellStore(output)
    cells = select_cells(plan.cells(), only)
    galaxies.check_plan(plan, config)
    given = Manifest(
        plan,
        config,
        galaxies.catalogue.questions,
        cnn_steps,
        len(galaxies.catalogue),
        galaxies.digest,
        galaxies.more_digest,
    )
    store_manifest(store.manifest_file, given, sources or {})
    measured = Measurements(store)
    measured.refresh()
    elsewhere = 0
    with contextlib.closing(CellProcesses(cells_per_process)) as processes:
        for number, cell in enumerate(cells):
            with hold_cell(store.lock_file(cell)) as lock:
                if lock is None:
                    elsewhere += 1
                    continue
                if store.is_finished(cell):
                    continue
                left = time_left(cells[number:], measured.seconds())
                console(quiet).print(f"cell {number + 1} of {len(cells)}: {cell.name} ({left})", soft_wrap=True)
                part = galaxies.of_cell(cell, config, plan.folds)
                settings = (store, cnn_steps, cache or store.cache, sources or {}, quiet)
                result = processes.run(judge_cell, cell, part, *settings)
                lock.check_held()
                store.write(cell, *result)
            measured.refresh()
            write_report(measured)
    measured.refresh()
    write_report(measured)
    return Outcome(len(measured.manifest.plan.cells()), len(measured.records), elsewhere)


def time_left(cells: Sequence[Cell], seconds: Mapping[Cell, float]) -> str:
    """In words, from the mean time of finished cells of the same method and number of labels, else of the method.

    Args:
        cells: those asked for from here on; finished ones among them take no more time.
        seconds: of the finished ones.
    """
    left = [cell for cell in cells if cell not in seconds]
    expected = [time for cell in left if (time := _expected_seconds(cell, seconds)) is not None]
    if left and not expected:
        return "time left not known yet"
    bound = "about" if len(expected) == len(left) else "at least"
    hours, minutes = divmod(round(sum(expected) / 60), 60)
    return f"{bound} {hours} h {minutes:02d} min left" if hours else f"{bound} {minutes} min left"


def _expected_seconds(cell: Cell, seconds: Mapping[Cell, float]) -> float | None:
    same_method = {other: value for other, value in seconds.items() if other.series == cell.series}
    same_point = [value for other, value in same_method.items() if other.labels == cell.labels]
    return float(np.mean(same_point or list(same_method.values()))) if same_method else None
