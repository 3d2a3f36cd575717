"""A run's directory: what it was made from, how far it is, and what came out."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfgalaxy.configuration import read_json
from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file
from tfgalaxy.stack import stack_name, versions
from tfgalaxy.training.config import RunConfig

__all__ = ["RunDirectory"]


class RunDirectory:
    """Names and formats of the files of one run.

    | file | holds |
    |---|---|
    | `run.json` | configuration, questions, versions, catalogue and image folders |
    | `split.csv` | id, part and file of each galaxy: which the run may judge itself by |
    | `excluded.csv` | id, file and reason of each galaxy or image left out |
    | `checkpoint.npz` | the whole state at the end of the last epoch; gone when the run is finished |
    | `teachers/` | the runs that teach it, where there are any; gone when the run is finished |
    | `history.csv` | one row an epoch: phase, losses, validation |
    | `tensorboard/` | the same for TensorBoard |
    | `model.keras` | the fitted model, when finished |
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.run_file = self.path / "run.json"
        self.split_file = self.path / "split.csv"
        self.excluded_file = self.path / "excluded.csv"
        self.checkpoint_file = self.path / "checkpoint.npz"
        self.history_file = self.path / "history.csv"
        self.tensorboard = self.path / "tensorboard"
        self.model_file = self.path / "model.keras"

    def create(self, config: RunConfig, sources: Mapping[str, Any]) -> None:
        """Starts a new run.

        Raises:
            InputError: the directory already holds something.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            remedy = "Name another directory, or add --resume to go on with the run in it."
            raise InputError("output", "must not exist yet, or be empty", str(self.path), remedy)
        self.path.mkdir(parents=True, exist_ok=True)
        record = {"config": config.to_dict(), "sources": dict(sources), "stack": stack_name(), "versions": versions()}
        with atomic_file(self.run_file) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def read(self) -> dict[str, Any]:
        """The content of `run.json`.

        Raises:
            InputError: there is no run here, or one of the other stack, whose weights this one cannot read.
        """
        if not self.run_file.is_file():
            rule, remedy = "must be the directory of a run (with run.json)", "Check the path."
            raise InputError("RUN", rule, str(self.path), remedy)
        record: dict[str, Any] = read_json(self.run_file)
        if record["stack"] != stack_name():
            rule = f"must have been made with the {stack_name()} stack (Keras {versions()['keras']})"
            remedy = "Use the same Python as for training, or export the run there: a SavedModel works with both."
            raise InputError("RUN", rule, f"{record['stack']}, Keras {record['versions']['keras']}", remedy)
        return record

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return RunConfig.from_dict(self.read()["config"], str(self.run_file))

    @property
    def finished(self) -> bool:
        return self.model_file.is_file()

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes `history.csv` anew; columns that a phase does not have stay empty."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        self.write_table(self.history_file, columns, rows)

    @staticmethod
    def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes a CSV in one step."""
        with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)

    def read_split(self) -> list[dict[str, str]]:
        """Rows of `split.csv`: id, part ("train", "validation", "test", "unlabelled") and file."""
        if not self.split_file.is_file():
            raise InputError("RUN", "must hold split.csv", str(self.path), "Train again: this run was stopped early.")
        with self.split_file.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def load_model(self) -> Any:
        """The fitted `GalaxyVAE`.

        Raises:
            InputError: the run is not finished.
        """
        self.read()
        if not self.finished:
            remedy = "Finish it with tfgalaxy train --resume."
            raise InputError("RUN", "must be a finished run (with model.keras)", str(self.path), remedy)
        import keras

        from tfgalaxy.models import GalaxyVAE

        return keras.saving.load_model(self.model_file, custom_objects={"GalaxyVAE": GalaxyVAE}, compile=False)
