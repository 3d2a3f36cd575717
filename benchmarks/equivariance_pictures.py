"""Draws what each transformation takes off, on a simulated galaxy: input, pose, canonical view, warp back."""

from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from tfgalaxy.data.simulation import simulate_arrays
from tfgalaxy.evaluation.figures import COLOURS
from tfgalaxy.evaluation.pose_composition import pose_matrix, resolve_transformations
from tfgalaxy.evaluation.transformed_images import transformed_images
from tfgalaxy.files import atomic_file
from tfgalaxy.layers import EquivariantTransformerSequence, apply_matrix, transformation_names

__all__ = ["write_pictures"]

SEQUENCE = ("translation", "rotation_scale")
COLUMNS = ("input", "pose", "canonical view", "pose put back")
# A spiral that is seen at a slant, of `tfgalaxy simulate`.
SEED, INDEX = 3, 27
RESOLUTION, PALETTE = 88, 192


def write_pictures(path: Path) -> Path:
    """A row for each transformation, and for the sequence, as PNG of few colours; returns the path."""
    images, _, _ = simulate_arrays(INDEX + 1, seed=SEED, image_size=128)
    image = images[INDEX, 32:96, 32:96] / np.float32(255)
    cases = [*((name,) for name in transformation_names()), SEQUENCE]
    half = -(-len(cases) // 2)
    figure = Figure(figsize=(11.0, 1.42 * half), layout="constrained")
    grid = figure.subplots(half, 2 * len(COLUMNS))
    for axes in grid.ravel():
        axes.set_axis_off()
    for order, names in enumerate(cases):
        column = len(COLUMNS) * (order // half)
        _draw_row(grid[order % half, column : column + len(COLUMNS)], image, names)
    for column, axes in enumerate(grid[0]):
        axes.set_title(COLUMNS[column % len(COLUMNS)], fontsize=9)
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    # The noise of the sky takes a megabyte in true colour.
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=RESOLUTION, format="png")
    picture = Image.open(buffer).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    return path


def _draw_row(row: np.ndarray, image: np.ndarray, names: tuple[str, ...]) -> None:
    steps = resolve_transformations(names)
    # Most of the way from the middle of each range to its upper end, so that there is a pose to take off.
    theta = np.array([[0.125 * p.low + 0.875 * p.high for step in steps for p in step.parameters]])
    moved = tf.sqrt(transformed_images(image[np.newaxis], pose_matrix(steps, theta)))
    keras.utils.set_random_seed(0)
    layer = EquivariantTransformerSequence(names)
    pose, view = layer.pose(moved), layer(moved)
    for axes, picture in zip(row, (moved, moved, view, layer.inverse(view, pose)), strict=True):
        axes.imshow(np.clip(np.asarray(picture)[0], 0, 1), extent=(-1, 1, 1, -1))
        axes.set(xlim=(-1, 1), ylim=(1, -1))
    _draw_frame(row[1], pose.matrix)
    row[0].text(-1.12, 0, "\n".join(names).replace("_", " "), fontsize=8, rotation=90, ha="right", va="center")


def _draw_frame(axes: Axes, matrix: tf.Tensor) -> None:
    """Where the canonical view's axes and a circle around its middle lie in the image."""
    angle = np.linspace(0, 2 * np.pi, 65)
    circle = 0.6 * np.column_stack([np.cos(angle), np.sin(angle)])
    lines = [(circle, COLOURS[5]), (np.outer([-0.6, 0.6], [1, 0]), COLOURS[1]), (np.outer([-0.6, 0.6], [0, 1]), "w")]
    for points, colour in lines:
        axes.plot(*apply_matrix(matrix, points.astype(np.float32)).numpy()[0].T, color=colour, linewidth=1.2)
