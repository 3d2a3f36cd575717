"""The settings that a search can vary: where each stands in a run's configuration, and which regimes read it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from tfgalaxy.configuration import Configuration
from tfgalaxy.training.config import RunConfig

__all__ = ["SETTINGS", "Setting"]

C = TypeVar("C", bound=Configuration)
WITH_UNLABELLED = ("alternating", "two-step")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Attributes:
        name: in the search space and of the hyperparameter.
        kind: "choice", or a range of floats ("linear", or "log" scale) or of integers ("integer").
        section: "model" or "training".
        field: of that section.
        part: field within that one, where it is a configuration itself.
        regimes: that read it; all when empty.
    """

    name: str
    kind: Literal["choice", "linear", "log", "integer"]
    section: Literal["model", "training"]
    field: str
    part: str | None = None
    regimes: tuple[str, ...] = ()

    def get(self, config: RunConfig) -> Any:
        """Its value in a run's configuration."""
        value = getattr(getattr(config, self.section), self.field)
        return value if self.part is None else getattr(value, self.part)

    def put(self, config: RunConfig, value: Any) -> RunConfig:
        """The configuration with the value in its place."""
        section = self.put_into_section(getattr(config, self.section), value)
        return config.replace(**{self.section: section})

    def put_into_section(self, section: C, value: Any) -> C:
        """The section with the value in its place; refused as the section refuses it."""
        if self.part is not None:
            value = getattr(section, self.field).replace(**{self.part: value})
        return section.replace(**{self.field: value})


SETTINGS: Sequence[Setting] = (
    Setting("regime", "choice", "training", "regime"),
    Setting("transformation", "choice", "model", "transformations"),
    Setting("latent_size", "choice", "model", "latent_size", regimes=WITH_UNLABELLED),
    Setting("encoder_filters", "choice", "model", "encoder_filters"),
    Setting("decoder_filters", "choice", "model", "decoder_filters", regimes=WITH_UNLABELLED),
    Setting("dropout", "linear", "model", "dropout"),
    Setting("label_smoothing", "linear", "model", "label_smoothing"),
    Setting("zoom", "linear", "model", "classifier_views", "zoom"),
    Setting("gain", "linear", "model", "classifier_views", "gain"),
    Setting("batch_size", "choice", "training", "batch_size"),
    Setting("classifier_learning_rate", "log", "training", "classifier_learning_rate", regimes=("supervised",)),
    Setting("fine_tuning_learning_rate", "log", "training", "fine_tuning_learning_rate", regimes=WITH_UNLABELLED),
    Setting("pixel_likelihood", "choice", "model", "pixel_likelihood", regimes=WITH_UNLABELLED),
    Setting("kl_weight", "log", "training", "kl_weight", regimes=WITH_UNLABELLED),
    Setting("kl_warm_up_steps", "integer", "model", "kl_warm_up_steps", regimes=WITH_UNLABELLED),
    Setting("contrast_weight", "linear", "model", "contrast_weight", regimes=WITH_UNLABELLED),
    Setting("start_zoom", "linear", "training", "start_views", "zoom", WITH_UNLABELLED),
    Setting("start_gain", "linear", "training", "start_views", "gain", WITH_UNLABELLED),
    Setting("vae_learning_rate", "log", "training", "vae_learning_rate", regimes=WITH_UNLABELLED),
    Setting("alternating_learning_rate", "log", "training", "alternating_learning_rate", regimes=("alternating",)),
    Setting("alternating_contrast_weight", "linear", "training", "alternating_contrast_weight", None, ("alternating",)),
    Setting("vae_steps", "choice", "training", "vae_steps", regimes=("alternating",)),
    Setting("classifier_steps", "choice", "training", "classifier_steps", regimes=("alternating",)),
    Setting("teachers", "choice", "training", "teachers", None, WITH_UNLABELLED),
    Setting("voted_share", "linear", "training", "voted_share", None, WITH_UNLABELLED),
    Setting("fine_tune", "choice", "training", "fine_tune", regimes=("two-step",)),
)
