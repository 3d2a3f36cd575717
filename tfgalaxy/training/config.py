"""Configuration of a run: data, model and training, stored in its directory and accepted by `tfgalaxy train
--config`."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfgalaxy.configuration import Configuration, check
from tfgalaxy.models.config import ModelConfig, ViewConfig

__all__ = ["DataConfig", "Regime", "RunConfig", "TrainingConfig"]

Regime = Literal["supervised", "alternating", "two-step"]
UNLABELLED_EPOCHS = 40


@dataclasses.dataclass(frozen=True)
class DataConfig(Configuration):
    """Which galaxies train, validate and test.

    Attributes:
        questions: name of a preset or path of a JSON file.
        voters: volunteers per galaxy, for catalogues of fractions without counts; the preset's own number when None.
        split_seed: seed of the split by hash of the galaxy's id; the same for every regime, so that runs compare.
        split_fractions: shares of the labelled galaxies for training, validation and test.
        labels: number of labelled galaxies to train on, nested for the same seed; all when None. The others' images
            join the unlabelled pool.
        label_seed: seed of that choice.
    """

    questions: str = "gz2"
    voters: int | None = None
    split_seed: int = 0
    split_fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    labels: int | None = None
    label_seed: int = 0

    def validate(self) -> None:
        for name in ("voters", "labels"):
            value = getattr(self, name)
            check(value is None or value >= 1, name, "must be at least 1", value, "Leave it out to take all.")


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Configuration):
    """How the two clocks run. A step of the supervised regime is one classifier step; of the alternating one, a VAE
    step and a classifier step; "unlabelled" epochs are VAE steps alone, on labelled and unlabelled images.

    Attributes:
        regime: "supervised", "alternating" or "two-step".
        batch_size: of either clock.
        steps_per_epoch: an epoch is this many steps, whatever the number of labels.
        epochs: epochs with the classifier's clock; by the number of labels when None.
        unlabelled_epochs: epochs of the VAE's clock alone before them (not in the supervised regime); as many as
            `start_epochs` says when None.
        simulated_galaxies: simulated galaxies that the encoder learns from before that, with known votes (not in the
            supervised regime); 0 for none.
        simulated_steps: classifier steps on them.
        teachers: models that learn from the labelled galaxies alone before the run (not in the supervised regime); the
            classifier's clock then learns from the votes that they expect for the galaxies without votes too
            (`tfgalaxy.training.teachers`); 0 for none.
        voted_share: share of the galaxies in a classifier step that have volunteers' votes, where there are teachers.
        patience: epochs without a better `MONITOR` (`clocks.py`) before the run stops; None never stops it early. The
            weights of the best epoch are kept in any case.
        classifier_learning_rate: of the supervised regime, at the start; falls to 0 along a cosine.
        fine_tuning_learning_rate: the same for the classifier's clock of the other regimes, which finds a trained
            encoder (docs/label-efficiency.md).
        vae_learning_rate: at the start of the unlabelled epochs; falls along a cosine to `alternating_learning_rate`.
        alternating_learning_rate: of the VAE's clock while the classifier's runs too.
        weight_decay: of AdamW, both clocks.
        weight_average: decay of the exponential moving average of all weights, which is validated and kept.
        start_views: views of the unlabelled epochs.
        alternating_views: views of the VAE's clock in alternating steps.
        alternating_contrast_weight: of the VAE's clock in alternating steps.
        kl_weight: weight of the KL divergence after it has risen (`ModelConfig.kl_warm_up_steps`); 1 is the ELBO.
        vae_steps, classifier_steps: an alternating step is so many steps of either clock, each with a batch of its own.
        fine_tune: weights that classifier steps change in the two-step regime.
        deterministic: whether TensorFlow is made bit-reproducible.
        seed: of the weights, the views and the order of the batches.
    """

    regime: Regime = "alternating"
    batch_size: int = 64
    steps_per_epoch: int = 50
    epochs: int | None = None
    unlabelled_epochs: int | None = None
    simulated_galaxies: int = 6000
    simulated_steps: int = 1500
    teachers: int = 0
    voted_share: float = 0.25
    patience: int | None = None
    classifier_learning_rate: float = 1e-3
    fine_tuning_learning_rate: float = 3e-4
    vae_learning_rate: float = 2e-3
    alternating_learning_rate: float = 1e-4
    weight_decay: float = 1e-4
    weight_average: float = 0.99
    start_views: ViewConfig = dataclasses.field(
        default_factory=lambda: ViewConfig(zoom=0.3, gain=0.3, colour=0.05, noise=0.05)
    )
    alternating_views: ViewConfig = dataclasses.field(default_factory=ViewConfig)
    alternating_contrast_weight: float = 0.5
    kl_weight: float = 1.0
    vae_steps: int = 1
    classifier_steps: int = 1
    fine_tune: Literal["classifier-and-encoder", "classifier"] = "classifier-and-encoder"
    deterministic: bool = True
    seed: int = 0

    def validate(self) -> None:
        positive = ("batch_size", "steps_per_epoch", "epochs", "patience", "vae_steps", "classifier_steps")
        for name in (*positive, "simulated_steps"):
            value = getattr(self, name)
            check(value is None or value >= 1, name, "must be at least 1", value, "Give a positive integer.")
        for name in ("unlabelled_epochs", "simulated_galaxies", "teachers"):
            value = getattr(self, name)
            check(value is None or value >= 0, name, "must not be negative", value, "Use 0.")
        for name in (
            "classifier_learning_rate",
            "fine_tuning_learning_rate",
            "vae_learning_rate",
            "alternating_learning_rate",
        ):
            value = getattr(self, name)
            check(value > 0, name, "must be positive", value, "Use 0.001.")
        share = self.voted_share
        check(0 < share <= 1, "voted_share", "must lie above 0 and at most at 1", share, "Use 0.25.")
        check(self.kl_weight >= 0, "kl_weight", "must not be negative", self.kl_weight, "Use 1.")
        average = self.weight_average
        check(0 <= average < 1, "weight_average", "must lie in [0, 1)", average, "Use 0.99, or 0 for none.")

    @property
    def simulated_start(self) -> bool:
        """Whether a run begins with an encoder that has learnt from simulated galaxies."""
        return self.regime != "supervised" and self.simulated_galaxies > 0

    @property
    def start_epochs(self) -> int:
        """Epochs of the VAE's clock alone: `unlabelled_epochs`, or by default none where an encoder that simulated
        galaxies have taught goes on with both clocks (docs/label-efficiency.md).
        """
        if self.regime == "supervised":
            return 0
        if self.unlabelled_epochs is not None:
            return self.unlabelled_epochs
        return 0 if self.regime == "alternating" and self.simulated_start else UNLABELLED_EPOCHS

    @property
    def classifier_start_rate(self) -> float:
        """Learning rate of the classifier's clock at its start."""
        return self.classifier_learning_rate if self.regime == "supervised" else self.fine_tuning_learning_rate

    def classifier_epochs(self, labels: int) -> int:
        """Epochs of the classifier's clock for a number of labelled galaxies: more labels bear more steps, and so do
        the many galaxies that teachers label.
        """
        few = 24 if self.teachers and self.regime != "supervised" else 12
        return self.epochs or (few if labels <= 400 else 30)


@dataclasses.dataclass(frozen=True)
class RunConfig(Configuration):
    """All that a run was made from."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
