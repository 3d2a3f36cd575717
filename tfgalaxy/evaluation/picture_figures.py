"""Figures of pictures: one picture, its pose as an arrow, and grids of them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, own_axes
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["ARROW_LENGTH", "check_pictures", "picture_grid", "pose_arrow", "pose_line", "show_picture"]

# From the canonical view's centre to the arrow's head, in half-widths of the canonical view.
ARROW_LENGTH = 0.6


def check_pictures(name: str, values: ArrayLike, galaxies: int) -> FloatArray:
    """Pictures [N, H, W, C] as float64, held within 0 to 1.

    Raises:
        InputError: another shape, or values that aren't finite; named after the argument `name`.
    """
    pictures = np.asarray(values, np.float64)
    shape_holds = pictures.ndim == 4 and len(pictures) == galaxies and pictures.shape[-1] in (1, 3)
    rule = f"must have shape ({galaxies}, height, width, 1 or 3)"
    check(shape_holds, name, rule, pictures.shape, "Give a picture per galaxy.")
    check(bool(np.isfinite(pictures).all()), name, "must be finite", "NaN or infinity", "Check the model's output.")
    return np.clip(pictures, 0.0, 1.0)


def show_picture(axes: Axes, picture: FloatArray, title: str = "") -> Axes:
    """Draws one picture [H, W, 1 or 3], 0 to 1, without ticks."""
    grey = picture.shape[-1] == 1
    axes.imshow(picture[..., 0] if grey else picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)
    return axes


def pose_line(matrix: ArrayLike) -> FloatArray:
    """Tail and head [2, 2] of the arrow of a pose, in half-widths of the image from its centre, x right, y down.

    The tail is where the centre of the canonical view lies in the image, and the arrow goes along the canonical +x
    axis.

    Args:
        matrix: [3, 3], from points of the canonical view to points of the image.
    """
    ends = np.asarray(matrix, np.float64) @ np.array([[0.0, ARROW_LENGTH], [0.0, 0.0], [1.0, 1.0]])
    line: FloatArray = (ends[:2] / ends[2]).T
    return line


def pose_arrow(picture: ArrayLike, matrix: ArrayLike, axes: Axes | None = None, title: str = "") -> Axes:
    """A picture with the arrow of its pose, see `pose_line`.

    Args:
        picture: [H, W, 1 or 3], 0 to 1.
        matrix: [3, 3], of the pose.
        axes: where to draw; a new figure otherwise.
        title: above it.
    """
    checked = check_pictures("picture", np.asarray(picture)[np.newaxis], 1)[0]
    axes = show_picture(own_axes(axes, 2.2, 2.4), checked, title)
    height, width = checked.shape[:2]
    # Pixel centres stand at (2 j + 1) / W - 1.
    ends = (pose_line(matrix) + 1) * [width, height] / 2 - 0.5
    style = {"arrowstyle": "-|>,head_width=0.35,head_length=0.6", "color": COLOURS[4], "linewidth": 2}
    axes.annotate("", ends[1], ends[0], arrowprops={**style, "shrinkA": 0, "shrinkB": 0})
    return axes


def picture_grid(pictures: ArrayLike, columns: int = 6, matrices: ArrayLike | None = None) -> Figure:
    """Pictures side by side, such as samples from the prior.

    Args:
        pictures: [N, H, W, 1 or 3], 0 to 1.
        columns: pictures in a row.
        matrices: [N, 3, 3], of poses to be drawn as arrows.

    Raises:
        InputError: no picture, or see `check_pictures`.
    """
    checked = check_pictures("pictures", pictures, len(np.asarray(pictures)))
    check(len(checked) > 0, "pictures", "must hold at least one", len(checked), "Give some.")
    columns = min(columns, len(checked))
    rows = -(-len(checked) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (axes, picture) in enumerate(zip(grid, checked, strict=False)):
        if matrices is None:
            show_picture(axes, picture)
        else:
            pose_arrow(picture, np.asarray(matrices)[index], axes)
    for axes in grid[len(checked) :]:
        axes.remove()
    return figure
