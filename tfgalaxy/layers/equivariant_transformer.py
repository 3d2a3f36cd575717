"""The Equivariant Transformer: predicts an image's pose and takes it off."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.layers.canonical_resampling import CanonicalResampling
from tfgalaxy.layers.pose import Pose, invert_matrices
from tfgalaxy.layers.pose_prediction import AnglePredictor, CentrePredictor, LogScalePredictor
from tfgalaxy.layers.transformations import Parameter, get_transformation

__all__ = ["EquivariantTransformer"]

GRIDS = {"rotation": "polar", "rotation_scale": "log-polar", "scale": "log-polar", "translation": "cartesian"}


@keras.saving.register_keras_serializable(package="tfgalaxy")
class EquivariantTransformer(keras.layers.Layer):
    """Un-poses images: phi* = T_theta^-1 phi with theta = f(phi) and f(T_theta' phi) = f(phi) + theta'.

    The image is sampled on the transformation's canonical coordinates, a network that commutes with translations there
    reads off theta, and the image is sampled again through T_theta.

    Args:
        transformation: "rotation", "rotation_scale", "scale" or "translation".
        radii, angles: of the canonical view that the pose is read off (not used by "translation").
        return_pose: whether `call` returns (canonical image, pose mean [B, P], pose concentration [B, P]).

    Input shape: [B, H, W, C]. Output shape: [B, H, W, C], the canonical image.

    Raises:
        InputError: an unknown transformation.

    Example:
        >>> EquivariantTransformer("rotation")(tf.random.uniform([2, 64, 64, 3])).shape
        TensorShape([2, 64, 64, 3])

    Reference: Tai, Bailis, Valiant 2019 (arXiv 1901.11399); equations (2) to (5) of Nishikawa-Toomey, Smith, Gal 2020.
    """

    def __init__(
        self, transformation: str, radii: int = 32, angles: int = 128, return_pose: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.transformation = get_transformation(transformation)
        if transformation not in GRIDS:
            rule = f"must be one of {', '.join(sorted(GRIDS))}"
            raise InputError("transformation", rule, transformation, "Choose one.")
        self.radii, self.angles, self.return_pose = radii, angles, return_pose

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The pose's parameters, with units."""
        return self.transformation.parameters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = tuple(input_shape)
        if len(shape) != 4 or None in shape[1:]:
            rule = "must be [batch, height, width, channels] with known sizes"
            raise InputError("input shape", rule, shape, "Resize the images to one size first.")
        _, height, width, channels = shape
        grid = GRIDS[self.transformation.name]
        size = (height, width) if grid == "cartesian" else (self.radii, self.angles)
        self.canonical = CanonicalResampling(grid, *size, dtype="float32", name="canonical")
        self.canonical.build(shape)
        self.image_grid = CanonicalResampling("cartesian", height, width, dtype="float32", name="image_grid")
        self.image_grid.build(shape)
        self._make_predictors((None, *size, channels))
        self.built = True

    def _make_predictors(self, shape: tuple[int | None, ...]) -> None:
        self.predictors = []
        for parameter in self.parameters:
            if parameter.name == "angle":
                self.predictors.append(AnglePredictor(name="angle"))
            elif parameter.name == "log_scale":
                points = self.canonical.points()[:: self.angles]
                log_radii = np.log(np.hypot(points[:, 0], points[:, 1]))
                self.predictors.append(LogScalePredictor(log_radii.tolist(), name="log_scale"))
        if self.transformation.name == "translation":
            self.predictors.append(CentrePredictor(name="centre"))
        for predictor in self.predictors:
            predictor.build(shape)

    def pose(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> Pose:
        """The pose of images, or of views of them.

        Args:
            images: [B, H, W, C].
            matrices: [B, 3, 3], from points of the view to points of the image.
        """
        return self.pose_of_canonical(self.canonical(tf.cast(images, tf.float32), matrices))

    def pose_of_canonical(self, view: tf.Tensor) -> Pose:
        """The pose read off a view that was sampled on the canonical grid already."""
        results = [predictor(view) for predictor in self.predictors]
        means = [tf.reshape(mean, [tf.shape(view)[0], -1]) for mean, _ in results]
        concentrations = [tf.reshape(value, [tf.shape(view)[0], -1]) for _, value in results]
        mean = tf.ensure_shape(tf.concat(means, axis=-1), [None, len(self.parameters)])
        concentration = tf.ensure_shape(tf.concat(concentrations, axis=-1), [None, len(self.parameters)])
        return Pose(mean, concentration, self.transformation.matrix(mean))

    def call(self, images: tf.Tensor) -> Any:
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
            "transformation": self.transformation.name,
            "radii": self.radii,
            "angles": self.angles,
            "return_pose": self.return_pose,
        }
        return {**super().get_config(), **own}
