"""Bilinear sampling: fixed grids as sparse linear maps, grids that depend on a pose by gathers.

Edge rule: `fill="nearest"` takes the nearest pixel outside of the outermost pixel centres; `fill="zero"` surrounds the
image with zeros, so that values fade to 0 over one pixel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, kron

from tfgalaxy.configuration import check
from tfgalaxy.layers.coordinates import image_points, moved_planes, polar_points

__all__ = [
    "SamplingMatrix",
    "apply_sparse",
    "apply_sparse_to_rows",
    "batch_first",
    "batch_last",
    "bilinear_sample",
    "image_from_polar_points",
    "moved_sample",
    "polar_sampling_matrix",
    "smooth",
    "smoothed",
    "sparse_sampling_matrix",
    "warp",
]

Fill = Literal["nearest", "zero"]

# Positions this close to a whole pixel, in pixels, are taken as whole, so that quarter turns reproduce pixels exactly
# although the coordinates of a turned grid carry rounding errors.
SNAP = 1e-4


class SamplingMatrix(NamedTuple):
    """A sparse matrix in NumPy, so that it belongs to no graph: rows are points, columns are pixels.

    Attributes:
        indices: int64 [K, 2], sorted by row and column.
        weights: float32 [K].
        shape: (number of points, number of pixels).
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    shape: tuple[int, int]

    @property
    def tensor(self) -> tf.SparseTensor:
        """The matrix in the current graph."""
        return tf.SparseTensor(self.indices, self.weights, self.shape)


def _sampling_matrix(columns: NDArray[np.int64], weights: NDArray[np.float64], pixels: int) -> SamplingMatrix:
    """From the pixels [N, K] of each point and their weights; equal pixels are added up, zeros left out."""
    rows = np.broadcast_to(np.arange(len(columns))[:, np.newaxis], columns.shape)
    shape = (len(columns), pixels)
    return _entries(coo_matrix((weights.ravel(), (rows.ravel(), columns.ravel())), shape).tocsr())


def _entries(matrix: csr_matrix) -> SamplingMatrix:
    matrix.eliminate_zeros()
    matrix.sort_indices()
    entries = matrix.tocoo()
    indices = np.stack([entries.row, entries.col], axis=-1).astype(np.int64)
    return SamplingMatrix(indices, entries.data.astype(np.float32), matrix.shape)


def _neighbours(positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For fractional indices, the lower neighbour and the weight of the upper one."""
    rounded = np.round(positions)
    positions = np.where(np.abs(positions - rounded) < SNAP, rounded, positions)
    lower = np.floor(positions)
    return lower.astype(np.int64), positions - lower


def _axis(
    positions: NDArray[np.float64], size: int, fill: str
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
    """Both neighbours along an axis and their weights, by the edge rule."""
    if fill == "nearest":
        positions = np.clip(positions, 0, size - 1)
    lower, share = _neighbours(positions)
    indices, weights = [lower, lower + 1], [1 - share, share]
    inside = [(index >= 0) & (index < size) for index in indices]
    indices = [np.clip(index, 0, size - 1) for index in indices]
    return indices, [np.where(valid, weight, 0.0) for valid, weight in zip(inside, weights, strict=True)]


def _check_fill(fill: str) -> None:
    check(fill in ("nearest", "zero"), "fill", "must be nearest or zero", fill, "Choose one.")


def sparse_sampling_matrix(
    points: NDArray[np.float64], height: int, width: int, fill: Fill = "nearest"
) -> SamplingMatrix:
    """The linear map that samples an image at fixed points, bilinearly: [N, H * W], at most four weights in a row.

    Args:
        points: (x, y), any shape [..., 2] with N points in all.
        height, width: of the image.
        fill: the edge rule.
    """
    _check_fill(fill)
    flat = np.asarray(points, np.float64).reshape(-1, 2)
    x, x_weights = _axis((flat[:, 0] + 1.0) * width / 2.0 - 0.5, width, fill)
    y, y_weights = _axis((flat[:, 1] + 1.0) * height / 2.0 - 0.5, height, fill)
    corners = [(row, column) for row in (0, 1) for column in (0, 1)]
    columns = np.stack([y[row] * width + x[column] for row, column in corners], axis=-1)
    weights = np.stack([y_weights[row] * x_weights[column] for row, column in corners], axis=-1)
    return _sampling_matrix(columns, weights, height * width)


@functools.lru_cache(maxsize=64)
def polar_sampling_matrix(
    height: int, width: int, radii: int, angles: int, maximum_radius: float = 1.0
) -> SamplingMatrix:
    """The linear map from an image to its polar view: [R * A, H * W]."""
    return sparse_sampling_matrix(polar_points(radii, angles, maximum_radius), height, width)


@functools.lru_cache(maxsize=64)
def image_from_polar_points(
    radii: int, angles: int, height: int, width: int, maximum_radius: float = 1.0
) -> SamplingMatrix:
    """The linear map from a polar view to the pixels of an image, bilinear in radius and angle: [H * W, R * A].

    Within the innermost ring it interpolates across the pole, towards the opposite angle; beyond the outermost ring it
    takes that ring's value at the same angle.
    """
    x, y = image_points(height, width).T
    radius = np.hypot(x, y) * radii / maximum_radius - 0.5  # in rings
    angle = np.mod(np.arctan2(y, x), 2 * np.pi) * angles / (2 * np.pi)
    ring, ring_share = _neighbours(np.minimum(radius, radii - 1))
    step, angle_share = _neighbours(angle)
    columns, weights = [], []
    for shift, weight in ((0, 1 - ring_share), (1, ring_share)):
        r = np.minimum(ring + shift, radii - 1)
        across = r < 0  # ring -1 is ring 0 at the opposite angle
        start = step + np.where(across, angles // 2, 0)
        r = np.where(across, -1 - r, r)
        columns += [r * angles + start % angles, r * angles + (start + 1) % angles]
        weights += [weight * (1 - angle_share), weight * angle_share]
    return _sampling_matrix(np.stack(columns, -1), np.stack(weights, -1), radii * angles)


def apply_sparse(matrix: SamplingMatrix, images: tf.Tensor) -> tf.Tensor:
    """Applies a sampling matrix [N, M] to images with M pixels as one sparse product.

    Args:
        matrix: as the functions above make it.
        images: [B, H, W, C] with H * W = M.

    Returns:
        [B, N, C] of the images' dtype; computed in float32.
    """
    sampled = apply_sparse_to_rows(matrix, batch_last(images))
    return tf.cast(batch_first(sampled, (matrix.shape[0], images.shape[-1])), images.dtype)


def batch_last(values: tf.Tensor) -> tf.Tensor:
    """[B, ..., C] to float32 [N, C, B], the layout of products over the N positions.

    A plain transposition of a matrix, which takes half of the time of one that leaves the colours innermost.
    """
    positions, channels = math.prod(values.shape[1:-1]), values.shape[-1]
    flat = tf.reshape(tf.cast(values, tf.float32), [-1, positions * channels])
    return tf.reshape(tf.transpose(flat), [positions, channels, -1])


def batch_first(values: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Undoes `batch_last`: [..., B] to [B, *shape], of as many values."""
    return tf.reshape(tf.transpose(tf.reshape(values, [math.prod(shape), -1])), [-1, *shape])


def apply_sparse_to_rows(matrix: SamplingMatrix, pixels: tf.Tensor) -> tf.Tensor:
    """`apply_sparse` in the product's own layout: float32 [M, C, B], or [M, B], to [N, C, B] or [N, B]."""
    columns = tf.reshape(pixels, [matrix.shape[1], -1])
    product = tf.sparse.sparse_dense_matmul(matrix.tensor, columns)
    return tf.reshape(product, [matrix.shape[0], *pixels.shape[1:-1], -1])


def moved_sample(
    images: tf.Tensor, matrices: tf.Tensor, points: NDArray[np.float64], compiled: bool = False
) -> tf.Tensor:
    """Samples each image at the same points [N, 2] moved by a matrix of its own [B, 3, 3]: [B, N, C].

    Args:
        images: [B, H, W, C].
        matrices: [B, 3, 3], from the points to points of the images.
        points: (x, y).
        compiled: whether XLA compiles it, which takes a third of the time: in training only, where batches have one
            size. A served graph must not hold XLA, and each new size of a batch would be compiled anew.
    """
    matrices = tf.cast(matrices, tf.float32)
    if compiled:
        return _compiled_sample(np.asarray(points, np.float64).tobytes())(images, matrices)
    return _moved_sample(images, matrices, points)


def _moved_sample(images: tf.Tensor, matrices: tf.Tensor, points: NDArray[np.float64]) -> tf.Tensor:
    x, y = (tf.constant(points[:, axis].astype(np.float32)) for axis in (0, 1))
    return _bilinear(images, *moved_planes(matrices, x, y), "nearest")


@functools.lru_cache(maxsize=16)
def _compiled_sample(points: bytes) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """One function for all that samples at the same points: XLA compiles it once for the three views of a step."""
    of_points = np.frombuffer(points).reshape(-1, 2)

    def sample(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
        return _moved_sample(images, matrices, of_points)

    return tf.function(sample, autograph=False, jit_compile=True)


def bilinear_sample(images: tf.Tensor, points: tf.Tensor, fill: Fill = "nearest") -> tf.Tensor:
    """Samples images at points of their own; gradients reach images and points.

    Args:
        images: [B, H, W, C], H and W at least 2.
        points: (x, y), float32 [B, N, 2].
        fill: the edge rule.

    Returns:
        [B, N, C] of the images' dtype; computed in float32.
    """
    _check_fill(fill)
    return _bilinear(images, points[..., 0], points[..., 1], fill)


def _bilinear(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor, fill: str) -> tf.Tensor:
    height, width = images.shape[1:3]
    x = (x + 1.0) * (width / 2.0) - 0.5
    y = (y + 1.0) * (height / 2.0) - 0.5
    if fill == "zero":
        images = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
        x, y = x + 1.0, y + 1.0
    return sample_at_indices(images, y, x)


def sample_at_indices(grids: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Bilinear values of [B, H, W, C] at fractional row and column indices [B, N]; the edges are continued."""
    height, width, channels = grids.shape[1:]
    top, bottom, y_share = _split(rows, height)
    left, right, x_share = _split(columns, width)
    flat = tf.reshape(tf.cast(grids, tf.float32), [-1, channels])  # [B * H * W, C]
    first = tf.range(tf.shape(grids)[0])[:, tf.newaxis] * (height * width)
    above, below = (
        _between(tf.gather(flat, row + left), tf.gather(flat, row + right), x_share)
        for row in (first + top * width, first + bottom * width)
    )
    return tf.cast(_between(above, below, y_share), grids.dtype)


def _between(first: tf.Tensor, second: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return first + share * (second - first)


def _split(positions: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Lower and upper neighbour [B, N], and weight [B, N, 1] of the upper one, which carries the gradient.

    The weight is below 1, and 0 at whole positions, where values are thus exactly the pixel's.
    """
    positions = tf.clip_by_value(positions, 0.0, float(size - 1))
    lower = tf.floor(tf.stop_gradient(positions) + SNAP)
    share = positions - lower
    share -= tf.stop_gradient(tf.where(share < SNAP, share, 0.0))
    index = tf.cast(lower, tf.int32)
    return index, tf.minimum(index + 1, size - 1), share[..., tf.newaxis]


def warp(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Images sampled at transformed pixel centres: out(x) = image(M x), [B, H, W, C] and [B, 3, 3] to [B, H, W, C]."""
    height, width, channels = images.shape[1:]
    return tf.reshape(moved_sample(images, matrices, image_points(height, width)), [-1, height, width, channels])


def smoothed(matrix: SamplingMatrix, height: int, width: int) -> SamplingMatrix:
    """What samples `smooth(images)`, as one sparse matrix for the images themselves."""
    columns, rows = (_smoothing_matrix(size) for size in (height, width))
    sampling = coo_matrix((matrix.weights.astype(np.float64), matrix.indices.T), matrix.shape)
    return _entries(csr_matrix(sampling @ kron(columns, rows, "csr")))


def _smoothing_matrix(size: int) -> csr_matrix:
    """`smooth` along an axis of so many pixels, [size, size]."""
    pixel, shift = np.arange(size)[:, np.newaxis], np.arange(-2, 3)
    columns = np.clip(pixel + shift, 0, size - 1)
    weights = np.broadcast_to(np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0, columns.shape)
    rows = np.broadcast_to(pixel, columns.shape)
    return coo_matrix((weights.ravel(), (rows.ravel(), columns.ravel())), (size, size)).tocsr()


def smooth(images: tf.Tensor) -> tf.Tensor:
    """Images under the binomial filter (1, 4, 6, 4, 1) / 16 along both axes: a standard deviation of one pixel."""
    for axis in (1, 2):
        size = images.shape[axis]
        at = functools.partial(tf.gather, axis=axis)
        first, last = at(images, [0, 0]), at(images, [size - 1, size - 1])
        padded = tf.concat([first, images, last], axis=axis)
        parts = [_window(padded, axis, start, size) for start in range(5)]
        images = (parts[0] + parts[4] + 4.0 * (parts[1] + parts[3]) + 6.0 * parts[2]) / 16.0
    return images


def _window(images: tf.Tensor, axis: int, start: int, size: int) -> tf.Tensor:
    return images[:, start : start + size] if axis == 1 else images[:, :, start : start + size]
