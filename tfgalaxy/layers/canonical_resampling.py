"""Samples images on a grid of canonical coordinates."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.layers.coordinates import Points, log_polar_points, polar_points
from tfgalaxy.layers.sampling import apply_sparse, moved_sample, sparse_sampling_matrix

__all__ = ["CanonicalResampling"]


@keras.saving.register_keras_serializable(package="tfgalaxy")
class CanonicalResampling(keras.layers.Layer):
    """Polar or log-polar view of images: a turn of the image is a shift of the view along the angle.

    Without matrices the grid is the same for all images, and the view is one product with a sparse matrix that is made
    in `build`. With matrices each image has its own grid, the canonical one moved by the matrix, and a pixel is still
    interpolated only once.

    Args:
        radii, angles: size of the view.
        maximum_radius: radius of the outer edge, in half-widths.
        minimum_radius: radius of the inner edge of a log-polar view; unused by a polar one.
        spacing: "polar", rings of equal width (canonical for rotation), or "log-polar", rings of equal ratio (canonical
            for rotation with scale).

    Input shape: [B, H, W, C]; optionally `matrices` [B, 3, 3], from points of the view to points of the image.
    Output shape: [B, R, A, C], of the layer's compute dtype; computed in float32.

    Raises:
        InputError: an argument out of range.

    Reference: Tai et al. 2019 (arXiv 1901.11399), section 3.
    """

    def __init__(
        self,
        radii: int = 32,
        angles: int = 64,
        maximum_radius: float = 1.0,
        minimum_radius: float = 0.05,
        spacing: Literal["polar", "log-polar"] = "polar",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        check(radii >= 1, "radii", "must be at least 1", radii, "Use 32.")
        check(angles >= 2 and angles % 2 == 0, "angles", "must be even and positive", angles, "Use 64.")
        check(maximum_radius > 0, "maximum_radius", "must be positive", maximum_radius, "Use 1.")
        inside = 0 < minimum_radius < maximum_radius
        rule = f"must lie between 0 and maximum_radius ({maximum_radius})"
        check(inside or spacing == "polar", "minimum_radius", rule, minimum_radius, "Use 0.05.")
        check(spacing in ("polar", "log-polar"), "spacing", "must be polar or log-polar", spacing, "Choose one.")
        self.radii, self.angles, self.spacing = radii, angles, spacing
        self.maximum_radius, self.minimum_radius = maximum_radius, minimum_radius

    @property
    def points(self) -> Points:
        """(x, y) of the grid, [R, A, 2]."""
        if self.spacing == "polar":
            return polar_points(self.radii, self.angles, self.maximum_radius)
        return log_polar_points(self.radii, self.angles, self.minimum_radius, self.maximum_radius)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        self._sampling = sparse_sampling_matrix(self.points, input_shape[1], input_shape[2])
        self.built = True

    def call(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> tf.Tensor:
        if matrices is None:
            view = apply_sparse(self._sampling, images)
        else:
            view = moved_sample(images, matrices, self.points.reshape(-1, 2))
        view = tf.reshape(view, [-1, self.radii, self.angles, images.shape[-1]])
        return tf.cast(view, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.radii, self.angles, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        own = {
            "radii": self.radii,
            "angles": self.angles,
            "maximum_radius": self.maximum_radius,
            "minimum_radius": self.minimum_radius,
            "spacing": self.spacing,
        }
        return {**super().get_config(), **own}
