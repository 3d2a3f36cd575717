"""Long predictions that go on where they stopped: parts beside the output, which is put together from them at the end.

| in `OUTPUT.parts/` | holds |
|---|---|
| `manifest.json` | what the parts were made from: model, inputs, columns, rows of a part |
| `000000.parquet` ... | consecutive rows; each appears when it is whole |
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow
from pyarrow import parquet

from tfgalaxy.configuration import read_json
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction import BLOCK_ROWS, Predictor, Progress, predicted_parts
from tfgalaxy.export.prediction_columns import check_voters
from tfgalaxy.export.prediction_inputs import PredictionInputs
from tfgalaxy.export.prediction_table import check_table_path, write_tables
from tfgalaxy.files import atomic_file, sync

__all__ = ["PART_ROWS", "Outcome", "parts_folder", "predict_to_file"]

# Rows that a kill can cost; some seconds of work.
PART_ROWS = 32 * BLOCK_ROWS


class Outcome(NamedTuple):
    """What was written.

    Attributes:
        rows: of the table.
        broken: rows with a reason instead of numbers.
        resumed: rows that an earlier, interrupted prediction had made.
    """

    rows: int
    broken: int
    resumed: int


def parts_folder(output: str | os.PathLike[str]) -> Path:
    """Where the parts of an unfinished output are kept."""
    path = Path(output)
    return path.with_name(f"{path.name}.parts")


def predict_to_file(
    predictor: Predictor,
    inputs: PredictionInputs,
    output: str | os.PathLike[str],
    embedding: bool = False,
    voters: float | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Predicts all rows and writes the table of `predict_files`, within an amount of memory that does not grow with it.

    Called again after it was stopped, it goes on behind the last whole part; the outcome is that of an undisturbed
    prediction. The parts are removed when the output is written.

    Args:
        predictor: of a run or an export.
        inputs: `folder_images`, `catalogue_images`, `RecordImages` or `ImageFiles`.
        output: `.csv`, `.parquet`, `.fits`, `.vot` or `.xml`; an existing file is replaced.
        embedding, voters: as in `predict_files`.
        progress: called with the rows done in this call and those that were to do.

    Raises:
        InputError: another format; or an unfinished prediction of the same output from another model or other inputs.
    """
    output = check_table_path(output)
    folder = parts_folder(output)
    voters = check_voters(predictor.voters if voters is None else voters)
    given = {
        "format": 1,
        "model": predictor.fingerprint,
        "inputs": inputs.fingerprint(),
        "rows": len(inputs),
        "rows_per_part": PART_ROWS,
        "voters": voters,
        "embedding": embedding,
    }
    _open_folder(folder, given)
    start = min(_whole_parts(folder, len(inputs)) * PART_ROWS, len(inputs))
    if start < len(inputs):
        tables = predicted_parts(predictor, inputs, PART_ROWS, start, embedding, voters, progress)
        for number, table in enumerate(tables, start=start // PART_ROWS):
            _write_part(folder, number, table)
    files = [_part_file(folder, number) for number in range(-(-len(inputs) // PART_ROWS))]
    # Assembled in the folder, so that a kill leaves nothing beside it.
    write_tables(lambda: _read_parts(files), folder / output.name)
    os.replace(folder / output.name, output)
    broken = sum(int((pd.read_parquet(file, columns=["valid"])["valid"] == 0).sum()) for file in files)
    _remove(folder)
    return Outcome(len(inputs), broken, start)


def _open_folder(folder: Path, given: Mapping[str, Any]) -> None:
    """Makes the folder, or checks that what is in it was made from the same."""
    manifest = folder / "manifest.json"
    if manifest.is_file():
        found = read_json(manifest)
        other = [name for name, value in given.items() if found.get(name) != value]
        if other:
            rule = "must belong to the same model, inputs and options as the unfinished prediction in that folder"
            remedy = f"Other: {', '.join(other)}. Repeat the stopped command, or remove that folder."
            raise InputError("output", rule, str(folder), remedy)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(manifest) as temporary:
        temporary.write_text(json.dumps(given, indent=2) + "\n", encoding="utf-8")


def _part_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.parquet"


def _write_part(folder: Path, number: int, table: pd.DataFrame) -> None:
    with atomic_file(_part_file(folder, number)) as temporary:
        table.to_parquet(temporary, index=False)


def _whole_parts(folder: Path, total: int) -> int:
    """How many parts, from the first on, are there with all their rows."""
    number = 0
    while number * PART_ROWS < total:
        rows = min(PART_ROWS, total - number * PART_ROWS)
        try:
            if parquet.read_metadata(_part_file(folder, number)).num_rows != rows:
                break
        except (OSError, pyarrow.ArrowException):
            break
        number += 1
    return number


def _read_parts(files: list[Path]) -> Iterator[pd.DataFrame]:
    yield from map(pd.read_parquet, files)


def _remove(folder: Path) -> None:
    """Removes the folder in one step, so that no part of it can be taken for an unfinished prediction."""
    doomed = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.replace(folder, doomed)
    sync(folder.parent)
    shutil.rmtree(doomed)
