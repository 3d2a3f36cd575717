"""A search's directory: what it was made from, and where its trials and results stand."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tfgalaxy.configuration import Configuration, check, leaves, read_json
from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file
from tfgalaxy.stack import stack_name, versions
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.tuning.space import SearchSpace

__all__ = ["Algorithm", "SearchDirectory", "SearchPlan"]

Algorithm = Literal["random", "bayesian", "hyperband"]


@dataclasses.dataclass(frozen=True)
class SearchPlan(Configuration):
    """All that the trials of a search depend on, but for their number.

    Attributes:
        algorithm: which oracle asks.
        objective: by which trials are judged.
        space: what is searched.
        config: of all runs; what the space leaves open, and what the search starts from.
        galaxies: hash of ids, votes and the names of images.
        stop_early: whether `MedianStopping` ends poor trials; Hyperband has rungs instead.
        seeds: runs of each trial, which is judged by their mean.
        stack: "classic" or "current": one cannot read the other's checkpoints.
    """

    algorithm: Algorithm
    objective: str
    space: SearchSpace
    config: RunConfig
    galaxies: str
    stop_early: bool = True
    seeds: int = 1
    stack: str = dataclasses.field(default_factory=stack_name)


class SearchDirectory:
    """Names and formats of the files of one search.

    | path | holds |
    |---|---|
    | `search.json` | what it was made from (`SearchPlan`) |
    | `oracle/` | KerasTuner's own files: `oracle.json`, and `trial.json` of each trial |
    | `trials/<trial>/` | the trial's run; `failure.txt` says why a trial failed |
    | `trials/<trial>-run<N>/` | its further runs, with the N-th seed after the first one's |
    | `curves/`, `curves/run<N>/` | the objective of ended trials over their epochs, for median stopping |
    | `starts/` | the state after the unlabelled epochs, where trials share it |
    | `cache/` | decoded images |
    | `best.json` | configuration of the best trial so far, for `tfgalaxy train --config` |
    | `trials.csv`, `trials.png`, `trials.svg` | table and picture of all trials |
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.search_file = self.path / "search.json"
        self.oracle = self.path / "oracle"
        self.trials = self.path / "trials"
        self.curves = self.path / "curves"
        self.starts = self.path / "starts"
        self.cache = self.path / "cache"
        self.best_file = self.path / "best.json"
        self.table_file = self.path / "trials.csv"
        self.figure_files = (self.path / "trials.png", self.path / "trials.svg")

    def run(self, trial_id: str, repeat: int = 0) -> RunDirectory:
        """The directory of a trial's run: its first, or the one with the `repeat`-th seed after that one's."""
        return RunDirectory(self.trials / (f"{trial_id}-run{repeat}" if repeat else trial_id))

    def curves_of(self, repeat: int) -> Path:
        """Folder of the curves of all trials' runs with one seed."""
        return self.curves / f"run{repeat}" if repeat else self.curves

    def failure_file(self, trial_id: str) -> Path:
        return self.trials / trial_id / "failure.txt"

    def stored_config(self) -> RunConfig | None:
        """The configuration of the search that is there, which going on with it need not repeat; None without one."""
        return self._read_plan().config if self.search_file.is_file() else None

    def _read_plan(self) -> SearchPlan:
        record = dict(read_json(self.search_file))
        for name in ("versions", "sources"):
            record.pop(name, None)
        return SearchPlan.from_dict(record, str(self.search_file))

    def wait_for_plan(self, seconds: float = 600.0) -> None:
        """As a worker: waits for the chief to begin the search.

        Raises:
            InputError: it has not after so many seconds.
        """
        end = time.monotonic() + seconds
        while not self.search_file.is_file():
            remedy = "Start the chief first, with the same --output on a folder that both see."
            check(time.monotonic() < end, "output", "must hold the search of a chief", str(self.path), remedy)
            time.sleep(0.5)

    def store(self, plan: SearchPlan, sources: Mapping[str, Any]) -> None:
        """Writes the plan of a new search, or checks that the search that is there has the same.

        Raises:
            InputError: it was made from something else, by the first thing that differs; or the directory holds
                something else.
        """
        if self.search_file.is_file():
            self._check_same(self._read_plan(), plan)
            return
        others = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        remedy = "Name another directory."
        check(not others, "output", "must not exist yet, be empty, or hold a search", str(self.path), remedy)
        record = {**plan.to_dict(), "sources": dict(sources), "versions": versions()}
        with atomic_file(self.search_file) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _check_same(self, stored: SearchPlan, given: SearchPlan) -> None:
        before, now = (leaves(plan.to_dict()) for plan in (stored, given))
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                rule = f"must hold a search with {name} = {now.get(name)!r}"
                remedy = "Go on with the options that it was started with, or name another --output."
                raise InputError(str(self.path), rule, before.get(name), remedy)
