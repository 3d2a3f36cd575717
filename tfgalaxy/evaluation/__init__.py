"""Judging: metrics with intervals, tables and figures. Needs no TensorFlow."""

from tfgalaxy.evaluation.bootstrap import bootstrap_sums, percentile_interval
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

__all__ = [
    "METRICS",
    "Evaluation",
    "Score",
    "baseline_fractions",
    "bootstrap_sums",
    "compare_evaluations",
    "evaluate_baseline",
    "evaluate_predictions",
    "evaluation_table",
    "gallery",
    "learning_curves",
    "log_likelihoods",
    "percentile_interval",
    "predicted_against_votes",
    "reliability_diagram",
    "save_figure",
    "volunteer_fractions",
]
