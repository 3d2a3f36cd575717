"""Invariance of a classifier's answers to how its galaxy is turned, mirrored, zoomed and shifted."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from rich.table import Table

from tfgalaxy.configuration import check
from tfgalaxy.data.questions import Questions
from tfgalaxy.evaluation.equivariance import Progress, Spread
from tfgalaxy.evaluation.equivariance_table import OTHER_GALAXY, invariance_table
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, sum_answers
from tfgalaxy.evaluation.transformed_images import Images, Prepare, check_count, transformed_images
from tfgalaxy.export.prediction import Predictor
from tfgalaxy.files import atomic_file
from tfgalaxy.models.galaxy_vae import GalaxyVAE
from tfgalaxy.models.vote_likelihood import vote_fractions

__all__ = [
    "CHANGES",
    "Change",
    "InvarianceError",
    "InvarianceRow",
    "invariance_error",
    "total_variation",
]

Classify = Callable[[tf.Tensor], Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """A way in which a copy of an image differs that leaves the answers as they are.

    Attributes:
        name: as in "turned".
        rotation: whether the galaxy is turned by any angle.
        flip: whether it is mirrored, left and right exchanged.
        zoom: it is magnified by 1 + zoom, or made smaller by as much, half of the images each.
        shift: it moves by U(-shift, shift) of the half-width along each axis.
    """

    name: str
    rotation: bool = False
    flip: bool = False
    zoom: float = 0.0
    shift: float = 0.0

    def matrices(self, count: int, generator: np.random.Generator) -> FloatArray:
        """T for so many images, [count, 3, 3], on points of the image."""
        angle = generator.uniform(-np.pi, np.pi, count) if self.rotation else np.zeros(count)
        scale = (1.0 + self.zoom) ** generator.choice([-1.0, 1.0], count)
        result = np.tile(np.eye(3), (count, 1, 1))
        result[:, 0, 0] = result[:, 1, 1] = scale * np.cos(angle)
        result[:, 1, 0], result[:, 0, 1] = scale * np.sin(angle), -scale * np.sin(angle)
        if self.flip:
            result[:, :, 0] *= -1.0  # mirrored first
        result[:, :2, 2] = generator.uniform(-self.shift, self.shift, (count, 2))
        return result


CHANGES = (
    Change("turned", rotation=True),
    Change("flipped", flip=True),
    Change("zoomed by 10 %", zoom=0.1),
    Change("zoomed by 20 %", zoom=0.2),
    Change("shifted by 5 %", shift=0.05),
    Change("all of them", rotation=True, flip=True, zoom=0.2, shift=0.05),
)


@dataclasses.dataclass(frozen=True)
class InvarianceRow:
    """Total variation under one change.

    Attributes:
        change: its name; `OTHER_GALAXY` compares each image with another one.
        prediction: which of the model's predictions, as in "single view".
        total: of the mean over questions.
        questions: of each question.
    """

    change: str
    prediction: str
    total: Spread
    questions: dict[str, Spread]


@dataclasses.dataclass(frozen=True, eq=False)
class InvarianceError:
    """How much a classifier's answers change where they should not.

    Attributes:
        rows: one for each change and kind of prediction.
        images, seed: number of images, and the seed of the changes.
        values: for each row, the mean over questions of each image's total variation, [N].
    """

    rows: tuple[InvarianceRow, ...]
    images: int
    seed: int
    values: tuple[FloatArray, ...]

    def row(self, change: str, prediction: str | None = None) -> InvarianceRow:
        """The row of a change, and of the first kind of prediction unless one is named.

        Raises:
            InputError: there is none.
        """
        found = [row for row in self.rows if row.change == change and prediction in (None, row.prediction)]
        known = list(dict.fromkeys(row.change for row in self.rows))
        check(bool(found), "change", f"must be one of {', '.join(known)}", change, "Choose one.")
        return found[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON's types: the attributes without the arrays."""
        return {"images": self.images, "seed": self.seed, "rows": [dataclasses.asdict(row) for row in self.rows]}

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_dict` to a file, in one step."""
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def table(self) -> Table:
        """A row per change and kind of prediction for the terminal."""
        return invariance_table(self)


def total_variation(questions: Questions, first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Half of the sum over answers of |p - q|, of each question: the largest difference in probability of any set of
    answers.

    Args:
        questions: the decision tree that the columns follow.
        first, second: fractions [N, A].

    Returns:
        [N, Q], 0 to 1.

    Example:
        >>> from tfgalaxy.data.questions import Question, Questions
        >>> shape = Questions("shape", (Question("shape", ("round", "flat")),))
        >>> total_variation(shape, [[0.75, 0.25]], [[0.5, 0.5]]).tolist()
        [[0.25]]
    """
    count = len(np.asarray(first))
    p, q = (check_predictions(questions, {"fraction": fraction}, count)["fraction"] for fraction in (first, second))
    return 0.5 * sum_answers(questions, np.abs(p - q))


def invariance_error(
    model: GalaxyVAE | Predictor | Classify,
    images: Images,
    questions: Questions | None = None,
    changes: Sequence[Change] = CHANGES,
    *,
    seed: int = 0,
    batch_size: int = 64,
    prepare: Prepare | None = None,
    crop_fraction: float = 1.0,
    progress: Progress | None = None,
) -> InvarianceError:
    """Total variation between the answers for an image and for its turned, mirrored, zoomed and shifted copies.

    Answers that a mirror exchanges (clockwise and anticlockwise spirals) are exchanged back before they are compared.
    Beside the changes stands what chance gives: each image compared with another one.

    Args:
        model: a `GalaxyVAE`, judged by a single view and by the mean over its `config.prediction_views`; a `Predictor`
            of a run or an export; or any function or Keras model of images [B, H, W, C] that returns fractions [B, A],
            or a dictionary with them under "fraction".
        images, prepare, crop_fraction: as for `equivariance_error`.
        questions: the decision tree of the fractions; the model's by default.
        changes: what is done to the images.
        seed: of the changes.
        batch_size: images at a time.
        progress: called with the numbers of images done and to do.

    Raises:
        InputError: no image, unknown questions, or outputs that are no fractions.
    """
    questions = questions or getattr(model, "questions", None)
    known = isinstance(questions, Questions)
    check(known, "questions", "must be given for a model that does not state them", questions, "Load the preset.")
    assert questions is not None
    count, generator = check_count(images), np.random.default_rng(seed)
    functions = _functions(model)
    before = _predict(functions, transformed_images(images, None, prepare, crop_fraction), batch_size)
    rows: list[InvarianceRow] = []
    values: list[FloatArray] = []
    permutation = list(questions.flip_permutation)
    for done, change in enumerate(changes, start=1):
        moved = transformed_images(images, change.matrices(count, generator), prepare, crop_fraction)
        for name, fraction in _predict(functions, moved, batch_size).items():
            if change.flip:
                fraction = fraction[:, permutation]
            _add(rows, values, questions, (change.name, name), before[name], fraction)
        if progress is not None:
            progress(done * count, len(changes) * count)
    for name, fraction in before.items() if count > 1 else ():
        _add(rows, values, questions, (OTHER_GALAXY, name), fraction, np.roll(fraction, 1, axis=0))
    return InvarianceError(tuple(rows), count, seed, tuple(values))


def _add(
    rows: list[InvarianceRow],
    values: list[FloatArray],
    questions: Questions,
    names: tuple[str, str],
    before: FloatArray,
    after: FloatArray,
) -> None:
    variation = total_variation(questions, before, after)  # [N, Q]
    asked = [question.name for question in questions.questions]
    each = {name: Spread.of(variation[:, index]) for index, name in enumerate(asked)}
    rows.append(InvarianceRow(*names, Spread.of(variation.mean(axis=1)), each))
    values.append(variation.mean(axis=1))


def _functions(model: Any) -> dict[str, Classify]:
    if isinstance(model, Predictor):
        return {"as served": lambda images: model.predict(images.numpy())}
    if not isinstance(model, GalaxyVAE):
        return {"model": model}
    functions: dict[str, Classify] = {"single view": functools.partial(_single_view, model)}
    if model.config.prediction_views > 1:
        functions[f"{model.config.prediction_views} views"] = model
    return functions


def _single_view(model: GalaxyVAE, images: tf.Tensor) -> tf.Tensor:
    polar, _ = model.canonical_view(images)
    return vote_fractions(model.questions, model.vote_parameters(model.feature_map(polar)).logits)


def _predict(functions: Mapping[str, Classify], images: np.ndarray, batch_size: int) -> dict[str, FloatArray]:
    parts: dict[str, list[FloatArray]] = {name: [] for name in functions}
    for start in range(0, len(images), batch_size):
        batch = tf.constant(images[start : start + batch_size])
        for name, function in functions.items():
            output = function(batch)
            parts[name].append(np.asarray(output["fraction"] if isinstance(output, Mapping) else output, np.float64))
    return {name: np.concatenate(part) for name, part in parts.items()}
