"""Views of a galaxy: random ones for training, fixed ones to average predictions over, and the contrast between two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfgalaxy.models.config import ViewConfig
from tfgalaxy.pose_matrices import pose_matrices

__all__ = ["RandomView", "contrast", "fixed_views", "fold_in", "random_view", "vary_pixels"]


class RandomView(NamedTuple):
    """A random pose for each image of a batch.

    Attributes:
        matrices: [B, 3, 3], from points of the view to points of the image.
        flipped: bool [B], whether the view is mirrored.
    """

    matrices: tf.Tensor
    flipped: tf.Tensor


def fold_in(seed: tf.Tensor, *numbers: int) -> tf.Tensor:
    """A new stateless seed for each sequence of numbers."""
    for number in numbers:
        seed = tf.random.experimental.stateless_fold_in(seed, number)
    return seed


def random_view(
    batch: tf.Tensor, seed: tf.Tensor, config: ViewConfig, flip_seed: tf.Tensor | None = None
) -> RandomView:
    """Draws one pose for each of `batch` images; with `flip_seed`, mirrored where the view drawn with it is."""
    return RandomView(*pose_matrices(seed, batch, config, flip_seed))


def vary_pixels(views: tf.Tensor, seed: tf.Tensor, config: ViewConfig, noise: bool) -> tf.Tensor:
    """Changes brightness and colour of each image [B, H, W, C] and, for the encoder's eyes only, adds noise."""
    height, width, channels = views.shape[1:]
    batch = tf.shape(views)[0]
    gain = tf.random.stateless_normal([batch, 1], fold_in(seed, 0), stddev=config.gain)
    colour = tf.random.stateless_normal([batch, channels], fold_in(seed, 1), stddev=config.colour)
    # Repeated along a row first: broadcast over four dimensions it takes twice the time.
    factors = tf.tile(tf.exp(gain + colour), [1, width])[:, tf.newaxis]
    views = tf.reshape(tf.reshape(views, [-1, height, width * channels]) * factors, tf.shape(views))
    views = tf.ensure_shape(views, [None, height, width, channels])
    if noise and config.noise > 0:
        views += _uniform_noise(tf.shape(views), height * width * channels, fold_in(seed, 2), config.noise)
    return views


def _uniform_noise(shape: tf.Tensor, size: int, seed: tf.Tensor, stddev: float) -> tf.Tensor:
    """Evenly distributed noise in 256 steps, of mean 0, for images of so many values: four values from one random
    number, for normal ones took a tenth of a training step.
    """
    numbers = tf.random.stateless_uniform([shape[0], -(-size // 4)], seed, minval=None, maxval=None, dtype=tf.int32)
    values = tf.reshape(tf.bitcast(numbers, tf.uint8), [shape[0], -1])
    values = values if size % 4 == 0 else values[:, :size]
    step = stddev / np.sqrt((256**2 - 1) / 12)
    return tf.reshape((tf.cast(values, tf.float32) - 127.5) * step, shape)


def fixed_views(polar: tf.Tensor, count: int, stride: int) -> tuple[tf.Tensor, list[bool]]:
    """Turned and mirrored copies of a polar view, whose mean prediction is steadier than one.

    Every second view is mirrored. Pairs of views are turned by fractions of `stride`, the encoder's step along the
    angle, at which its pools take turns.

    Args:
        polar: [B, R, A, C].
        count: number of views V.
        stride: angles per position of the encoder's feature map.

    Returns:
        [V * B, R, A, C], view by view, and for each view whether it is mirrored.
    """
    mirrored = [view % 2 == 1 for view in range(count)]
    pairs = (count + 1) // 2
    views = []
    for view, flip in enumerate(mirrored):
        # Mirrored about the x axis: angle a becomes -a, so that index 0 stays and the others are reversed.
        image = tf.roll(tf.reverse(polar, axis=[2]), 1, axis=2) if flip else polar
        shift = (view // 2) * stride // pairs
        views.append(tf.roll(image, shift, axis=2) if shift else image)
    return tf.concat(views, axis=0), mirrored


def contrast(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """InfoNCE between the features [B, F] of two views of each galaxy, in nats: [B].

    -log(exp(s_ii / t) / sum_j exp(s_ij / t)) with cosine similarity s, where j runs over the other view of every
    galaxy and the same view of every other galaxy; the mean of both directions (van den Oord et al. 2018, Chen et al.
    2020).
    """
    batch = tf.shape(first)[0]
    features = tf.math.l2_normalize(tf.concat([first, second], axis=0), axis=-1)  # [2 B, F]
    similarity = tf.matmul(features, features, transpose_b=True) / temperature
    similarity = tf.linalg.set_diag(similarity, tf.fill([2 * batch], -1e9))
    partner = tf.concat([tf.range(batch) + batch, tf.range(batch)], axis=0)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partner, logits=similarity)
    return 0.5 * (loss[:batch] + loss[batch:])
