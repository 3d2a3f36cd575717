"""Gets a report's material from a run: every prediction goes through the signatures that are exported."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.pixels import load_pixels
from tfgalaxy.evaluation.assessment import Assessment, assess, unseen
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore
from tfgalaxy.evaluation.label_efficiency.measurements import Measurements
from tfgalaxy.evaluation.report.material import JudgedGalaxies, ReportMaterial, RunRecord, ShownGalaxies
from tfgalaxy.evaluation.report.selection import select_galaxies
from tfgalaxy.export.prediction import Predictor
from tfgalaxy.layers.transformations import get_transformation
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["collect_material", "pose_matrices_of", "read_experiment", "read_run"]

# Side of the pictures that are shown large, in pixels.
SHOWN_SIZE = 128
PRIOR_SAMPLES = 24
Progress = Callable[[int, int], None]


def read_run(run: RunDirectory) -> RunRecord:
    """What a run's directory says about it.

    Raises:
        InputError: it is none, or has no history yet.
    """
    record, config = run.read(), run.config
    rule, remedy = "must hold history.csv", "Finish it with tfgalaxy train --resume."
    check(run.history_file.is_file(), "RUN", rule, str(run.path), remedy)
    parts = Counter(row["part"] for row in run.read_split())
    excluded: list[tuple[str, str, str]] = []
    if run.excluded_file.is_file():
        with run.excluded_file.open(newline="", encoding="utf-8") as stream:
            excluded = [(row["id"], row["file"], row["reason"]) for row in csv.DictReader(stream)]
    history = pd.read_csv(run.history_file)
    name = run.path.resolve().name
    return RunRecord(name, config, parts, history, record["sources"], record["versions"], tuple(excluded))


def read_experiment(path: str | os.PathLike[str]) -> Measurements:
    """The finished cells of an experiment's directory.

    Raises:
        InputError: there is no experiment, or none of its cells is finished.
    """
    store = CellStore(path)
    rule, remedy = "must be the --output of tfgalaxy label-efficiency", "Check the path."
    check(store.manifest_file.is_file(), "label-efficiency", rule, str(path), remedy)
    measured = Measurements(store)
    measured.refresh()
    check(bool(measured.records), "label-efficiency", "must hold a finished cell", str(path), "Wait for the first.")
    return measured


def collect_material(
    path: str | os.PathLike[str],
    catalogue: str | None = None,
    images: str | None = None,
    part: str = "unseen",
    voters: int | None = None,
    cache: str | None = None,
    label_efficiency: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ReportMaterial:
    """Predicts the galaxies that a run has not seen, and takes all that a report shows.

    Args:
        path: a finished run.
        catalogue, images: galaxies to judge it by; those that it was trained with by default.
        part: of the run's split, see `tfgalaxy.evaluation.assessment.unseen`.
        voters: volunteers per galaxy, for catalogues of fractions; as in the run by default.
        cache: folder that keeps decoded images; in memory when None.
        label_efficiency: directory of an experiment to be shown too.
        seed: of the bootstrap and of the samples from the prior.
        progress: called with the numbers of images done and to do.

    Raises:
        InputError: no finished run, no galaxies to judge it by, or see `read_experiment`.
    """
    directory = RunDirectory(path)
    run = read_run(directory)
    experiment = None if label_efficiency is None else read_experiment(label_efficiency)
    model = directory.load_model()
    predictor = Predictor.from_model(model)
    places = (_source(run, "catalogue", catalogue), _source(run, "images", images))
    voters = run.config.data.voters if voters is None else voters
    chosen = unseen(path, load_catalogue(*places, predictor.questions, voters=voters), part)
    pixels = load_pixels(chosen.files, predictor.preprocessing, cache=cache, progress=progress)
    assessment = assess(predictor, chosen, pixels, seed, progress)
    array = pixels.select(assessment.catalogue.files).array
    judged = _judged(part, assessment, array, predictor, run.config.model.transformations)
    shown = _shown(judged, assessment, predictor, run.has_vae)
    samples = np.asarray(model.sample_prior(PRIOR_SAMPLES, seed)) if run.has_vae else None
    broken = tuple((item.id, item.file, item.reason) for item in assessment.catalogue.excluded)
    run = dataclasses.replace(run, excluded=tuple(dict.fromkeys((*run.excluded, *broken))))
    return ReportMaterial(run, predictor.questions, judged, shown, samples, experiment)


def _source(run: RunRecord, name: str, given: str | None) -> str:
    """What was given, or what the run was trained with."""
    value = given or run.sources.get(name)
    check(bool(value), name, "must be given, for the run does not say which", value, f"Add --{name}.")
    return str(value)


def _judged(
    part: str, assessment: Assessment, images: NDArray[np.uint8], predictor: Predictor, names: tuple[str, ...]
) -> JudgedGalaxies:
    embedding = predictor.predict(images, "embed")
    matrix = pose_matrices_of(names, embedding["pose"]) if names else None
    concentration = embedding["pose_concentration"].min(axis=-1) if names else None
    return JudgedGalaxies(
        part,
        assessment.catalogue.ids,
        assessment.catalogue.votes,
        images,
        assessment.predictions,
        assessment.evaluation,
        assessment.baseline,
        embedding["latent_mean"],
        matrix,
        concentration,
    )


def _shown(judged: JudgedGalaxies, assessment: Assessment, predictor: Predictor, has_vae: bool) -> ShownGalaxies:
    questions = assessment.catalogue.questions
    groups = select_galaxies(questions, judged.votes, judged.predictions, judged.pose_concentration)
    rows = np.unique(np.concatenate(list(groups.values())))
    files = assessment.catalogue.files[rows]
    larger = predictor.preprocessing.replace(image_size=max(SHOWN_SIZE, predictor.preprocessing.image_size))
    pictures = load_pixels(files, larger).select(files).array
    views = predictor.predict(judged.images[rows], "reconstruct")
    return ShownGalaxies(groups, rows, pictures, views["canonical_view"], views["reconstruction"] if has_vae else None)


def pose_matrices_of(names: tuple[str, ...], pose: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Matrices [N, 3, 3] of poses [N, P] as the `embed` signature gives them.

    Args:
        names: of the model's transformations, in their order: M = M_1 ... M_n.
        pose: parameters of all of them, side by side.
    """
    matrix = tf.eye(3, batch_shape=[len(pose)])
    start = 0
    for transformation in map(get_transformation, names):
        theta = tf.constant(pose[:, start : start + transformation.size], tf.float32)
        matrix, start = tf.matmul(matrix, transformation.matrix(theta)), start + transformation.size
    result: NDArray[np.float32] = matrix.numpy()
    return result
