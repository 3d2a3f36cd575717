"""A sequence of Equivariant Transformers: each sees the image un-posed by those before it; pixels are interpolated
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgalaxy.layers.canonical_resampling import CanonicalResampling
from tfgalaxy.layers.circular import turn
from tfgalaxy.layers.equivariant_transformer import EquivariantTransformer
from tfgalaxy.layers.pose import Pose, identity_matrices, invert_matrices
from tfgalaxy.layers.sampling import apply_sparse, polar_to_image_matrix
from tfgalaxy.layers.transformations import Parameter

__all__ = ["EquivariantTransformerSequence"]


@keras.saving.register_keras_serializable(package="tfgalaxy")
class EquivariantTransformerSequence(keras.layers.Layer):
    """Takes several poses off an image, one after the other, as one composed transformation.

    Step n sees phi(T_1 ... T_{n-1} x); the composed pose is T = T_1 ... T_N, one 3x3 matrix, and every view of the
    image is sampled from the original through it. A last rotation turns the polar view by its Fourier series instead,
    which interpolates nothing.

    Args:
        transformations: names of the steps; none leaves images as they are.
        radii, angles: of the canonical views that poses are read off.
        return_pose: whether `call` returns (canonical image, pose mean [B, P], pose concentration [B, P]).

    Input shape: [B, H, W, C]. Output shape: [B, H, W, C], the canonical image.

    Example:
        >>> layer = EquivariantTransformerSequence(["translation", "rotation_scale"])
        >>> layer(tf.random.uniform([2, 64, 64, 3])).shape
        TensorShape([2, 64, 64, 3])
    """

    def __init__(
        self,
        transformations: Sequence[str],
        radii: int = 32,
        angles: int = 128,
        return_pose: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.radii, self.angles, self.return_pose = radii, angles, return_pose
        self.steps = [
            EquivariantTransformer(name, radii, angles, dtype="float32", name=f"step_{index}_{name}")
            for index, name in enumerate(transformations)
        ]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The pose's parameters, step by step."""
        return tuple(parameter for step in self.steps for parameter in step.parameters)

    @property
    def _ends_in_rotation(self) -> bool:
        return bool(self.steps) and self.steps[-1].transformation.name == "rotation"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = tuple(input_shape)
        for step in self.steps:
            step.build(shape)
        self.image_grid = CanonicalResampling("cartesian", shape[1], shape[2], dtype="float32", name="image_grid")
        self.image_grid.build(shape)
        self._image_size = (int(shape[1]), int(shape[2]))
        self._image_shape = shape
        self._polar_grids: dict[Any, Any] = {}
        self.built = True

    def pose(self, images: tf.Tensor, initial_matrix: tf.Tensor | None = None) -> Pose:
        """The composed pose of images, or of the views that `initial_matrix` [B, 3, 3] makes of them."""
        images = tf.cast(images, tf.float32)
        pose, _ = self._predict(images, initial_matrix, self.steps)
        return pose

    def _predict(
        self, images: tf.Tensor, matrix: tf.Tensor | None, steps: Sequence[EquivariantTransformer]
    ) -> tuple[Pose, tf.Tensor | None]:
        """The composed pose after some steps, and the matrix from their canonical frame to the image."""
        pose = Pose(tf.zeros([tf.shape(images)[0], 0]), tf.zeros([tf.shape(images)[0], 0]), identity_matrices(images))
        for step in steps:
            own = step.pose(images, matrix)
            matrix = own.matrix if matrix is None else tf.matmul(matrix, own.matrix)
            pose = _append(pose, own)
        return pose, matrix

    def canonical_polar(
        self,
        images: tf.Tensor,
        radii: int,
        angles: int,
        maximum_radius: float = 1.0,
        initial_matrix: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, Pose]:
        """The polar view of the canonical image.

        Args:
            images: [B, H, W, C].
            radii, angles: R and A of the view; A at most the layer's `angles`.
            maximum_radius: of its outermost ring.
            initial_matrix: [B, 3, 3] from points of a training view to points of the image.

        Returns:
            [B, R, A, C], float32, and the pose of the (view of the) image.
        """
        images = tf.cast(images, tf.float32)
        last = self.steps[-1] if self._ends_in_rotation else None
        pose, matrix = self._predict(images, initial_matrix, self.steps[:-1] if last else self.steps)
        polar = self._polar_grid(radii, maximum_radius)(images, matrix)
        angle = tf.zeros([tf.shape(images)[0]])
        if last is not None:
            shared = radii == self.radii and maximum_radius == last.canonical.maximum_radius
            own = last.pose_of_canonical(polar) if shared else last.pose(images, matrix)
            pose, angle = _append(pose, own), own.mean[:, 0]
        return turn(polar, -angle, angles), pose

    def _polar_grid(self, radii: int, maximum_radius: float) -> CanonicalResampling:
        """The grid, with the layer's number of angles: more than the encoder needs, since the outer rings alias
        otherwise.
        """
        key = (radii, maximum_radius)
        if key not in self._polar_grids:
            grid = CanonicalResampling("polar", radii, self.angles, maximum_radius, dtype="float32")
            grid.build(self._image_shape)
            self._polar_grids[key] = grid
        return self._polar_grids[key]

    def image_from_canonical_polar(
        self, polar: tf.Tensor, maximum_radius: float = 1.0, pose: Pose | None = None
    ) -> tf.Tensor:
        """Draws images from canonical polar views and puts the pose back, if one is given: [B, R, A, C] to [B, H, W,
        C].
        """
        rotation_only = len(self.steps) == 1 and self._ends_in_rotation
        if pose is not None and rotation_only:
            polar = turn(polar, pose.mean[:, 0])
        key = ("image", polar.shape[1], polar.shape[2], maximum_radius)
        if key not in self._polar_grids:
            with tf.init_scope():
                size = self._image_size
                self._polar_grids[key] = polar_to_image_matrix(polar.shape[1], polar.shape[2], *size, maximum_radius)
        pixels = apply_sparse(self._polar_grids[key], polar)
        images = tf.reshape(pixels, [-1, *self._image_size, polar.shape[-1]])
        if pose is None or rotation_only or not self.steps:
            return images
        return self.image_grid(images, invert_matrices(pose.matrix))

    def call(self, images: tf.Tensor) -> Any:
        if not self.steps:
            return images
        pose = self.pose(images)
        view = self.image_grid(images, pose.matrix)
        return (view, pose.mean, pose.concentration) if self.return_pose else view

    def inverse(self, view: tf.Tensor, pose: Pose) -> tf.Tensor:
        """Puts a pose back on canonical images: [B, H, W, C] to [B, H, W, C]."""
        return self.image_grid(view, invert_matrices(pose.matrix))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        count = (input_shape[0], len(self.parameters))
        return (tuple(input_shape), count, count) if self.return_pose else tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        own = {
            "transformations": [step.transformation.name for step in self.steps],
            "radii": self.radii,
            "angles": self.angles,
            "return_pose": self.return_pose,
        }
        return {**super().get_config(), **own}


def _append(pose: Pose, step: Pose) -> Pose:
    return Pose(
        tf.concat([pose.mean, step.mean], axis=-1),
        tf.concat([pose.concentration, step.concentration], axis=-1),
        tf.matmul(pose.matrix, step.matrix),
    )
