"""Geometry: polar views, Equivariant Transformers, and the pure functions below them. Usable in any Keras model."""

from tfgalaxy.layers.canonical_resampling import CanonicalResampling
from tfgalaxy.layers.equivariant_transformer import EquivariantTransformer
from tfgalaxy.layers.equivariant_transformer_sequence import EquivariantTransformerSequence
from tfgalaxy.layers.polar_convolution import PolarConv2D, PolarPool
from tfgalaxy.layers.pose import Pose, pose_distribution
from tfgalaxy.layers.pose_prediction import AnglePredictor, CentrePredictor, LogScalePredictor
from tfgalaxy.layers.transformations import get_transformation, register_transformation, transformations

__all__ = [
    "AnglePredictor",
    "CanonicalResampling",
    "CentrePredictor",
    "EquivariantTransformer",
    "EquivariantTransformerSequence",
    "LogScalePredictor",
    "PolarConv2D",
    "PolarPool",
    "Pose",
    "get_transformation",
    "pose_distribution",
    "register_transformation",
    "transformations",
]
