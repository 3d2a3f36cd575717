"""A sequence of Equivariant Transformers that resamples the image once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.circular import turn_rings
from tfgalaxy.layers.coordinates import apply_matrix, image_points, invert_matrix, polar_points
from tfgalaxy.layers.equivariant_transformer import EquivariantTransformer, check_image_shape
from tfgalaxy.layers.polar_sampling import polar_sample
from tfgalaxy.layers.pose import Pose
from tfgalaxy.layers.sampling import (
    apply_sparse_to_rows,
    batch_first,
    batch_last,
    image_from_polar_points,
    moved_sample,
    polar_sampling_matrix,
    warp,
)
from tfgalaxy.layers.transformations import Parameter

__all__ = ["EquivariantTransformerSequence"]


@keras.saving.register_keras_serializable(package="tfgalaxy")
class EquivariantTransformerSequence(keras.layers.Layer):
    """Takes several transformations off an image, one after another, but resamples it once.

    Step i sees the image un-posed by the steps before it, phi_i(x) = phi(M_1 ... M_{i-1} x), and finds M_i. The
    canonical view is phi(M x) with M = M_1 ... M_n, sampled from the image itself.

    Args:
        transformations: names, in order, as in `["translation", "rotation_scale"]`; none leaves images as they are.
        return_pose: whether `call` also returns the `Pose`.
        radii, angles, maximum_radius, filters: as for `EquivariantTransformer`.
        oversampling: `canonical_polar` samples so many times the angles it returns, and low-passes. The outer rings of
            an image hold more detail than the angles returned, and what is sampled too coarsely does not turn with it.

    Input shape: images [B, H, W, C]. Output shape: [B, H, W, C]; with `return_pose`, that and the pose's mean and
    concentration, [B, P] each, the parameters of all steps in order.

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
        oversampling: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        check(oversampling >= 1, "oversampling", "must be at least 1", oversampling, "Use 2.")
        names = not isinstance(transformations, str) and all(isinstance(name, str) for name in transformations)
        check(names, "transformations", "must be a list of names", transformations, 'Use, say, ["rotation"].')
        self.transformations, self.return_pose = tuple(transformations), return_pose
        self.radii, self.angles, self.maximum_radius, self.filters = radii, angles, maximum_radius, filters
        self.oversampling = oversampling
        self.steps = [
            EquivariantTransformer(name, False, radii, angles, maximum_radius, filters, name=f"{name}_{index}")
            for index, name in enumerate(self.transformations)
        ]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The pose's parameters with units and ranges, step by step."""
        return tuple(parameter for step in self.steps for parameter in step.parameters)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """For each parameter of the pose, whether it is an angle."""
        return tuple(angle for step in self.steps for angle in step.periodic)

    @property
    def turns(self) -> bool:
        """Whether all that it takes off are turns about the centre, which polar views undergo exactly."""
        return all(step.transformation.turns for step in self.steps)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        check_image_shape(input_shape)
        self._image_shape = (int(input_shape[1]), int(input_shape[2]))
        for step in self.steps:
            step.build((None, *input_shape[1:]))
        self._built_shape = (None, *input_shape[1:])
        self.built = True

    def pose(self, images: tf.Tensor, initial_matrix: tf.Tensor | None = None) -> Pose:
        """The pose of images, or of views of images.

        Args:
            images: [B, H, W, C].
            initial_matrix: [B, 3, 3], from points of the views to points of the images, as of a pose augmentation. It
                is no part of the pose.
        """
        if not self.built:
            self.build(images.shape)
        batch = tf.shape(images)[0]
        matrix, so_far = tf.eye(3, batch_shape=[batch]), initial_matrix
        means, concentrations = [tf.zeros([batch, 0])], [tf.zeros([batch, 0])]
        for step in self.steps:
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
        return (view, pose.mean, pose.concentration) if self.return_pose else view

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

        The view is sampled at `oversampling` times the angles and turned and low-passed by its Fourier series. Where
        only turns are taken off, the view sampled is that of the image itself, without an initial matrix by one sparse
        product. Else the grid is composed with all matrices and a pixel is still interpolated once.

        Args:
            images: [B, H, W, C].
            radii, angles, maximum_radius: of the polar view.
            initial_matrix: as for `pose`.
        """
        pose = self.pose(images, initial_matrix)
        matrix, angle = initial_matrix, tf.zeros([tf.shape(images)[0]])
        if self.turns:
            angle = tf.reduce_sum(pose.mean, axis=-1)
        else:
            matrix = pose.matrix if matrix is None else tf.matmul(matrix, pose.matrix)
        images = tf.cast(images, tf.float32)
        sampled = (radii, angles * self.oversampling, maximum_radius)
        if matrix is None:
            view = apply_sparse_to_rows(polar_sampling_matrix(*images.shape[1:3], *sampled), batch_last(images))
        else:
            # With turns alone no gradient passes through the grid, and it is training that gives an initial matrix.
            points = polar_points(*sampled).reshape(-1, 2)
            view = batch_last(moved_sample(images, matrix, points, compiled=self.turns))
        channels = images.shape[-1]
        rings = turn_rings(tf.reshape(view, [*sampled[:2], channels, -1]), -angle, angles)
        return batch_first(rings, (radii, angles, channels)), pose

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
        radii, angles, channels = polar.shape[1:]
        if pose is None or self.turns:
            rings = tf.reshape(batch_last(polar), [radii, angles, channels, -1])
            if pose is not None and self.steps:
                rings = turn_rings(rings, tf.reduce_sum(pose.mean, axis=-1))
            matrix = image_from_polar_points(radii, angles, height, width, maximum_radius)
            image = apply_sparse_to_rows(matrix, tf.reshape(rings, [radii * angles, channels, -1]))
            return batch_first(image, (height, width, channels))
        points = apply_matrix(invert_matrix(pose.matrix), image_points(height, width).astype(np.float32))
        return tf.reshape(polar_sample(polar, points, maximum_radius), [-1, height, width, channels])

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> Any:
        shape, pose = tuple(input_shape), (input_shape[0], len(self.parameters))
        return (shape, pose, pose) if self.return_pose else shape

    def get_config(self) -> dict[str, Any]:
        own = {
            "transformations": list(self.transformations),
            "return_pose": self.return_pose,
            "radii": self.radii,
            "angles": self.angles,
            "maximum_radius": self.maximum_radius,
            "filters": self.filters,
            "oversampling": self.oversampling,
        }
        return {**super().get_config(), **own}

    def get_build_config(self) -> dict[str, Any]:
        return {"input_shape": self._built_shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(config["input_shape"])
