"""Judging: metrics with intervals, equivariance, tables and figures.

Metrics, tables and figures need no TensorFlow; what measures a model with it is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from tfgalaxy.lazy_names import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "equivariance": ("EquivarianceError", "ParameterError", "Spread", "equivariance_error"),
        "invariance": ("Change", "InvarianceError", "invariance_error", "total_variation"),
    },
)
