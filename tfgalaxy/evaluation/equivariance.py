"""Equivariance as a number: how far a predicted pose is from moving as its image is moved."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from rich.table import Table

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.equivariance_table import equivariance_table
from tfgalaxy.evaluation.inputs import FloatArray
from tfgalaxy.evaluation.pose_composition import (
    composed_pose,
    draw_theta,
    pose_difference,
    pose_matrix,
    resolve_transformations,
    unexplained,
)
from tfgalaxy.evaluation.transformed_images import Images, Prepare, check_count, transformed_images
from tfgalaxy.files import atomic_file

if TYPE_CHECKING:
    from tfgalaxy.layers import Transformation

__all__ = ["EquivarianceError", "ParameterError", "Spread", "equivariance_error", "predicted_pose", "summarise"]

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean, median and 95th percentile of sizes, all at least 0."""

    mean: float
    median: float
    p95: float

    @classmethod
    def of(cls, values: ArrayLike) -> Spread:
        """Of the values of an array of any shape."""
        sizes = np.asarray(values, np.float64)
        return cls(float(sizes.mean()), float(np.median(sizes)), float(np.quantile(sizes, 0.95)))


@dataclasses.dataclass(frozen=True)
class ParameterError:
    """The error of one parameter of a pose.

    Attributes:
        transformation, name, unit: which parameter; errors have its unit.
        error: of |f(T x) - (T f)(x)|.
        control: the same for a predictor that gives the same pose for every image, which is what chance gives.
    """

    transformation: str
    name: str
    unit: str
    error: Spread
    control: Spread


@dataclasses.dataclass(frozen=True, eq=False)
class EquivarianceError:
    """How far a predictor is from f(T x) = (T f)(x).

    Attributes:
        parameters: a row per parameter of the pose.
        images, draws, seed: number of images, of transformations of each, and the seed they were drawn with.
        unexplained: mean distance, in half-widths, between what T does to a pose and what any pose of this sequence of
            transformations can express. 0 where products of the sequence's poses are such poses, as for translation
            then rotation_scale; else errors of parameters below it say nothing.
        errors: signed, [draws * images, P].
        theta: what was drawn, [draws * images, P].
    """

    parameters: tuple[ParameterError, ...]
    images: int
    draws: int
    seed: int
    unexplained: float
    errors: FloatArray
    theta: FloatArray

    def parameter(self, name: str, transformation: str | None = None) -> ParameterError:
        """The row of a parameter, of the first transformation that has it unless one is named.

        Raises:
            InputError: there is none.
        """
        for row in self.parameters:
            if row.name == name and transformation in (None, row.transformation):
                return row
        known = [f"{row.transformation} {row.name}" for row in self.parameters]
        raise InputError("parameter", f"must be one of {', '.join(known)}", name, "Choose one.")

    def to_dict(self) -> dict[str, Any]:
        """JSON's types: the attributes without the arrays."""
        fields = ("images", "draws", "seed", "unexplained")
        rows = [dataclasses.asdict(row) for row in self.parameters]
        return {**{name: getattr(self, name) for name in fields}, "parameters": rows}

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_dict` to a file, in one step."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        with atomic_file(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def table(self) -> Table:
        """A row per parameter for the terminal."""
        return equivariance_table(self)


def equivariance_error(
    predictor: Any,
    images: Images,
    transformations: Sequence[str | Transformation] | str | Transformation | None = None,
    *,
    draws: int = 2,
    seed: int = 0,
    batch_size: int = 64,
    prepare: Prepare | None = None,
    crop_fraction: float = 1.0,
    progress: Progress | None = None,
) -> EquivarianceError:
    """The error of f(T x) - f(x) - theta over random theta, for every parameter of a pose.

    For each image and draw, every parameter is drawn uniformly from its range (`Parameter.low` to `high`), T =
    T_1(theta_1) ... T_n(theta_n) is applied about the centre of the image, and f(T x) is compared with the pose that
    the group's law gives: theta composed with f(x), which for most transformations is f(x) + theta, and for sequences
    the parameters of the matrix T M (see `composed_pose`). Angles are compared on the circle.

    The control is a predictor whose pose never changes: it misses by theta itself.

    Args:
        predictor: a layer with `pose(images)`, a `GalaxyVAE`, or any function or Keras model of images [B, H, W, C]
            that returns the pose's mean [B, P], alone or as the first output of that shape, or a dictionary with it
            under "pose".
        images: [N, H, W, C] from 0 to 1 or uint8; or, with `prepare`, a sequence of pictures, which are transformed at
            their own resolution before they are prepared.
        transformations: names, or transformations themselves, of the pose, in order; those of the layer by default.
        draws: transformations for each image.
        seed: of the draws.
        batch_size: images at a time.
        prepare, crop_fraction: how pictures become the predictor's input; see `transformed_images`.
        progress: called with the numbers of images done and to do.

    Raises:
        InputError: no image, a predictor whose transformations are not known, or one that gives no finite [B, P].

    Example:
        >>> images = np.random.default_rng(0).random((4, 16, 16, 1)).astype("float32")
        >>> result = equivariance_error(lambda x: np.zeros([len(x), 1]), images, "rotation", draws=1)
        >>> result.parameter("angle").error == result.parameter("angle").control
        True

    Reference: Tai, Bailis, Valiant 2019 (arXiv 1901.11399), equation 4.
    """
    check(draws >= 1, "draws", "must be at least 1", draws, "Use 2.")
    steps = _transformations_of(predictor, transformations)
    count, generator = check_count(images), np.random.default_rng(seed)
    size = sum(step.size for step in steps)
    before = predicted_pose(predictor, transformed_images(images, None, prepare, crop_fraction), size, batch_size)
    thetas, afters = [], []
    for draw in range(draws):
        theta = draw_theta(steps, count, generator)
        moved = transformed_images(images, pose_matrix(steps, theta), prepare, crop_fraction)
        thetas.append(theta)
        afters.append(predicted_pose(predictor, moved, size, batch_size))
        if progress is not None:
            progress((draw + 1) * count, draws * count)
    return summarise(steps, np.concatenate(thetas), np.tile(before, (draws, 1)), np.concatenate(afters), seed, draws)


def summarise(
    transformations: Sequence[Transformation],
    theta: FloatArray,
    before: FloatArray,
    after: FloatArray,
    seed: int = 0,
    draws: int = 1,
) -> EquivarianceError:
    """The error of poses that were predicted already.

    Args:
        transformations: of the pose, in order.
        theta: what the images were transformed by, [S, P].
        before, after: poses predicted for the images and the transformed images, [S, P].
        seed, draws: how theta was drawn, for the record; S is `draws` times the number of images.
    """
    expected = composed_pose(transformations, theta, before)
    errors = pose_difference(transformations, after, expected)
    control = pose_difference(transformations, np.zeros_like(theta), theta)
    named = [(step.name, parameter) for step in transformations for parameter in step.parameters]
    rows = tuple(
        ParameterError(name, p.name, p.unit, Spread.of(np.abs(errors[:, i])), Spread.of(np.abs(control[:, i])))
        for i, (name, p) in enumerate(named)
    )
    rest = float(unexplained(transformations, theta, before, expected).mean())
    return EquivarianceError(rows, len(theta) // draws, draws, seed, rest, errors, theta)


def _transformations_of(predictor: Any, given: Any) -> tuple[Transformation, ...]:
    if given is not None:
        return resolve_transformations(given)
    layer = getattr(predictor, "transformer", predictor)
    found = [step.transformation for step in getattr(layer, "steps", [layer]) if hasattr(step, "transformation")]
    rule = "must be given for a predictor that does not state them"
    check(bool(found), "transformations", rule, type(predictor).__name__, "Name them, as 'rotation'.")
    return tuple(found)


def predicted_pose(predictor: Any, images: ArrayLike, size: int, batch_size: int = 64) -> FloatArray:
    """The poses that a predictor gives for images, [N, size].

    Args:
        predictor, batch_size: as for `equivariance_error`.
        images: [N, H, W, C], float.
        size: number of the pose's parameters P.

    Raises:
        InputError: it gives nothing of the shape [B, P], or what is not finite.
    """
    images = np.asarray(images, np.float32)
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([_pose_of_batch(predictor, batch, size) for batch in batches])


def _pose_of_batch(predictor: Any, batch: np.ndarray, size: int) -> FloatArray:
    from tfgalaxy.models.galaxy_vae import GalaxyVAE

    images = tf.constant(batch)
    if isinstance(predictor, GalaxyVAE):
        output = predictor.canonical_view(images)[1]
    else:
        output = predictor.pose(images) if hasattr(predictor, "pose") else predictor(images)
    if isinstance(output, Mapping):
        output = output.get("pose", np.zeros(0))
    several = isinstance(output, tuple | list)
    arrays = [np.asarray(part, np.float64) for part in (output if several else [output])]
    shape = (len(batch), size)
    poses = [array for array in arrays if array.shape == shape or (size == 1 and array.shape == shape[:1])]
    shown = [array.shape for array in arrays]
    check(bool(poses), "predictor", f"must give a pose of shape {shape}", shown, "Return the pose's mean, [B, P].")
    pose = poses[0].reshape(shape)
    check(bool(np.isfinite(pose).all()), "predictor", "must give finite poses", "NaN or infinity", "Check the model.")
    return pose
