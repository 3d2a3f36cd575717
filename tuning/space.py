"""The search space as data: which settings of a run a search varies, and within what range. JSON in and out."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Literal

from tfgalaxy.configuration import Configuration, check, read_json
from tfgalaxy.layers import transformation_names
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import Regime, TrainingConfig
from tfgalaxy.training.shared_start import READ_LATER
from tfgalaxy.tuning.settings import SETTINGS, Setting

__all__ = ["SPACES", "SearchSpace", "load_space"]

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SearchSpace(Configuration):
    """What a search varies. None leaves a setting as the run's configuration has it; where a setting is searched, the
    configuration's own value is what the search starts from.

    Ranges are (low, high), both ends included; all others are choices. What the settings mean is said by `ModelConfig`,
    `ViewConfig` and `TrainingConfig`. What belongs to the unlabelled clock alone is searched only in trials whose
    regime has one.

    Attributes:
        regime: of training.
        transformation: the Equivariant Transformer's steps, as in ("rotation",).
        latent_size: Z.
        encoder_filters, decoder_filters: widths.
        dropout, label_smoothing: of the classifier.
        zoom, gain: augmentation of the classifier's views, size and brightness.
        batch_size: of both clocks.
        classifier_learning_rate: of the supervised regime; drawn on a log scale, as are all rates and weights from
            above 0.
        fine_tuning_learning_rate: of the classifier's clock in the other regimes.
        pixel_likelihood: of the VAE, as are all that follow.
        kl_weight, kl_warm_up_steps: weight of the KL divergence, and the steps over which it rises.
        contrast_weight: of the start of the unlabelled clock.
        start_zoom, start_gain: augmentation there.
        vae_learning_rate: there.
        alternating_learning_rate, alternating_contrast_weight: of the unlabelled clock in alternating steps.
        vae_steps, classifier_steps: steps of one clock for those of the other in an alternating step.
        teachers, voted_share: models that give the galaxies without votes soft ones, each of which takes half as long
            as the run that learns from them, and the share of voted galaxies beside those; not searched by default.
        fine_tune: of the two-step regime.
    """

    regime: tuple[Regime, ...] | None = ("supervised", "alternating", "two-step")
    transformation: tuple[tuple[str, ...], ...] | None = (("rotation",), ("translation", "rotation"))
    latent_size: tuple[int, ...] | None = (16, 32, 64)
    encoder_filters: tuple[tuple[int, ...], ...] | None = ((24, 32, 48, 64), (32, 48, 64, 96), (48, 64, 96, 128))
    decoder_filters: tuple[tuple[int, int], ...] | None = ((32, 24), (48, 32))
    dropout: Range | None = (0.2, 0.7)
    label_smoothing: Range | None = (0.0, 0.15)
    zoom: Range | None = (0.05, 0.4)
    gain: Range | None = (0.0, 0.3)
    batch_size: tuple[int, ...] | None = (32, 64, 128)
    classifier_learning_rate: Range | None = (2e-4, 5e-3)
    fine_tuning_learning_rate: Range | None = (5e-5, 2e-3)
    pixel_likelihood: tuple[Literal["normal", "laplace", "bernoulli"], ...] | None = ("normal", "laplace")
    kl_weight: Range | None = (0.1, 4.0)
    kl_warm_up_steps: tuple[int, int] | None = (0, 1000)
    contrast_weight: Range | None = (0.0, 2.0)
    start_zoom: Range | None = (0.1, 0.5)
    start_gain: Range | None = (0.0, 0.5)
    vae_learning_rate: Range | None = (3e-4, 5e-3)
    alternating_learning_rate: Range | None = (2e-5, 5e-4)
    alternating_contrast_weight: Range | None = (0.0, 1.5)
    vae_steps: tuple[int, ...] | None = (1, 2)
    classifier_steps: tuple[int, ...] | None = (1, 2)
    teachers: tuple[int, ...] | None = None
    voted_share: Range | None = None
    fine_tune: tuple[Literal["classifier-and-encoder", "classifier"], ...] | None = (
        "classifier-and-encoder",
        "classifier",
    )

    def validate(self) -> None:
        for setting in SETTINGS:
            values = getattr(self, setting.name)
            if values is None:
                continue
            if setting.kind == "choice":
                check(len(values) > 0, setting.name, "must name at least one choice", values, "Use null to leave it.")
                check(
                    len(set(values)) == len(values), setting.name, "must not repeat a choice", values, "Name it once."
                )
            else:
                check(values[0] <= values[1], setting.name, "must be a range (low, high)", values, "Swap the two.")
            self._check_settings(setting, values)
        for steps in self.transformation or ():
            unknown = sorted(set(steps) - set(transformation_names()))
            rule = f"must name transformations among {', '.join(transformation_names())}"
            check(not unknown, "transformation", rule, unknown, "Correct the name.")
        searched = [setting.name for setting in SETTINGS if getattr(self, setting.name) is not None]
        check(bool(searched), "space", "must leave something to search", searched, "Name a setting with its range.")

    @staticmethod
    def _check_settings(setting: Setting, values: tuple) -> None:
        """Raises `InputError` if an end of a range, or a choice, is refused where it will stand."""
        positive = setting.kind != "log" or values[0] > 0
        check(positive, setting.name, "must be above 0, on a log scale", values, "Start at a small number.")
        depends_on_others = setting.name == "encoder_filters"  # a trial of its own says whether radii and angles fit
        for value in () if depends_on_others else values:
            if setting.section == "model":
                setting.put_into_section(ModelConfig(), value)
            else:
                setting.put_into_section(TrainingConfig(), value)

    @property
    def shares_start(self) -> bool:
        """Whether all trials begin with the same epochs of the unlabelled clock, which then run once."""
        searched = [setting for setting in SETTINGS if getattr(self, setting.name) is not None]
        return all(setting.field in READ_LATER[setting.section] for setting in searched)


NOTHING: dict[str, Any] = {setting.name: None for setting in SETTINGS}
SPACES = {
    "all": SearchSpace(),
    # What only the classifier's clock reads: trials share the start of the unlabelled clock.
    "classifier": SearchSpace(
        **{
            **NOTHING,
            "dropout": (0.2, 0.7),
            "label_smoothing": (0.0, 0.15),
            "zoom": (0.05, 0.4),
            "gain": (0.0, 0.3),
            "classifier_learning_rate": (3e-4, 4e-3),
            "fine_tuning_learning_rate": (1e-4, 2e-3),
            "alternating_contrast_weight": (0.0, 1.5),
        }
    ),
}


def load_space(space: str | os.PathLike[str]) -> SearchSpace:
    """A space by its name, "all" or "classifier", or from a JSON file.

    In a file, settings that are not named are not searched.
    """
    if str(space) in SPACES:
        return SPACES[str(space)]
    values = read_json(space)
    check(isinstance(values, dict), str(space), "must hold a JSON object", values, "Write it in curly brackets.")
    return SearchSpace.from_dict({**NOTHING, **values}, str(space))
