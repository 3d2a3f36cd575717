"""A KerasTuner hypermodel over `GalaxyVAE`, for any tuner in a user's own script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.errors import InputError
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.batch_parts import split_clocks
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.regimes import Phase, phases
from tfgalaxy.tuning.objectives import check_objective
from tfgalaxy.tuning.space import SearchSpace
from tfgalaxy.tuning.trial_config import declare, trial_config

__all__ = ["GalaxyHyperModel"]


class GalaxyHyperModel(keras_tuner.HyperModel):
    """Builds, compiles and fits a `GalaxyVAE` for each trial of any KerasTuner tuner.

    `tfgalaxy tune` uses the same space, but trains each trial as `tfgalaxy train` does. Here a trial is one call of
    `fit` (two with a start of the unlabelled clock) with constant learning rates, the tuner's own callbacks, and the
    data that `search` was given.

    Args:
        questions: the decision tree, a preset's name or a JSON file.
        space: what is searched.
        config: of a run; what the space leaves open.

    Raises:
        keras_tuner.errors.FailedTrialError: in `build`, for hyperparameters that do not go together.
        keras_tuner.errors.FatalValueError: in `fit`, before the first trial has trained: an objective that is not
            reported, or data of a form that no regime can use.

    Example:
        tuner = keras_tuner.BayesianOptimization(
            GalaxyHyperModel("gz1"), objective=tfgalaxy.tuning.objective("val_log_likelihood"), max_trials=10
        )
        tuner.search(tfgalaxy.data.alternating_batches(train), validation_data=validation, epochs=12)
    """

    def __init__(
        self, questions: Questions | str, space: SearchSpace | None = None, config: RunConfig | None = None
    ) -> None:
        super().__init__()
        self.questions = load_questions(questions)
        self.space, self.config = space or SearchSpace(), config or RunConfig()

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Names the whole space, whatever the values."""
        declare(hp, self.space, self.config)

    def run_config(self, hp: keras_tuner.HyperParameters) -> RunConfig:
        """The configuration of one trial.

        Raises:
            keras_tuner.errors.FailedTrialError: the hyperparameters do not go together; says why.
        """
        try:
            return trial_config(hp, self.space, self.config)
        except InputError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error

    def build(self, hp: keras_tuner.HyperParameters) -> GalaxyVAE:
        """The compiled model of one trial; see the class for what it raises."""
        config = self.run_config(hp)
        training = config.training
        try:
            model = GalaxyVAE(self.questions, config.model.replace(seed=training.seed))
        except InputError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        decay, alternating = training.weight_decay, training.regime == "alternating"
        rate = training.alternating_learning_rate if alternating else training.vae_learning_rate
        _compile(
            model,
            config,
            phases(training, labels=0)[-1],
            vae_optimizer=keras.optimizers.AdamW(rate, weight_decay=decay),
            classifier_optimizer=keras.optimizers.AdamW(training.classifier_start_rate, weight_decay=decay),
        )
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: GalaxyVAE,
        x: tf.data.Dataset,
        *,
        callbacks: Sequence[Any] = (),
        initial_epoch: int = 0,
        **kwargs: Any,
    ) -> Any:
        """Fits the trial's model in its regime: after the start of the unlabelled clock, if there is one, `epochs` with
        the classifier's clock.

        Args:
            hp: of the trial.
            model: as `build` made it.
            x: batches ((images, votes), unlabelled images), or (images, votes), whose images are then the unlabelled
                ones too. Batched anew in the trial's batch size.
            callbacks: of the classifier's epochs.
            initial_epoch: above 0 where a tuner goes on with a model that it has trained before.
            **kwargs: of `keras.Model.fit`.

        Returns:
            The history of the classifier's epochs.
        """
        for tuner in filter(None, (getattr(callback, "tuner", None) for callback in callbacks)):
            check_objective(tuner.oracle.objective)
        config = self.run_config(hp)
        plan = phases(config.training, labels=0)
        if plan[0].batches == "unlabelled" and initial_epoch == 0:
            self._start(model, config, plan[0], _batches(x, plan[0], config.training.batch_size))
        data = _batches(x, plan[-1], config.training.batch_size)
        return model.fit(data, callbacks=list(callbacks), initial_epoch=initial_epoch, **kwargs)

    @staticmethod
    def _start(model: GalaxyVAE, config: RunConfig, phase: Phase, images: tf.data.Dataset) -> None:
        """The epochs of the unlabelled clock alone, with an optimiser of their own rate."""
        optimizers = {"vae_optimizer": model.vae_optimizer, "classifier_optimizer": model.classifier_optimizer}
        training = config.training
        rate = keras.optimizers.AdamW(training.vae_learning_rate, weight_decay=training.weight_decay)
        _compile(model, config, phase, **{**optimizers, "vae_optimizer": rate})
        steps = training.steps_per_epoch
        model.fit(images.repeat(), epochs=phase.last_epoch, steps_per_epoch=steps, shuffle=False, verbose=0)
        model.copy_statistics("vae", "classifier")
        _compile(model, config, phases(training, labels=0)[-1], **optimizers)


def _compile(model: GalaxyVAE, config: RunConfig, phase: Phase, **optimizers: Any) -> None:
    model.compile(
        **optimizers,
        vae_views=phase.vae_views,
        contrast_weight=phase.contrast_weight,
        kl_weight=config.training.kl_weight,
        vae_steps=phase.vae_steps,
        classifier_steps=phase.classifier_steps,
        fine_tune=phase.fine_tune,
    )


def _batches(data: tf.data.Dataset, phase: Phase, batch_size: int) -> tf.data.Dataset:
    """What `fit` is given in a phase, out of labelled batches or pairs."""
    try:
        form = tf.nest.map_structure(lambda spec: tf.zeros([0]), data.element_spec)
        labelled, unlabelled = split_clocks(form)
        if labelled is None:
            rule = "must yield (images, votes) or ((images, votes), unlabelled_images)"
            raise InputError("the data set", rule, data.element_spec, "Trials are judged by votes.")
    except (InputError, AttributeError) as error:
        raise keras_tuner.errors.FatalValueError(str(error)) from error
    pairs = data if unlabelled is not None else data.map(_twice)
    sizes = [steps * batch_size for steps in (phase.classifier_steps, phase.vae_steps)]
    whole = [steps > 1 for steps in (phase.classifier_steps, phase.vae_steps)]
    of_labelled = pairs.map(_labelled_part).rebatch(sizes[0], drop_remainder=whole[0])
    of_pool = pairs.map(_unlabelled_part).rebatch(sizes[1], drop_remainder=whole[1])
    if phase.batches == "pairs":
        return tf.data.Dataset.zip((of_labelled, of_pool))
    return of_labelled if phase.batches == "labelled" else of_pool


def _twice(images: tf.Tensor, votes: tf.Tensor) -> Any:
    return (images, votes), images


def _labelled_part(labelled: Any, unlabelled: tf.Tensor) -> Any:
    return labelled


def _unlabelled_part(labelled: Any, unlabelled: tf.Tensor) -> tf.Tensor:
    return unlabelled
