"""Predictions for many images through the served signatures, from a run or an export alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfgalaxy.configuration import read_json
from tfgalaxy.data.pixels import load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.export.signatures import ServedModel, preprocessing_of
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["Predictor", "open_predictor", "predict_files"]

Progress = Callable[[int, int], None]


class Predictor:
    """The signatures of one model with what is needed to feed and read them.

    Args:
        function: gives the function of a signature's name, as `ServedModel.trace` does.
        questions: the decision tree, for the names of the answers.
        preprocessing: how pictures become its input.
        answer_fractions: mean vote fractions of the labelled training set, the baseline of every evaluation, or None.
        owner: whatever must stay alive for the signatures to work.
    """

    def __init__(
        self,
        function: Callable[[str], Any],
        questions: Questions,
        preprocessing: Preprocessing,
        answer_fractions: Sequence[float] | None = None,
        owner: Any = None,
    ) -> None:
        self.function, self.questions, self.preprocessing = function, questions, preprocessing
        self.answer_fractions, self._owner = answer_fractions, owner

    @classmethod
    def from_model(cls, model: Any) -> Predictor:
        """Of a `GalaxyVAE` in this process."""
        served = ServedModel(model)
        return cls(served.trace, model.questions, preprocessing_of(model), model.config.answer_fractions, served)

    @classmethod
    def from_saved_model(cls, path: str | os.PathLike[str]) -> Predictor:
        """Of an exported version, `BASE/NAME/<integer>`."""
        path = Path(path)
        questions = Questions.from_json(path / "assets" / "questions.json")
        preprocessing = Preprocessing.from_json(path / "assets" / "preprocessing.json")
        card = read_json(path / "assets.extra" / "model_card.json")
        loaded = tf.saved_model.load(str(path))
        return cls(loaded.signatures.__getitem__, questions, preprocessing, card["model"]["answer_fractions"], loaded)

    def predict(
        self,
        images: np.ndarray,
        signature: str = "classify",
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature over images.

        Args:
            images: [N, H, W, C], uint8, or float32 between 0 and 1.
            signature: "classify", "embed" or "reconstruct".
            batch_size: images at a time; the outputs do not depend on it.
            progress: called with the number done and N.

        Returns:
            The signature's outputs, [N, ...] float32 each.
        """
        function, parts = self.function(signature), []
        for start in range(0, len(images), batch_size):
            batch = np.asarray(images[start : start + batch_size])
            scaled = batch.astype(np.float32) / 255.0 if batch.dtype == np.uint8 else batch.astype(np.float32)
            parts.append({name: value.numpy() for name, value in function(image=tf.constant(scaled)).items()})
            if progress is not None:
                progress(min(start + batch_size, len(images)), len(images))
        if not parts:
            raise InputError("images", "must hold at least one image", images.shape, "Check the image folder.")
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def open_predictor(path: str | os.PathLike[str]) -> Predictor:
    """The predictor of a run's directory, or of an export's version directory.

    Raises:
        InputError: the path is neither.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return Predictor.from_saved_model(path)
    versions = sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdigit()) if path.is_dir() else []
    if versions:
        rule = "must be a run, or one version of an export"
        raise InputError("RUN|EXPORT", rule, str(path), f"Name a version, such as {path / str(versions[-1])}.")
    return Predictor.from_model(RunDirectory(path).load_model())


def predict_files(
    predictor: Predictor,
    files: Sequence[str],
    ids: Sequence[str] | None = None,
    chunk_size: int = 4096,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """One row for each file, broken ones included with the reason.

    Args:
        predictor: of a run or an export.
        files: paths of images.
        ids: names of the galaxies; the files' names without suffix by default.
        chunk_size: images in memory at a time.
        progress: called with the number done and the number of files.

    Returns:
        Columns `id`, `file`, `valid` (1 or 0), `reason`, for each answer `<question>_<answer>_fraction`,
        `..._fraction_lower`, `..._fraction_upper` (90 %), for each question `<question>_asked_probability` and
        `<question>_concentration`. Rows that are not valid hold NaN.
    """
    ids = [Path(file).name.split(".")[0] for file in files] if ids is None else list(ids)
    tables = []
    for start in range(0, len(files), chunk_size):
        part = slice(start, start + chunk_size)
        tables.append(_predict_chunk(predictor, list(files[part]), list(ids[part])))
        if progress is not None:
            progress(min(start + chunk_size, len(files)), len(files))
    if not tables:
        raise InputError("images", "must hold at least one image", "an empty list", "Check the image folder.")
    return pd.concat(tables, ignore_index=True)


def _predict_chunk(predictor: Predictor, files: list[str], ids: list[str]) -> pd.DataFrame:
    pixels = load_pixels(files, predictor.preprocessing)
    reasons = dict(pixels.excluded)
    table = pd.DataFrame({"id": ids, "file": files})
    table["reason"] = [reasons.get(file, "") for file in files]
    valid = (table["reason"] == "").to_numpy()
    table.insert(2, "valid", valid.astype(np.int8))
    names, values = _columns(predictor, pixels.array) if valid.any() else (column_names(predictor.questions), None)
    numbers = np.full([len(files), len(names)], np.nan, np.float32)
    if values is not None:
        numbers[valid] = values
    return pd.concat([table, pd.DataFrame(numbers, columns=names)], axis=1)


def column_names(questions: Questions) -> list[str]:
    """Names of the numbers of one prediction, in the order of the table."""
    asked = [question.name for question in questions.questions]
    outputs = ("fraction", "fraction_lower", "fraction_upper")
    names = [f"{label}_{output}" for label in questions.answer_labels for output in outputs]
    return names + [f"{name}_{output}" for name in asked for output in ("asked_probability", "concentration")]


def _columns(predictor: Predictor, images: np.ndarray) -> tuple[list[str], np.ndarray]:
    outputs = predictor.predict(images)
    answers = np.stack([outputs[name] for name in ("fraction", "fraction_lower", "fraction_upper")], axis=-1)
    asked = np.stack([outputs["asked_probability"], outputs["concentration"]], axis=-1)
    count = len(answers)
    return column_names(predictor.questions), np.concatenate([answers.reshape(count, -1), asked.reshape(count, -1)], 1)
