"""Predicts all parameters of a pose but angles from moments of the light."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.coordinates import image_points
from tfgalaxy.layers.light_balance import balanced_pose, unposed_light
from tfgalaxy.layers.light_ellipse import Ellipse, matched_ellipse
from tfgalaxy.layers.transformations import Transformation, get_transformation

__all__ = ["MomentPredictor"]

COARSE_SIZE = 32
BLOCKS = 8
# Share of the blocks that are darker than the sky's level; the darkest block itself is a matter of noise.
SKY_SHARE = 0.1
MAXIMUM_CONCENTRATION = 1e8


@keras.saving.register_keras_serializable(package="tfgalaxy")
class MomentPredictor(keras.layers.Layer):
    """The parameters of a transformation, angles aside, that bring an image's light into the canonical pose.

    Where all maps of the transformation are affine, its `pose_of_ellipse` gives theta from the ellipse of the light
    (`matched_ellipse`), which is equivariant under every affine map: a shift found in a sheared or magnified image is
    the sheared or magnified shift. Else theta is what balances the light (`balanced_pose`).

    light = (sum over colours of softplus(weight) * value - sky)^2 above the sky, on pixels averaged to about 32x32; the
    square lets the galaxy prevail over the sky, whose level is the darkest tenth of 8x8 blocks. The weights of the
    colours are trained.

    Args:
        transformation: name of the transformation.

    Input: images [B, H, W, C] and, optionally, matrices [B, 3, 3] from points of a view to points of the image, for the
    pose of the view. Output shape: theta [B, k], with 0 for angles, and concentration [B, k] (1 / variance, as if the
    light were that of independent draws of points); float32.

    Raises:
        InputError: a transformation of angles alone; in `build`, less than 8x8 pixels.
    """

    def __init__(self, transformation: str, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.transformation: Transformation = get_transformation(transformation)
        free = not all(self.transformation.periodic)
        check(free, "transformation", "must have a parameter besides angles", transformation, "Choose another.")

    def build(self, input_shape: tuple[Any, ...]) -> None:
        _, height, width, channels = input_shape
        small = min(height, width) < BLOCKS
        check(not small, "input shape", "must have at least 8x8 pixels", tuple(input_shape), "Use larger images.")
        # softplus(0.5413) = 1
        weight = keras.initializers.Constant(0.5413)
        self.colour_weight = self.add_weight(name="colour_weight", shape=(channels,), initializer=weight)
        self.factor = max(1, min(height, width) // COARSE_SIZE)
        self.built = True

    def light(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Squared light above the sky on a coarse grid, [B, N], at most 1, and the grid's points [N, 2]."""
        weights = tf.nn.softplus(tf.cast(self.colour_weight, tf.float32))
        grey = tf.reduce_sum(tf.cast(images, tf.float32) * weights, axis=-1, keepdims=True)  # [B, H, W, 1]
        coarse = tf.nn.avg_pool2d(grey, self.factor, self.factor, "VALID")
        height, width = coarse.shape[1:3]
        # The coarse pixels cover all rows and columns but a rest that the factor leaves at the far edges.
        shares = np.array([width * self.factor / images.shape[2], height * self.factor / images.shape[1]])
        points = (image_points(height, width) + 1.0) * shares - 1.0
        light = tf.nn.relu(tf.reshape(coarse, [-1, height * width]) - _sky(coarse))
        # A black image has its ellipse in the middle: the tiny constant puts it there.
        light = light / (tf.reduce_max(light, axis=-1, keepdims=True) + 1e-6)
        return tf.square(light) + 1e-9, tf.constant(points, tf.float32)

    def call(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        light, points = self.light(images)
        if matrices is not None:
            light, points = unposed_light(tf.cast(matrices, tf.float32), light, points)
        if self.transformation.affine:
            ellipse, count = matched_ellipse(light, points)
            theta = self.transformation.pose_of_ellipse(ellipse)
            variance = _spread(self.transformation, ellipse) / count[:, tf.newaxis]
        else:
            theta, variance = balanced_pose(self.transformation, light, points)
        return theta, 1.0 / tf.maximum(variance, 1.0 / MAXIMUM_CONCENTRATION)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[tuple[int | None, int], ...]:
        shape = (input_shape[0], self.transformation.size)
        return (shape, shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "transformation": self.transformation.name}


def _sky(coarse: tf.Tensor) -> tf.Tensor:
    """Level of the sky, that of the darkest tenth of about 8x8 blocks: [B, H, W, 1] to [B, 1]."""
    block = max(1, min(coarse.shape[1:3]) // BLOCKS)
    blocks = tf.nn.avg_pool2d(coarse, block, block, "VALID")
    count = blocks.shape[1] * blocks.shape[2]
    darkest, _ = tf.math.top_k(-tf.reshape(blocks, [-1, count]), 1 + int(SKY_SHARE * (count - 1)))
    return -darkest[:, -1:]


def _spread(transformation: Transformation, ellipse: Ellipse) -> tf.Tensor:
    """N times the variance of theta where the ellipse is that of N draws from it, [B, k], to first order.

    In coordinates in which the ellipse is the unit circle the means of N draws have variance 1 / N, and their
    covariance has variance 2 / N on the diagonal and 1 / N beside it. Derivatives are differences.
    """
    small = 0.01
    root_xx = tf.sqrt(ellipse.xx)
    root_yx = ellipse.xy / root_xx
    root_yy = tf.sqrt(tf.maximum(ellipse.yy - tf.square(root_yx), 1e-12))  # Cholesky: C = L L^T
    total = tf.zeros([tf.shape(root_xx)[0], transformation.size])
    base = transformation.pose_of_ellipse(ellipse)
    for x, y in ((root_xx, root_yx), (tf.zeros_like(root_yy), root_yy)):
        moved = ellipse._replace(x=ellipse.x + small * x, y=ellipse.y + small * y)
        total += tf.square(transformation.pose_of_ellipse(moved) - base)
    for p, q, r in ((2.0**0.5, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 2.0**0.5)):
        # L (I + small [[p, q], [q, r]]) L^T
        xx = p * root_xx * root_xx
        xy = root_xx * (p * root_yx + q * root_yy)
        yy = p * root_yx * root_yx + 2.0 * q * root_yx * root_yy + r * root_yy * root_yy
        moved = ellipse._replace(xx=ellipse.xx + small * xx, xy=ellipse.xy + small * xy, yy=ellipse.yy + small * yy)
        total += tf.square(transformation.pose_of_ellipse(moved) - base)
    return total / small**2
