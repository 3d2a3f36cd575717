"""Judging: metrics with intervals, equivariance, tables and figures.

Metrics, tables and figures need no TensorFlow; what measures a model with it is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfgalaxy.evaluation.bootstrap import bootstrap_sums, percentile_interval
from tfgalaxy.evaluation.equivariance_figure import equivariance_figure
from tfgalaxy.evaluation.evaluate import Evaluation, Score, evaluate_baseline, evaluate_predictions
from tfgalaxy.evaluation.figures import (
    compare_evaluations,
    learning_curves,
    predicted_against_votes,
    reliability_diagram,
    save_figure,
)
from tfgalaxy.evaluation.gallery import gallery
from tfgalaxy.evaluation.inputs import volunteer_fractions
from tfgalaxy.evaluation.metrics import METRICS, baseline_fractions, log_likelihoods
from tfgalaxy.evaluation.table import evaluation_table

if TYPE_CHECKING:
    from tfgalaxy.evaluation.equivariance import EquivarianceError, ParameterError, Spread, equivariance_error
    from tfgalaxy.evaluation.invariance import Change, InvarianceError, invariance_error, total_variation

__all__ = [
    "METRICS",
    "Change",
    "EquivarianceError",
    "Evaluation",
    "InvarianceError",
    "ParameterError",
    "Score",
    "Spread",
    "baseline_fractions",
    "bootstrap_sums",
    "compare_evaluations",
    "equivariance_error",
    "equivariance_figure",
    "evaluate_baseline",
    "evaluate_predictions",
    "evaluation_table",
    "gallery",
    "invariance_error",
    "learning_curves",
    "log_likelihoods",
    "percentile_interval",
    "predicted_against_votes",
    "reliability_diagram",
    "save_figure",
    "total_variation",
    "volunteer_fractions",
]

_HOMES = {
    "equivariance": ("EquivarianceError", "ParameterError", "Spread", "equivariance_error"),
    "invariance": ("Change", "InvarianceError", "invariance_error", "total_variation"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"tfgalaxy.evaluation.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
