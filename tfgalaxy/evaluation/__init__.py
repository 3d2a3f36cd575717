"""Judging: metrics with intervals, equivariance, tables and figures.

Metrics, tables and figures need no TensorFlow; what measures a model with it is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfgalaxy.evaluation.bootstrap import bootstrap_sums, percentile_interval
from tfgalaxy.evaluation.equivariance_figure import equivariance_figure
from tfgalaxy.evaluation.evaluate import Evaluation, Score, evaluate_baseline, evaluate_predictions
from tfgalaxy.evaluation.figures import save_figure
from tfgalaxy.evaluation.gallery import gallery
from tfgalaxy.evaluation.inputs import volunteer_fractions
from tfgalaxy.evaluation.latent_map import latent_map, project_latent
from tfgalaxy.evaluation.learning_curves import learning_curve, learning_curves
from tfgalaxy.evaluation.metrics import METRICS, baseline_fractions, log_likelihoods
from tfgalaxy.evaluation.picture_figures import picture_grid, pose_arrow
from tfgalaxy.evaluation.score_figures import compare_evaluations, interval_coverage
from tfgalaxy.evaluation.table import evaluation_table
from tfgalaxy.evaluation.vote_figures import confusion_matrix, predicted_against_votes, reliability_diagram
from tfgalaxy.evaluation.vote_tree import vote_tree
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
    "confusion_matrix",
    "equivariance_error",
    "equivariance_figure",
    "evaluate_baseline",
    "evaluate_predictions",
    "evaluation_table",
    "gallery",
    "interval_coverage",
    "invariance_error",
    "latent_map",
    "learning_curve",
    "learning_curves",
    "log_likelihoods",
    "percentile_interval",
    "picture_grid",
    "pose_arrow",
    "predicted_against_votes",
    "project_latent",
    "reliability_diagram",
    "save_figure",
    "total_variation",
    "volunteer_fractions",
    "vote_tree",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "equivariance": ("EquivarianceError", "ParameterError", "Spread", "equivariance_error"),
        "invariance": ("Change", "InvarianceError", "invariance_error", "total_variation"),
    },
)
