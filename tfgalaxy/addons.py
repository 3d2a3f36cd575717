"""The one place where TensorFlow Addons is used: in training only, with a plain fallback where it cannot be
installed.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

__all__ = ["available", "transform"]


@functools.cache
def _module() -> Any:
    """TensorFlow Addons' image module, or None. Imported at first use: it takes a second, and never in a served
    graph.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces its end of life at every import
            import tensorflow_addons.image as image
    except ImportError:
        return None
    return image


def available() -> bool:
    """Whether TensorFlow Addons can be used (CPython up to 3.11)."""
    return _module() is not None


def transform(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Views of images through projective matrices, bilinear; beyond the edge the nearest pixel is taken.

    For augmentation: no gradient should be asked for. `tfa.image.transform` where TF Addons is installed, else the
    TensorFlow operation below it.

    Args:
        images: floating [B, H, W, C], H and W known.
        matrices: [B, 3, 3] from points (x, y, 1) of the view to points of the image, in the pixel convention: pixel
            centres at (2 j + 1) / W - 1.

    Returns:
        [B, H, W, C] of the same dtype.
    """
    flat = _pixel_transforms(tf.cast(matrices, tf.float32), images.shape[1], images.shape[2])
    module = _module()
    if module is not None:
        views = module.transform(images, flat, interpolation="bilinear", fill_mode="nearest")
        return tf.ensure_shape(views, images.shape)  # which it forgets, and a dense layer behind it needs
    height, width = images.shape[1], images.shape[2]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=flat,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _pixel_transforms(matrices: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Matrices between points as the operation takes them: 8 numbers each, between pixel indices, [B, 8].

    Products are summed by hand: a matrix product may be rounded to 10 bits on a GPU, a twentieth of a pixel.
    """
    to_points = tf.constant([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]], tf.float32)
    to_pixels = tf.constant([[width / 2, 0, width / 2 - 0.5], [0, height / 2, height / 2 - 0.5], [0, 0, 1]], tf.float32)
    right = tf.reduce_sum(matrices[:, :, :, tf.newaxis] * to_points, axis=2)  # [B, 3, 3]
    pixels = tf.reduce_sum(to_pixels[:, :, tf.newaxis] * right[:, tf.newaxis], axis=2)
    return tf.reshape(pixels / pixels[:, 2:, 2:], [-1, 9])[:, :8]
