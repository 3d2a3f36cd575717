"""Geometry: coordinates, sampling, polar convolution, poses and Equivariant Transformers, as layers for any model."""

from tfgalaxy.layers.canonical_resampling import CanonicalResampling
from tfgalaxy.layers.circular import circular_mean, turn
from tfgalaxy.layers.coordinates import (
    apply_matrix,
    image_points,
    invert_matrix,
    log_polar_points,
    pixel_centres,
    polar_points,
)
from tfgalaxy.layers.equivariant_transformer import EquivariantTransformer
from tfgalaxy.layers.equivariant_transformer_sequence import EquivariantTransformerSequence
from tfgalaxy.layers.light_ellipse import Ellipse
from tfgalaxy.layers.linear_transformations import HyperbolicRotation, ScaleX, ScaleY, ShearX, ShearY
from tfgalaxy.layers.moment_predictor import MomentPredictor
from tfgalaxy.layers.perspectives import PerspectiveX, PerspectiveY
from tfgalaxy.layers.polar_convolution import PolarConv2D, PolarPool
from tfgalaxy.layers.polar_sampling import polar_sample
from tfgalaxy.layers.pose import Pose, pose_distribution
from tfgalaxy.layers.pose_predictor import PosePredictor
from tfgalaxy.layers.sampling import (
    apply_sparse,
    bilinear_sample,
    image_from_polar_points,
    sparse_sampling_matrix,
    warp,
)
from tfgalaxy.layers.similarities import Rotation, RotationScale, Scale, Translation
from tfgalaxy.layers.transformations import (
    Parameter,
    Transformation,
    affine_matrix,
    away_from_zero,
    get_transformation,
    register_transformation,
    transformation_names,
)

__all__ = [
    "CanonicalResampling",
    "Ellipse",
    "EquivariantTransformer",
    "EquivariantTransformerSequence",
    "HyperbolicRotation",
    "MomentPredictor",
    "Parameter",
    "PerspectiveX",
    "PerspectiveY",
    "PolarConv2D",
    "PolarPool",
    "Pose",
    "PosePredictor",
    "Rotation",
    "RotationScale",
    "Scale",
    "ScaleX",
    "ScaleY",
    "ShearX",
    "ShearY",
    "Transformation",
    "Translation",
    "affine_matrix",
    "apply_matrix",
    "apply_sparse",
    "away_from_zero",
    "bilinear_sample",
    "circular_mean",
    "get_transformation",
    "image_from_polar_points",
    "image_points",
    "invert_matrix",
    "log_polar_points",
    "pixel_centres",
    "polar_points",
    "polar_sample",
    "pose_distribution",
    "register_transformation",
    "sparse_sampling_matrix",
    "transformation_names",
    "turn",
    "warp",
]
