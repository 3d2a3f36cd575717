"""Predicts shifts and scales as a centroid of light in canonical coordinates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.coordinates import apply_matrix, image_points, invert_matrix
from tfgalaxy.layers.transformations import Transformation, get_transformation

__all__ = ["CentroidPredictor"]

# A step of 1 would converge too, but slower: under the window the centroid follows the light by about two thirds.
STEP = 1.5
COARSE_SIZE = 32
MAXIMUM_CONCENTRATION = 1e8


@keras.saving.register_keras_serializable(package="tfgalaxy")
class CentroidPredictor(keras.layers.Layer):
    """The parameters of a transformation, angles aside, at which the un-posed light has its canonical centroid.

    It solves E_w[rho(T_theta^-1 x)] = rho_0 for theta, where the mean over the pixels x has weights
    light(x) exp(-|T_theta^-1 x|^2 / (2 window^2)), by theta <- theta + 1.5 (E_w[rho] - rho_0) from theta = 0. If theta
    solves this for an image, then theta + theta' does for the image transformed by theta', whatever the window and
    the weights of the colours: light outside of the window hardly matters. The window is round, so that the estimate
    also turns with the image.

    light = sum over colours of softplus(weight) * value, averaged to about 32x32 pixels, above the darkest of 8x8
    blocks (the sky). The weights of the colours are trained.

    Args:
        transformation: name of the transformation.
        window: width of the Gaussian window, in half-widths of the canonical view.
        iterations: number of steps.

    Input: images [B, H, W, C] and, optionally, matrices [B, 3, 3] from points of a view to points of the image, for the
    pose of the view. Output shape: theta [B, k], with 0 for angles, and concentration [B, k] (1 / variance of the
    centroid over the pixels' light); float32.

    Reference: canonical coordinates are Tai et al. 2019, equation 5; a centroid under a window that follows it is the
    mean shift of Fukunaga and Hostetler, IEEE Trans. Inf. Theory 21, 1975.
    """

    def __init__(self, transformation: str, window: float = 0.3, iterations: int = 6, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.transformation: Transformation = get_transformation(transformation)
        free = [index for index, angle in enumerate(self.transformation.periodic) if not angle]
        check(bool(free), "transformation", "must have a parameter besides angles", transformation, "Choose another.")
        check(window > 0, "window", "must be positive", window, "Use 0.3.")
        check(iterations >= 1, "iterations", "must be at least 1", iterations, "Use 6.")
        self.window, self.iterations = window, iterations
        self._free = np.array([0.0 if angle else 1.0 for angle in self.transformation.periodic], np.float32)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        _, height, width, channels = input_shape
        small = min(height, width) < 8
        check(not small, "input shape", "must have at least 8x8 pixels", tuple(input_shape), "Use larger images.")
        # softplus(0.5413) = 1
        weight = keras.initializers.Constant(0.5413)
        self.colour_weight = self.add_weight(name="colour_weight", shape=(channels,), initializer=weight)
        self.factor = max(1, min(height, width) // COARSE_SIZE)
        self.built = True

    def light(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Light above the sky on a coarse grid, [B, N], and the grid's points [N, 2]."""
        weights = tf.nn.softplus(tf.cast(self.colour_weight, tf.float32))
        grey = tf.reduce_sum(tf.cast(images, tf.float32) * weights, axis=-1, keepdims=True)  # [B, H, W, 1]
        coarse = tf.nn.avg_pool2d(grey, self.factor, self.factor, "VALID")
        height, width = coarse.shape[1:3]
        block = max(1, min(height, width) // 8)
        sky = tf.reduce_min(tf.nn.avg_pool2d(coarse, block, block, "VALID"), axis=[1, 2])  # [B, 1]
        # The coarse pixels cover all rows and columns but a rest that the factor leaves at the far edges.
        shares = np.array([width * self.factor / images.shape[2], height * self.factor / images.shape[1]])
        points = (image_points(height, width) + 1.0) * shares - 1.0
        return tf.nn.relu(tf.reshape(coarse, [-1, height * width]) - sky), tf.constant(points, tf.float32)

    def call(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        light, points = self.light(images)
        # A black image has no centroid: the tiny constant puts it in the middle.
        light = light / (tf.reduce_max(light, axis=-1, keepdims=True) + 1e-6) + 1e-6
        if matrices is not None:
            points = apply_matrix(invert_matrix(tf.cast(matrices, tf.float32)), points)  # [B, N, 2]
        theta = tf.zeros([tf.shape(light)[0], self.transformation.size])
        for _ in range(self.iterations):
            offset, _ = self._centroid(light, points, theta)
            theta = self.transformation.compose(theta, STEP * offset)
        _, variance = self._centroid(light, points, theta)
        concentration = 1.0 / tf.maximum(variance, 1.0 / MAXIMUM_CONCENTRATION)
        return theta, concentration

    def _centroid(self, light: tf.Tensor, points: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """E_w[rho] - rho_0, 0 for angles, and the squared standard error of that mean, [B, k] each."""
        unposed = apply_matrix(self.transformation.matrix(self.transformation.inverse(theta)), points)  # [B, N, 2]
        squared_radius = tf.reduce_sum(tf.square(unposed), axis=-1)
        weights = light * tf.exp(-0.5 * squared_radius / self.window**2)
        weights = weights / (tf.reduce_sum(weights, axis=-1, keepdims=True) + 1e-12)
        rho = self.transformation.coordinates(unposed)  # [B, N, k]
        mean = tf.linalg.matvec(rho, weights, transpose_a=True)
        spread = tf.square(rho - mean[:, tf.newaxis])
        variance = tf.linalg.matvec(spread, tf.square(weights), transpose_a=True)
        reference = np.array(self.transformation.reference(self.window), np.float32)
        return self._free * (mean - reference), variance

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[tuple[int | None, int], ...]:
        shape = (input_shape[0], self.transformation.size)
        return (shape, shape)

    def get_config(self) -> dict[str, Any]:
        own = {"transformation": self.transformation.name, "window": self.window, "iterations": self.iterations}
        return {**super().get_config(), **own}
