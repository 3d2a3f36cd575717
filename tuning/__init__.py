"""KerasTuner searches over the hyperparameters of a `GalaxyVAE`."""

from tfgalaxy.tuning.hypermodel import GalaxyHyperModel
from tfgalaxy.tuning.space import SearchSpace

__all__ = ["GalaxyHyperModel", "SearchSpace"]
