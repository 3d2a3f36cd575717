"""The files of an experiment's cells."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import read_json
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.label_efficiency.plan import Cell
from tfgalaxy.files import atomic_file

__all__ = ["PARTS", "CellStore", "Judged"]

PARTS = ("validation", "test")
# What the metrics read; a method that states no intervals or concentrations leaves them out.
PREDICTED = ("fraction", "concentration", "fraction_lower", "fraction_upper")


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """Galaxies of one part with what was predicted for them.

    Attributes:
        ids: [N] text.
        votes: [N, A].
        predictions: `fraction` [N, A] and, where a method gives them, the others of `PREDICTED`.
    """

    ids: NDArray[np.str_]
    votes: NDArray[np.float32]
    predictions: dict[str, NDArray[np.floating[Any]]]


class CellStore:
    """An experiment's directory.

    | path | holds |
    |---|---|
    | `experiment.json` | what it was made from (`Manifest`) |
    | `cells/<cell>/` | a run's directory; a baseline's has only the two files below |
    | `cells/<cell>/predictions.npz` | ids, votes and predictions of validation and test galaxies |
    | `cells/<cell>/scores.json` | their scores, time and versions; written last: the cell is finished |
    | `locks/<cell>.lock` | which process runs the cell now |
    | `cache/` | decoded images |
    | `starts/` | the state after the unlabelled epochs, of each seed, fold and pool |
    | `table.csv`, `table.md`, `differences.csv`, `differences.md`, `curve.png`, `curve.svg` | the report |
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.manifest_file = self.path / "experiment.json"
        self.cache = self.path / "cache"

    def cell_path(self, cell: Cell) -> Path:
        return self.path / "cells" / cell.name

    def lock_file(self, cell: Cell) -> Path:
        return self.path / "locks" / f"{cell.name}.lock"

    def is_finished(self, cell: Cell) -> bool:
        return (self.cell_path(cell) / "scores.json").is_file()

    def write(self, cell: Cell, parts: Mapping[str, Judged], record: Mapping[str, Any]) -> None:
        """Writes a cell's predictions and then its scores, in one step each."""
        arrays = {}
        for part, judged in parts.items():
            arrays.update({f"{part}_ids": judged.ids, f"{part}_votes": judged.votes})
            arrays.update(
                {f"{part}_{name}": judged.predictions[name] for name in PREDICTED if name in judged.predictions}
            )
        with atomic_file(self.cell_path(cell) / "predictions.npz") as temporary:
            np.savez_compressed(temporary, **arrays)
        with atomic_file(self.cell_path(cell) / "scores.json") as temporary:
            text = json.dumps({"cell": cell.to_dict(), **record}, indent=2, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    def read_record(self, cell: Cell) -> dict[str, Any]:
        """The content of a finished cell's `scores.json`."""
        record: dict[str, Any] = read_json(self.cell_path(cell) / "scores.json")
        return record

    def read_predictions(self, cell: Cell) -> dict[str, Judged]:
        """What `write` was given; a part without galaxies is absent.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self.cell_path(cell) / "predictions.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError) as error:
            remedy = f"Remove {path.parent}; the cell is then run again."
            raise InputError(str(path), "must hold a cell's predictions", str(error), remedy) from error
        found = {}
        for part in PARTS:
            if f"{part}_ids" in arrays:
                names = [name for name in PREDICTED if f"{part}_{name}" in arrays]
                predictions = {name: arrays[f"{part}_{name}"] for name in names}
                found[part] = Judged(arrays[f"{part}_ids"], arrays[f"{part}_votes"], predictions)
        return found
