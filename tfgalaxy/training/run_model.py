"""A run's model: before training, and when all that fitting needed is left behind."""

from __future__ import annotations

import numpy as np

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.weight_average import get_values, set_values

__all__ = ["finished_model", "make_model"]


def make_model(config: RunConfig, train_part: Catalogue) -> GalaxyVAE:
    """The run's model before training; it starts at the mean fractions of the labelled galaxies' votes."""
    questions, votes = train_part.questions, train_part.votes.sum(axis=0)
    totals = np.add.reduceat(votes, [part.start for part in questions.slices])[questions.question_index]
    sizes = np.bincount(questions.question_index)[questions.question_index]
    means = np.where(totals > 0, votes / np.maximum(totals, 1e-9), 1.0 / sizes)
    fractions = tuple(round(float(mean), 6) for mean in means)
    return GalaxyVAE(questions, config.model.replace(answer_fractions=fractions, seed=config.training.seed))


def finished_model(model: GalaxyVAE) -> GalaxyVAE:
    """The same weights in a model for one device that computes in float32: replicas and bfloat16 are for fitting, not
    for predictions. What fitting alone needs, optimisers and metrics, starts anew: its state says when a run was
    killed.
    """
    finished = GalaxyVAE(model.questions, model.config.replace(precision="float32"))
    set_values(finished.state_variables, get_values(model.state_variables))
    finished.compile()
    return finished
