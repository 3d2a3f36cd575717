"""Bilinear sampling: fixed grids as sparse linear maps, grids that depend on a pose by gathers."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.layers.coordinates import image_points

__all__ = ["apply_sparse", "bilinear_sample", "polar_to_image_matrix", "sparse_sampling_matrix"]

# Whole pixel positions are rounded to within this many pixels, so that quarter turns reproduce pixels exactly although
# the
# coordinates of a turned grid carry rounding errors.
SNAP = 1e-4


def _neighbours(positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For fractional indices, the lower neighbour and the weight of the upper one."""
    rounded = np.round(positions)
    positions = np.where(np.abs(positions - rounded) < SNAP, rounded, positions)
    lower = np.floor(positions)
    return lower.astype(np.int64), positions - lower


def _sparse(
    rows: NDArray[np.int64], columns: NDArray[np.int64], weights: NDArray[np.float64], shape: tuple[int, int]
) -> tf.SparseTensor:
    """A sparse tensor with sorted indices, equal ones added up and zeros left out."""
    from scipy.sparse import coo_matrix

    matrix = coo_matrix((weights.ravel(), (rows.ravel(), columns.ravel())), shape).tocsr()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    entries = matrix.tocoo()
    indices = np.stack([entries.row, entries.col], axis=-1).astype(np.int64)
    return tf.SparseTensor(indices, entries.data.astype(np.float32), shape)


def sparse_sampling_matrix(points: NDArray[np.float64], height: int, width: int) -> tf.SparseTensor:
    """The linear map that samples an image at fixed points: [N, H * W], at most four weights in a row.

    Args:
        points: (x, y), any shape [..., 2] with N points.
        height, width: of the image.

    Outside of the outermost pixel centres the nearest pixel is taken.
    """
    flat = np.asarray(points, np.float64).reshape(-1, 2)
    x, fx = _neighbours(np.clip((flat[:, 0] + 1.0) * width / 2.0 - 0.5, 0, width - 1))
    y, fy = _neighbours(np.clip((flat[:, 1] + 1.0) * height / 2.0 - 0.5, 0, height - 1))
    rows = np.broadcast_to(np.arange(len(flat))[:, np.newaxis], (len(flat), 4))
    x1, y1 = np.minimum(x + 1, width - 1), np.minimum(y + 1, height - 1)
    columns = np.stack([y * width + x, y * width + x1, y1 * width + x, y1 * width + x1], axis=-1)
    weights = np.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], axis=-1)
    return _sparse(rows, columns, weights, (len(flat), height * width))


def polar_to_image_matrix(
    radii: int, angles: int, height: int, width: int, maximum_radius: float = 1.0
) -> tf.SparseTensor:
    """The linear map from a polar view to the pixels of an image: [H * W, R * A].

    Within the innermost ring it interpolates across the pole, towards the opposite angle; beyond the outermost ring it
    takes that ring's value at the same angle.
    """
    x, y = image_points(height, width).T
    radius = np.hypot(x, y) * radii / maximum_radius - 0.5  # in rings
    angle = np.mod(np.arctan2(y, x), 2 * np.pi) * angles / (2 * np.pi)
    ring, fr = _neighbours(np.minimum(radius, radii - 1))
    step, fa = _neighbours(angle)
    rows = np.broadcast_to(np.arange(len(x))[:, np.newaxis], (len(x), 4))
    columns, weights = [], []
    for shift, weight in ((0, 1 - fr), (1, fr)):
        r = np.minimum(ring + shift, radii - 1)
        across = r < 0  # ring -1 is ring 0 at the opposite angle
        start = step + np.where(across, angles // 2, 0)
        r = np.where(across, -1 - r, r)
        columns += [r * angles + start % angles, r * angles + (start + 1) % angles]
        weights += [weight * (1 - fa), weight * fa]
    return _sparse(rows, np.stack(columns, -1), np.stack(weights, -1), (height * width, radii * angles))


def apply_sparse(matrix: tf.SparseTensor, images: tf.Tensor) -> tf.Tensor:
    """Applies a sampling matrix [N, M] to images with M pixels as one sparse product.

    Args:
        matrix: as the functions above make it, float32.
        images: [B, H, W, C] with H * W = M.

    Returns:
        [B, N, C] of the images' dtype; computed in float32.
    """
    channels, pixels = images.shape[-1], matrix.dense_shape[1]
    values = tf.reshape(tf.cast(images, tf.float32), [-1, int(images.shape[1]) * int(images.shape[2]), channels])
    del pixels
    dense = tf.reshape(tf.transpose(values, [1, 0, 2]), [values.shape[1], -1])  # [M, B * C]
    product = tf.sparse.sparse_dense_matmul(matrix, dense)
    result = tf.transpose(tf.reshape(product, [matrix.shape[0], -1, channels]), [1, 0, 2])
    return tf.cast(result, images.dtype)


def bilinear_sample(images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Samples images at points that depend on the image; gradients reach images and points.

    Args:
        images: [B, H, W, C].
        points: (x, y), [B, N, 2], float32.

    Returns:
        [B, N, C] of the images' dtype; computed in float32. Outside of the outermost pixel centres the nearest pixel is
        taken.
    """
    height, width, channels = images.shape[1], images.shape[2], images.shape[3]
    batch = tf.shape(images)[0]
    x, fx = _graph_neighbours((points[..., 0] + 1.0) * (width / 2.0) - 0.5, width)
    y, fy = _graph_neighbours((points[..., 1] + 1.0) * (height / 2.0) - 0.5, height)
    flat = tf.reshape(tf.cast(images, tf.float32), [-1, channels])  # [B * H * W, C]
    start = tf.range(batch)[:, tf.newaxis] * (height * width)
    corner = start + y * width + x
    top = _mix(tf.gather(flat, corner), tf.gather(flat, corner + 1), fx)
    bottom = _mix(tf.gather(flat, corner + width), tf.gather(flat, corner + width + 1), fx)
    return tf.cast(_mix(top, bottom, fy), images.dtype)


def _mix(first: tf.Tensor, second: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return first + share[..., tf.newaxis] * (second - first)


def _graph_neighbours(positions: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Lower neighbour, at most size - 2, and the weight of the upper one; the gradient passes through the weight."""
    rounded = tf.stop_gradient(tf.round(positions))
    whole = tf.abs(positions - rounded) < SNAP
    positions = tf.where(whole, rounded + (positions - tf.stop_gradient(positions)), positions)
    positions = tf.clip_by_value(positions, 0.0, float(size - 1))
    lower = tf.minimum(tf.floor(tf.stop_gradient(positions)), float(size - 2))
    return tf.cast(lower, tf.int32), positions - lower
