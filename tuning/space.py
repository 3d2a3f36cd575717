"""The search space as data: ranges of the hyperparameters, JSON in and out."""

from __future__ import annotations

import dataclasses

from tfgalaxy.configuration import Configuration, check

__all__ = ["SearchSpace"]


@dataclasses.dataclass(frozen=True)
class SearchSpace(Configuration):
    """Ranges that a search draws from; (low, high) for numbers, choices for lists.

    Attributes:
        latent_size: choices for Z.
        dropout: range of the classifier's dropout.
        zoom: range of the size augmentation of the classifier's views.
        contrast_weight: range of the contrast's weight.
        pixel_likelihood: choices.
        classifier_learning_rate, vae_learning_rate: ranges, drawn on a log scale.
    """

    latent_size: tuple[int, ...] = (16, 32, 64)
    dropout: tuple[float, float] = (0.0, 0.7)
    zoom: tuple[float, float] = (0.0, 0.4)
    contrast_weight: tuple[float, float] = (0.0, 2.0)
    pixel_likelihood: tuple[str, ...] = ("normal", "laplace")
    classifier_learning_rate: tuple[float, float] = (2e-4, 5e-3)
    vae_learning_rate: tuple[float, float] = (5e-5, 5e-3)

    def validate(self) -> None:
        for name in ("dropout", "zoom", "contrast_weight", "classifier_learning_rate", "vae_learning_rate"):
            low, high = getattr(self, name)
            check(low <= high, name, "must be a range (low, high)", (low, high), "Swap the two.")
        for name in ("latent_size", "pixel_likelihood"):
            check(len(getattr(self, name)) > 0, name, "must name at least one choice", (), "Name one.")
