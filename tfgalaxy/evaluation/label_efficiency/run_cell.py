"""One cell: trains its model, or fits its baseline, and judges it by validation and test galaxies."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.evaluation.evaluate import evaluate_predictions
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore, Judged
from tfgalaxy.evaluation.label_efficiency.galaxies import CellGalaxies
from tfgalaxy.evaluation.label_efficiency.manifest import git_commit
from tfgalaxy.evaluation.label_efficiency.plain_cnn import fit_plain_cnn
from tfgalaxy.evaluation.label_efficiency.plan import Cell
from tfgalaxy.evaluation.label_efficiency.polar_harmonics import fit_support_vectors
from tfgalaxy.evaluation.metrics import baseline_fractions
from tfgalaxy.export.prediction import Predictor
from tfgalaxy.stack import versions
from tfgalaxy.training.run import train
from tfgalaxy.training.run_data import prepare_data

__all__ = ["CellResult", "judge_cell"]

CellResult = tuple[dict[str, Judged], dict[str, Any]]


def judge_cell(
    cell: Cell,
    galaxies: CellGalaxies,
    store: CellStore,
    cnn_steps: int,
    cache: str | os.PathLike[str] | None,
    sources: Mapping[str, Any],
    quiet: bool = False,
) -> CellResult:
    """Runs a cell, or goes on with it where it was killed.

    The run sees neither the fold nor the test part; validation galaxies choose its best epoch, test galaxies choose
    nothing.

    Args:
        cell: which.
        galaxies: what it is made from.
        store: where its run's directory stands.
        cnn_steps: of the plain CNN.
        cache: folder of decoded images.
        sources: where the data came from, for the record.
        quiet: whether to show no progress.

    Returns:
        What `CellStore.write` takes: predictions by part, and the record of scores, seconds and versions.
    """
    started = time.monotonic()
    if cell.is_baseline:
        parts = _fit_baseline(cell, galaxies, cnn_steps, cache, quiet)
        seconds = time.monotonic() - started
    else:
        parts, seconds = _train(cell, galaxies, store, cache, sources, quiet)
    record: dict[str, Any] = {"seconds": round(seconds, 1), "versions": versions(), "commit": git_commit()}
    for part, judged in parts.items():
        evaluation = evaluate_predictions(galaxies.test.questions, judged.votes, judged.predictions, resamples=0)
        record[part] = evaluation.to_dict()
    return parts, record


def _train(
    cell: Cell, galaxies: CellGalaxies, store: CellStore, cache: Any, sources: Mapping[str, Any], quiet: bool
) -> tuple[dict[str, Judged], float]:
    path = store.cell_path(cell)
    if path.exists() and not (path / "run.json").is_file():
        shutil.rmtree(path)  # killed before it had begun
    pixels = _decode(galaxies, cache)
    settings: dict[str, Any] = {"sources": dict(sources), "quiet": quiet, "pixels": pixels}
    # Numbers of labels and both regimes with a pool share the unlabelled clock's start, of each seed, fold and pool.
    starts = store.path / "starts"
    run = train(galaxies.config, galaxies.learnt, path, resume=True, starts=starts, **settings)
    parts_by_id = {row["id"]: row["part"] for row in run.read_split()}
    validation = galaxies.learnt.subset([parts_by_id.get(name) == "validation" for name in galaxies.learnt.ids])
    predictor = Predictor.from_model(run.load_model())
    parts = {}
    for part, chosen in (("validation", validation), ("test", exclude_broken(galaxies.test, pixels))):
        if len(chosen):
            outputs = predictor.predict(pixels.select(chosen.files).array)
            # Served numbers must be finite: a multinomial's infinite concentration is served as 0.
            outputs["concentration"] = np.where(outputs["concentration"] > 0, outputs["concentration"], np.inf)
            parts[part] = _judged(chosen, outputs)
    with run.history_file.open(newline="", encoding="utf-8") as stream:
        return parts, sum(float(row["seconds"]) for row in csv.DictReader(stream))


def _fit_baseline(cell: Cell, galaxies: CellGalaxies, cnn_steps: int, cache: Any, quiet: bool) -> dict[str, Judged]:
    pixels = _decode(galaxies, cache)
    data = prepare_data(galaxies.config, galaxies.learnt, quiet=True, pixels=pixels)
    chosen = {"validation": data.validation, "test": exclude_broken(galaxies.test, pixels)}
    images = np.concatenate([pixels.select(catalogue.files).array for catalogue in chosen.values()])
    questions, votes = galaxies.test.questions, data.train.votes
    if cell.method == "class-means":
        outputs: dict[str, Any] = {"fraction": np.tile(baseline_fractions(votes, questions), (len(images), 1))}
    elif cell.method == "svm":
        outputs = {"fraction": fit_support_vectors(questions, data.train_pixels.array, votes, images, cell.seed)}
    else:
        outputs = fit_plain_cnn(data, images, cell.seed, cnn_steps, galaxies.config.model.voters, quiet)
    border = len(data.validation)
    rows = {"validation": slice(None, border), "test": slice(border, None)}
    return {
        part: _judged(catalogue, {name: values[rows[part]] for name, values in outputs.items()})
        for part, catalogue in chosen.items()
        if len(catalogue)
    }


def _decode(galaxies: CellGalaxies, cache: Any) -> Pixels:
    """All images of the experiment, which are the same for every cell of one pool: one entry of the cache."""
    model, learnt = galaxies.config.model, galaxies.learnt
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    return load_pixels([*learnt.files, *learnt.unlabelled_files, *galaxies.test.files], settings, cache=cache)


def _judged(catalogue: Catalogue, outputs: Mapping[str, Any]) -> Judged:
    predictions = {name: np.asarray(values, np.float32) for name, values in outputs.items()}
    return Judged(catalogue.ids.astype(str), catalogue.votes, predictions)
