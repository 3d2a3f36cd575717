"""The Equivariant Transformer: predicts the pose of an image and takes it off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.canonical_resampling import CanonicalResampling
from tfgalaxy.layers.coordinates import invert_matrix
from tfgalaxy.layers.moment_predictor import MomentPredictor
from tfgalaxy.layers.polar_convolution import smooth_rings
from tfgalaxy.layers.pose import Pose
from tfgalaxy.layers.pose_predictor import PosePredictor
from tfgalaxy.layers.sampling import (
    apply_sparse_to_rows,
    batch_first,
    batch_last,
    smooth,
    smoothed,
    sparse_sampling_matrix,
    warp,
)
from tfgalaxy.layers.transformations import Parameter, Transformation, get_transformation

__all__ = ["EquivariantTransformer"]


def check_image_shape(shape: Sequence[int | None]) -> None:
    """Raises `InputError` unless the shape is [batch, height, width, channels] with all but the batch known."""
    known = len(shape) == 4 and None not in tuple(shape)[1:]
    rule = "must be [batch, height, width, channels] with known sizes"
    check(known, "input shape", rule, tuple(shape), "Resize the images to one size first.")


@keras.saving.register_keras_serializable(package="tfgalaxy")
class EquivariantTransformer(keras.layers.Layer):
    """Takes the predicted pose off an image: canonical view phi*(x) = phi(T_theta x) with theta = f(phi).

    f is self-consistent, f(T_theta' phi) = f(phi) + theta' (Tai et al. 2019, equation 4): all but angles are read from
    the moments of the light (`MomentPredictor`), an angle from the polar view of the image with the rest taken off
    (`PosePredictor`). That view is smoothed before it is sampled, since rings of 64 angles cannot hold all the detail
    of a 64 pixels wide image, and what they cannot hold would not turn with the image.

    Args:
        transformation: name of a registered transformation, one of `transformation_names()`.
        return_pose: whether `call` also returns the pose's mean and concentration.
        radii, angles, maximum_radius: of the polar view that the angle is read from.
        filters: channels of `PosePredictor`.

    Input shape: images [B, H, W, C]. Output shape: [B, H, W, C]; with `return_pose`, that and the pose's mean and
    concentration, [B, k] each. Geometry is float32; the view has the layer's compute dtype. Gradients reach the image,
    and through the pose its predictor.

    Raises:
        InputError: an unknown transformation, or an argument out of range.

    Example:
        >>> layer = EquivariantTransformer("rotation", return_pose=True)
        >>> view, mean, concentration = layer(tf.random.uniform([2, 64, 64, 3]))
        >>> view.shape, mean.shape
        (TensorShape([2, 64, 64, 3]), TensorShape([2, 1]))

    Reference: Tai, Bailis, Valiant 2019 (arXiv 1901.11399), section 3.
    """

    def __init__(
        self,
        transformation: str,
        return_pose: bool = False,
        radii: int = 16,
        angles: int = 64,
        maximum_radius: float = 1.0,
        filters: int = 12,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.transformation: Transformation = get_transformation(transformation)
        self.return_pose = return_pose
        self.radii, self.angles, self.maximum_radius, self.filters = radii, angles, maximum_radius, filters
        periodic = self.transformation.periodic
        self.moments: Any = None
        self.polar: Any = None
        self.angle: Any = None
        if not all(periodic):
            self.moments = MomentPredictor(transformation, dtype="float32", name="moments")
        if any(periodic):
            self.polar = CanonicalResampling(radii, angles, maximum_radius, dtype="float32", name="polar")
            self.angle = PosePredictor(filters, dtype="float32", name="angle")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The pose's parameters, with units and ranges."""
        return self.transformation.parameters

    @property
    def periodic(self) -> tuple[bool, ...]:
        """For each parameter of the pose, whether it is an angle."""
        return self.transformation.periodic

    def build(self, input_shape: tuple[Any, ...]) -> None:
        check_image_shape(input_shape)
        shape = (None, *input_shape[1:])
        if self.moments is not None:
            self.moments.build(shape)
        if self.angle is not None:
            grey = (*shape[:-1], 1)
            self.polar.build(grey)
            self.angle.build(self.polar.compute_output_shape(grey))
            sampling = sparse_sampling_matrix(self.polar.points, *shape[1:3])
            self._smoothed_sampling = smoothed(sampling, *shape[1:3])
        self._built_shape = shape
        self.built = True

    def pose(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> Pose:
        """The pose of images, or of views of images.

        Args:
            images: [B, H, W, C].
            matrices: [B, 3, 3], from points of the views to points of the images.
        """
        if not self.built:
            self.build(images.shape)
        images = tf.cast(images, tf.float32)
        theta, concentration = None, None
        if self.moments is not None:
            theta, concentration = self.moments(images, matrices)
            unposed = self.transformation.matrix(theta)
            matrices = unposed if matrices is None else tf.matmul(matrices, unposed)
        if self.angle is not None:
            angle, angle_concentration = self.angle(self._polar_view(images, matrices))
            theta, concentration = self._with_angle(theta, concentration, angle, angle_concentration)
        return Pose(theta, concentration, self.transformation.matrix(theta))

    def _polar_view(self, images: tf.Tensor, matrices: tf.Tensor | None) -> tf.Tensor:
        """The view that the angle is read from, [B, R, A, 1]: of the sum of colours, which all show one angle."""
        if matrices is None:  # then there were no moments before
            # The graph's optimiser joins this transposition with that of the canonical view.
            grey = tf.reduce_sum(batch_last(images), axis=1)  # of the innermost axis it would take three times as long
            view = apply_sparse_to_rows(self._smoothed_sampling, grey)
            return batch_first(view, (self.radii, self.angles, 1))
        grey = tf.add_n(tf.unstack(images, axis=-1))[..., tf.newaxis]
        view = self.polar(smooth(grey), matrices)
        # With a scale taken off, the blur of the pixels is as wide as the scale says. Beside that of the rings, which
        # is the same for all views, it hardly matters.
        return view if self.moments is None else smooth_rings(view)

    def _with_angle(
        self, theta: tf.Tensor | None, concentration: tf.Tensor | None, angle: tf.Tensor, own: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if theta is None:
            return angle, own
        chosen = tf.constant(self.periodic)
        return tf.where(chosen, angle, theta), tf.where(chosen, own, concentration)

    def call(self, images: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, Pose]:
        pose = self.pose(images)
        view = tf.cast(warp(images, pose.matrix), self.compute_dtype)
        return (view, pose.mean, pose.concentration) if self.return_pose else view

    def inverse(self, view: tf.Tensor, pose: Pose) -> tf.Tensor:
        """Puts a pose back on a canonical view: phi(x) = phi*(T_theta^-1 x), [B, H, W, C] to [B, H, W, C]."""
        return warp(view, invert_matrix(pose.matrix))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> Any:
        shape, pose = tuple(input_shape), (input_shape[0], self.transformation.size)
        return (shape, pose, pose) if self.return_pose else shape

    def get_config(self) -> dict[str, Any]:
        own = {
            "transformation": self.transformation.name,
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
