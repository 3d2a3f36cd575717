"""Decodes the pictures of a request inside of the graph, so that a broken one costs its own row only."""

from __future__ import annotations

import tensorflow as tf

from tfgalaxy.data.images import decode_bytes, survivors
from tfgalaxy.data.preprocessing import Preprocessing

__all__ = ["decode_rows"]


def decode_rows(image_bytes: tf.Tensor, preprocessing: Preprocessing) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes each row by itself with `tfgalaxy.data.images.decode_bytes`, as training and local prediction do.

    Args:
        image_bytes: string [B]; JPEG or PNG, whatever else makes its row invalid.
        preprocessing: crop and size.

    Returns:
        Pixels between 0 and 1, float32 [B, S, S, C], zeros where the bytes are no picture; and valid, float32 [B]: 1 or
        0.
    """
    # AUTOTUNE is as many at a time as the server has threads; scattering by row number restores their order.
    found, images = survivors(
        image_bytes, lambda content: decode_bytes(content, preprocessing), preprocessing, tf.data.AUTOTUNE
    )
    rows = tf.size(image_bytes, tf.int64)
    size, channels = preprocessing.image_size, preprocessing.channels
    images = tf.scatter_nd(found[:, tf.newaxis], images, [rows, size, size, channels])
    valid = tf.scatter_nd(found[:, tf.newaxis], tf.ones_like(found, tf.float32), [rows])
    # Not `/`, which the graph's optimiser makes a product with 1 / 255: the last bit would not be local prediction's.
    return tf.math.divide_no_nan(tf.cast(images, tf.float32), 255.0), valid
