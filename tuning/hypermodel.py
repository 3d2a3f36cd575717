"""A KerasTuner hypermodel over `GalaxyVAE`."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.models import GalaxyVAE, ModelConfig
from tfgalaxy.tuning.space import SearchSpace

__all__ = ["GalaxyHyperModel"]


class GalaxyHyperModel(keras_tuner.HyperModel):
    """Builds and compiles a `GalaxyVAE` for each trial, for any KerasTuner tuner.

    Args:
        questions: the decision tree, a preset's name or a JSON file.
        config: what the space leaves open.
        space: what is searched.

    Example:
        tuner = keras_tuner.RandomSearch(
            GalaxyHyperModel("gz1"), objective=keras_tuner.Objective("val_log_likelihood", "max"), max_trials=10
        )
        tuner.search(train, validation_data=validation, epochs=5)
    """

    def __init__(
        self, questions: Questions | str, config: ModelConfig | None = None, space: SearchSpace | None = None
    ) -> None:
        super().__init__()
        self.questions = load_questions(questions)
        self.config, self.space = config or ModelConfig(), space or SearchSpace()

    def model_config(self, hp: keras_tuner.HyperParameters) -> ModelConfig:
        """The configuration of one trial."""
        space = self.space
        views = self.config.classifier_views.replace(zoom=hp.Float("zoom", *space.zoom))
        return self.config.replace(
            latent_size=hp.Choice("latent_size", list(space.latent_size)),
            dropout=hp.Float("dropout", *space.dropout),
            contrast_weight=hp.Float("contrast_weight", *space.contrast_weight),
            pixel_likelihood=hp.Choice("pixel_likelihood", list(space.pixel_likelihood)),
            classifier_views=views,
        )

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        model = GalaxyVAE(self.questions, self.model_config(hp))
        space = self.space
        classifier = hp.Float("classifier_learning_rate", *space.classifier_learning_rate, sampling="log")
        vae = hp.Float("vae_learning_rate", *space.vae_learning_rate, sampling="log")
        model.compile(vae_optimizer=keras.optimizers.Adam(vae), classifier_optimizer=keras.optimizers.Adam(classifier))
        return model
