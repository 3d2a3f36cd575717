"""What a search has found: its table of trials and its best configuration."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any

import keras_tuner
from rich.table import Table

from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.tuning.objectives import objective
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.tuner import RUN_SCORE, failure_reason

__all__ = ["TrialRow", "best_row", "read_rows", "results_table", "write_results"]

SHOWN_TRIALS = 20


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        trial: its name.
        status: "completed", "stopped early", "failed" or "running".
        score: the objective; None unless it has ended well.
        epochs, seconds: of its training.
        hyperparameters: that were active.
        reason: why it failed.
        scores: of each of its runs.
    """

    trial: str
    status: str
    score: float | None
    epochs: int
    seconds: float
    hyperparameters: dict[str, Any]
    reason: str = ""
    scores: tuple[float, ...] = ()

    def gain_over(self, other: TrialRow) -> tuple[float, ...]:
        """Its score less another trial's, by seed."""
        return tuple(ours - theirs for ours, theirs in zip(self.scores, other.scores, strict=False))


def read_rows(oracle: Any, directory: SearchDirectory) -> list[TrialRow]:
    """The trials of a search in the order in which they were asked for.

    Args:
        oracle: of this process, not a worker's client of it.
        directory: of the search.
    """
    return [_row(oracle.trials[trial_id], oracle.objective.name, directory) for trial_id in oracle.start_order]


def _row(trial: Any, name: str, directory: SearchDirectory) -> TrialRow:
    def metric(metric_name: str) -> float:
        return float(trial.metrics.get_last_value(metric_name)) if trial.metrics.exists(metric_name) else 0.0

    values = {key: value for key, value in trial.hyperparameters.values.items() if not key.startswith("tuner/")}
    if trial.status == "FAILED":
        return TrialRow(trial.trial_id, "failed", None, 0, 0.0, values, _reason(trial, directory))
    if trial.status != "COMPLETED":
        return TrialRow(trial.trial_id, "running", None, 0, 0.0, values)
    status = "completed" if metric("is_whole") else "stopped early"
    score = float(trial.metrics.get_last_value(name))
    numbers = itertools.takewhile(lambda n: trial.metrics.exists(f"{RUN_SCORE}{n}"), itertools.count())
    scores = tuple(metric(f"{RUN_SCORE}{n}") for n in numbers)
    return TrialRow(trial.trial_id, status, score, int(metric("epochs")), metric("seconds"), values, scores=scores)


def _reason(trial: Any, directory: SearchDirectory) -> str:
    file = directory.failure_file(trial.trial_id)
    if file.is_file():
        return file.read_text(encoding="utf-8").strip()
    return failure_reason(trial.message) if trial.message else ""


def best_row(rows: Sequence[TrialRow], goal: keras_tuner.Objective) -> TrialRow | None:
    """The best of the trials that trained to their end, whose score `tfgalaxy train` comes to again; while there is
    none, the best of all; None without any.
    """
    scored = [row for row in rows if row.score is not None and math.isfinite(row.score)]
    whole = [row for row in scored if row.status == "completed"]
    sign = 1.0 if goal.direction == "max" else -1.0
    return max(whole or scored, key=lambda row: sign * (row.score or 0.0), default=None)


def write_results(rows: Sequence[TrialRow], directory: SearchDirectory, objective_name: str) -> TrialRow | None:
    """Writes `trials.csv` and `best.json` anew; gives the best trial."""
    names = list(dict.fromkeys(name for row in rows for name in row.hyperparameters))
    most = max((len(row.scores) for row in rows), default=0)
    runs = [f"{objective_name}_run{repeat}" for repeat in range(most)] if most > 1 else []
    table = [
        {
            "trial": row.trial,
            "status": row.status,
            objective_name: row.score,
            **dict(itertools.zip_longest(runs, row.scores[: len(runs)])),
            "epochs": row.epochs,
            "seconds": round(row.seconds, 1),
            **row.hyperparameters,
            "reason": row.reason,
        }
        for row in rows
    ]
    columns = ["trial", "status", objective_name, *runs, "epochs", "seconds", *names, "reason"]
    RunDirectory.write_table(directory.table_file, columns, table)
    best = best_row(rows, objective(objective_name))
    if best is not None:
        directory.run(best.trial).config.to_json(directory.best_file)
    return best


def results_table(rows: Sequence[TrialRow], objective_name: str) -> Table:
    """The trials for people, best first; settings that are the same in all of them are left out."""
    goal = objective(objective_name)
    sign = 1.0 if goal.direction == "max" else -1.0
    names = list(dict.fromkeys(name for row in rows for name in row.hyperparameters))
    varied = [name for name in names if len({str(row.hyperparameters.get(name)) for row in rows}) > 1]
    table = Table(title=f"{len(rows)} trials, best first", title_justify="left")
    for name, justify in (("trial", "right"), (objective_name, "right"), ("epochs", "right"), ("ended", "left")):
        table.add_column(name.removeprefix("val_").replace("_", " "), justify=justify)  # type: ignore[arg-type]
    table.add_column("settings", overflow="fold")
    ordered = sorted(rows, key=lambda row: math.inf if row.score is None else -sign * row.score)
    for row in ordered[:SHOWN_TRIALS]:
        score = "" if row.score is None else f"{row.score:.4f}"
        if len(row.scores) > 1:
            score += f" ± {statistics.stdev(row.scores) / math.sqrt(len(row.scores)):.4f}"
        values = row.hyperparameters
        settings = ", ".join(f"{name} {_short(values[name])}" for name in varied if name in values)
        table.add_row(row.trial, score, str(row.epochs or ""), row.reason or row.status, settings)
    return table


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
