"""A sequence of Equivariant Transformers that resamples the image once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.circular import turn
from tfgalaxy.layers.coordinates import apply_matrix, image_points, invert_matrix, polar_points
from tfgalaxy.layers.equivariant_transformer import EquivariantTransformer
from tfgalaxy.layers.polar_sampling import polar_sample
from tfgalaxy.layers.pose import Pose
from tfgalaxy.layers.sampling import (
    apply_sparse,
    bilinear_sample,
    image_from_polar_points,
    polar_sampling_matrix,
    warp,
)

__all__ = ["EquivariantTransformerSequence"]


@keras.saving.register_keras_serializable(package="tfgalaxy")
class EquivariantTransformerSequence(keras.layers.Layer):
    """Takes several transformations off an image, one after another, but resamples it once.

    Step i sees the image un-posed by the steps before it, phi_i(x) = phi(M_1 ... M_{i-1} x), and finds M_i. The canonical
    view is phi(M x) with M = M_1 ... M_n, sampled from the image itself.

    Args:
        transformations: names, in order, as in `["translation", "rotation_scale"]`; none leaves images as they are.
        return_pose: whether `call` also returns the `Pose`.
        radii, angles, maximum_radius, filters: as for `EquivariantTransformer`.

    Input shape: images [B, H, W, C]. Output shape: [B, H, W, C]; with `return_pose`, a pair with a `Pose` of mean and
    concentration [B, P], the parameters of all steps in order, and matrix [B, 3, 3].

    Raises:
        InputError: an unknown transformation, or an argument out of range.

    Reference: Tai, Bailis, Valiant 2019 (arXiv 1901.11399), section 3.3.
    """

    def __init__(
        self,
        transformations: Sequence[str],
        return_pose: bool = False,
        radii: int = 16,
        angles: int = 64,
        maximum_radius: float = 1.0,
        filters: int = 12,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        names = not isinstance(transformations, str) and all(isinstance(name, str) for name in transformations)
        check(names, "transformations", "must be a list of names", transformations, 'Use, say, ["rotation"].')
        self.transformations, self.return_pose = tuple(transformations), return_pose
        self.radii, self.angles, self.maximum_radius, self.filters = radii, angles, maximum_radius, filters
        self.steps = [
            EquivariantTransformer(name, False, radii, angles, maximum_radius, filters, name=f"{name}_{index}")
            for index, name in enumerate(self.transformations)
        ]

    @property
    def periodic(self) -> tuple[bool, ...]:
        """For each parameter of the pose, whether it is an angle."""
        return tuple(angle for step in self.steps for angle in step.periodic)

    @property
    def turns(self) -> bool:
        """Whether all that it takes off are turns about the centre, which polar views undergo exactly."""
        return all(step.transformation.turns for step in self.steps)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._image_shape = tuple(input_shape[1:3])
        for step in self.steps:
            step.build((None, *input_shape[1:]))
        self._built_shape = (None, *input_shape[1:])
        self.built = True

    def pose(self, images: tf.Tensor, initial_matrix: tf.Tensor | None = None) -> Pose:
        """The pose of images, or of views of images.

        Args:
            images: [B, H, W, C].
            initial_matrix: [B, 3, 3], from points of the views to points of the images, as of a pose augmentation. It is
                no part of the pose.
        """
        return self._poses(images, initial_matrix, self.steps)

    def _poses(self, images: tf.Tensor, initial: tf.Tensor | None, steps: list[EquivariantTransformer]) -> Pose:
        batch = tf.shape(images)[0]
        matrix, so_far = tf.eye(3, batch_shape=[batch]), initial
        means, concentrations = [tf.zeros([batch, 0])], [tf.zeros([batch, 0])]
        for step in steps:
            pose = step.pose(images, so_far)
            means.append(pose.mean)
            concentrations.append(pose.concentration)
            matrix = tf.matmul(matrix, pose.matrix)
            so_far = pose.matrix if so_far is None else tf.matmul(so_far, pose.matrix)
        return Pose(tf.concat(means, axis=-1), tf.concat(concentrations, axis=-1), matrix)

    def call(self, images: tf.Tensor, initial_matrix: tf.Tensor | None = None) -> tf.Tensor | tuple[tf.Tensor, Pose]:
        pose = self.pose(images, initial_matrix)
        matrix = pose.matrix if initial_matrix is None else tf.matmul(initial_matrix, pose.matrix)
        view = tf.cast(warp(images, matrix), self.compute_dtype)
        return (view, pose) if self.return_pose else view

    def inverse(self, view: tf.Tensor, pose: Pose) -> tf.Tensor:
        """Puts a pose back on a canonical view, [B, H, W, C] to [B, H, W, C]."""
        return warp(view, invert_matrix(pose.matrix))

    def canonical_polar(
        self,
        images: tf.Tensor,
        radii: int,
        angles: int,
        maximum_radius: float = 1.0,
        initial_matrix: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, Pose]:
        """The polar view [B, R, A, C] of the canonical view, float32, and the pose.

        Where only turns are taken off, the polar view of the image is turned by trigonometric interpolation, which does
        not smooth; without an initial matrix that view is one sparse product. Else the grid is composed with all matrices
        and sampled once.

        Args:
            images: [B, H, W, C].
            radii, angles, maximum_radius: of the polar view.
            initial_matrix: as for `pose`.
        """
        pose = self.pose(images, initial_matrix)
        points = polar_points(radii, angles, maximum_radius).reshape(-1, 2)
        images = tf.cast(images, tf.float32)
        matrix = initial_matrix
        if not self.turns:
            matrix = pose.matrix if initial_matrix is None else tf.matmul(initial_matrix, pose.matrix)
        if matrix is None:
            view = apply_sparse(polar_sampling_matrix(*images.shape[1:3], radii, angles, maximum_radius), images)
        else:
            view = bilinear_sample(images, apply_matrix(matrix, points.astype(np.float32)))
        view = tf.reshape(view, [-1, radii, angles, images.shape[-1]])
        if self.turns and self.steps:
            view = turn(view, -tf.reduce_sum(pose.mean, axis=-1))
        return view, pose

    def image_from_canonical_polar(
        self, polar: tf.Tensor, maximum_radius: float = 1.0, pose: Pose | None = None
    ) -> tf.Tensor:
        """The image [B, H, W, C] whose canonical polar view and pose are given; without a pose, the canonical view.

        Args:
            polar: [B, R, A, C], float32.
            maximum_radius: of the polar view; points beyond have the values of the outermost ring.
            pose: as `canonical_polar` gave it.
        """
        check(self.built, "the layer", "must be built", self.built, "Call it, or build it, on images first.")
        height, width = self._image_shape
        if pose is None or self.turns:
            if pose is not None and self.steps:
                polar = turn(polar, tf.reduce_sum(pose.mean, axis=-1))
            radii, angles = polar.shape[1:3]
            image = apply_sparse(image_from_polar_points(radii, angles, height, width, maximum_radius), polar)
        else:
            points = apply_matrix(invert_matrix(pose.matrix), image_points(height, width).astype(np.float32))
            image = polar_sample(polar, points, maximum_radius)
        return tf.reshape(image, [-1, height, width, polar.shape[-1]])

    def compute_output_shape(self, input_shape: tuple[int | None, ...], *_: Any, **__: Any) -> Any:
        shape, size = tuple(input_shape), len(self.periodic)
        return (shape, Pose((shape[0], size), (shape[0], size), (shape[0], 3, 3))) if self.return_pose else shape

    def get_config(self) -> dict[str, Any]:
        own = {
            "transformations": list(self.transformations),
            "return_pose": self.return_pose,
            "radii": self.radii,
            "angles": self.angles,
            "maximum_radius": self.maximum_radius,
            "filters": self.filters,
        }
        return {**super().get_config(), **own}

    def get_build_config(self) -> dict[str, Any]:
        return {"input_shape": self._built_shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(config["input_shape"])
