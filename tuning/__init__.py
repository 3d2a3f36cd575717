"""KerasTuner searches over the hyperparameters of a `GalaxyVAE`.

Names are imported when they are first used: what only starts workers needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfgalaxy.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfgalaxy.tuning.hypermodel import GalaxyHyperModel
    from tfgalaxy.tuning.median_stopping import MedianStopping
    from tfgalaxy.tuning.objectives import objective
    from tfgalaxy.tuning.run_search import SearchOutcome, search
    from tfgalaxy.tuning.space import SearchSpace

__all__ = ["GalaxyHyperModel", "MedianStopping", "SearchOutcome", "SearchSpace", "objective", "search"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "hypermodel": ("GalaxyHyperModel",),
        "median_stopping": ("MedianStopping",),
        "objectives": ("objective",),
        "run_search": ("SearchOutcome", "search"),
        "space": ("SearchSpace",),
    },
)
