"""The poster's three regimes as phases: which batches, which optimisers, which weights, for how many epochs."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras

from tfgalaxy.models.config import ViewConfig
from tfgalaxy.training.config import TrainingConfig

__all__ = ["Phase", "make_optimizers", "phases"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """Consecutive epochs with the same kind of step.

    Attributes:
        name: "unlabelled", "supervised", "alternating" or "fine-tuning".
        batches: what `fit` is given: "unlabelled", "labelled" or "pairs" of both.
        first_epoch, last_epoch: the epochs first_epoch ... last_epoch - 1 of the run.
        vae_views, contrast_weight: of the VAE's clock; None for the model's own.
        fine_tune: weights that the classifier's steps change.
        vae_steps, classifier_steps: steps of either clock in one step of `fit`.
    """

    name: str
    batches: Literal["unlabelled", "labelled", "pairs"]
    first_epoch: int
    last_epoch: int
    vae_views: ViewConfig | None = None
    contrast_weight: float | None = None
    fine_tune: Literal["classifier-and-encoder", "classifier"] = "classifier-and-encoder"
    vae_steps: int = 1
    classifier_steps: int = 1

    @property
    def counts_towards_best(self) -> bool:
        """Whether an epoch's weights may be the run's best: before the classifier's clock runs, none can."""
        return self.batches != "unlabelled"


def phases(config: TrainingConfig, labels: int) -> list[Phase]:
    """The phases of a run on `labels` labelled galaxies (PAPER.md 'Three training regimes').

    - supervised: classifier steps only.
    - alternating: a VAE step and a classifier step in turn, after a start of the VAE's clock alone.
    - two-step: the VAE's clock alone, then classifier steps.
    """
    length = config.classifier_epochs(labels)
    start = config.start_epochs
    if config.regime == "supervised":
        return [Phase("supervised", "labelled", 0, length)]
    first = [Phase("unlabelled", "unlabelled", 0, start, config.start_views)] if start else []
    if config.regime == "two-step":
        return [*first, Phase("fine-tuning", "labelled", start, start + length, fine_tune=config.fine_tune)]
    pairs = Phase(
        "alternating",
        "pairs",
        start,
        start + length,
        config.alternating_views,
        config.alternating_contrast_weight,
        vae_steps=config.vae_steps,
        classifier_steps=config.classifier_steps,
    )
    return [*first, pairs]


def make_optimizers(config: TrainingConfig, labels: int) -> dict[str, Any]:
    """AdamW for both clocks, with schedules that depend on their own steps only."""
    schedules = keras.optimizers.schedules
    start_steps = max(1, config.start_epochs * config.steps_per_epoch)
    vae_rate: Any = config.alternating_learning_rate
    if config.start_epochs:
        alpha = config.alternating_learning_rate / config.vae_learning_rate
        vae_rate = schedules.CosineDecay(config.vae_learning_rate, start_steps, alpha=alpha)
    classifier_steps = config.classifier_epochs(labels) * config.steps_per_epoch
    if config.regime == "alternating":
        classifier_steps *= config.classifier_steps
    classifier_rate = schedules.CosineDecay(config.classifier_start_rate, classifier_steps)
    return {
        "vae_optimizer": keras.optimizers.AdamW(vae_rate, weight_decay=config.weight_decay),
        "classifier_optimizer": keras.optimizers.AdamW(classifier_rate, weight_decay=config.weight_decay),
    }
