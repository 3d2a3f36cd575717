"""A run or an export judged on a catalogue: on galaxies that it has not seen, through the functions that are served."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.evaluate import Evaluation, evaluate_predictions
from tfgalaxy.export.prediction import Predictor, open_predictor
from tfgalaxy.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgalaxy.data.catalogue import Catalogue

__all__ = ["PARTS", "Assessment", "assess", "unseen"]

PARTS = ("unseen", "all", "train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Assessment:
    """What came out.

    Attributes:
        evaluation: of the model.
        baseline: of the class means of the training votes; None when the model does not know them.
        catalogue: the galaxies that were judged, without those whose images are broken.
        predictions: the `classify` signature's outputs for them.
        seen: number of the catalogue's galaxies left out because the run trained or chose its weights with them.
    """

    evaluation: Evaluation
    baseline: Evaluation | None
    catalogue: Catalogue
    predictions: dict[str, np.ndarray]
    seen: int


def unseen(path: str | os.PathLike[str], catalogue: Catalogue, part: str = "unseen") -> Catalogue:
    """The galaxies of a part of a run's split.

    Args:
        path: a run, or an export (which has no split: "unseen" and "all" are then all galaxies).
        catalogue: any catalogue; galaxies are told by id.
        part: "unseen" is every galaxy whose image the run did not use in any way, among them its test part.

    Raises:
        InputError: an unknown part, one that an export does not have, or one without galaxies.
    """
    if part not in PARTS:
        raise InputError("part", f"must be one of {', '.join(PARTS)}", part, "Choose one.")
    if part == "all" or not (Path(path) / "run.json").is_file():
        if part not in ("all", "unseen"):
            raise InputError("part", "must be all or unseen for an export", part, "Give the run instead.")
        return catalogue
    parts: dict[str, set[str]] = {}
    for row in RunDirectory(path).read_split():
        parts.setdefault(row["part"], set()).add(row["id"])
    used = set().union(*(parts.get(name, set()) for name in ("train", "validation", "unlabelled")))
    ids = catalogue.ids
    chosen = np.array([(name not in used) if part == "unseen" else (name in parts.get(part, set())) for name in ids])
    if not chosen.any():
        remedy = "Give other galaxies, or --part all to judge the run by galaxies that it knows."
        raise InputError("catalogue", f"must have galaxies of the part {part}", f"{len(ids)} galaxies", remedy)
    return catalogue.subset(chosen)


def assess(
    path: str | os.PathLike[str] | Predictor,
    catalogue: Catalogue,
    pixels: Any = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Assessment:
    """Predicts every galaxy of the catalogue and judges the predictions.

    Args:
        path: a run, an export's version, or a `Predictor`.
        catalogue: galaxies with votes, as from `unseen`.
        pixels: their pixels, when loaded already.
        seed: of the bootstrap.
        progress: called with the numbers of images done and to do.

    Raises:
        InputError: other questions than the model's.
    """
    from tfgalaxy.data.pixels import exclude_broken, load_pixels

    predictor = path if isinstance(path, Predictor) else open_predictor(path)
    if catalogue.questions.answer_labels != predictor.questions.answer_labels:
        rule = f"must have the model's questions, {predictor.questions.name}"
        raise InputError("questions", rule, catalogue.questions.name, "Name the questions it was trained with.")
    total = len(catalogue)
    pixels = pixels or load_pixels(catalogue.files, predictor.preprocessing)
    catalogue = exclude_broken(catalogue, pixels)
    outputs = predictor.predict(pixels.array, progress=progress)
    # Served numbers must be finite: a multinomial's infinite concentration is served as 0.
    concentration = np.where(outputs["concentration"] > 0, outputs["concentration"], np.inf)
    predictions = {**outputs, "concentration": concentration}
    evaluation = evaluate_predictions(catalogue.questions, catalogue.votes, predictions, seed=seed)
    baseline = None
    if predictor.answer_fractions is not None:
        means = np.broadcast_to(np.asarray(predictor.answer_fractions), catalogue.votes.shape)
        baseline = evaluate_predictions(catalogue.questions, catalogue.votes, {"fraction": means}, seed=seed)
    return Assessment(evaluation, baseline, catalogue, predictions, total - len(catalogue))
