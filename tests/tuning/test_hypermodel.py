"""The hypermodel in KerasTuner's own tuners."""

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.training.config import RunConfig, TrainingConfig
from tfgalaxy.tuning import GalaxyHyperModel, SearchSpace
from tfgalaxy.tuning.objectives import objective
from tfgalaxy.tuning.space import NOTHING

CONFIG = RunConfig(
    model=SMALL.replace(prediction_views=1), training=TrainingConfig(steps_per_epoch=2, unlabelled_epochs=1)
)
REGIMES = ("supervised", "alternating", "two-step")


def space(**searched):
    return SearchSpace(**{**NOTHING, **searched})


def labelled(count=8):
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [count, 32, 32, 3]).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((images, np.eye(7, dtype=np.float32)[rng.integers(0, 3, count)])).batch(4)


def pairs():
    return labelled().map(lambda images, votes: ((images, votes), 1.0 - images))


def hyperparameters(hypermodel, **values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    hypermodel.declare_hyperparameters(hp)
    return hp


def moved(model, before):
    def has(layer):
        return any(
            not np.array_equal(a, np.array(b)) for a, b in zip(before[layer], weights(model)[layer], strict=True)
        )

    return {layer for layer in before if has(layer)}


def weights(model):
    layers = {"decoder": model.decoder, "head": model.head}
    return {name: [np.array(weight) for weight in layer.trainable_variables] for name, layer in layers.items()}


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_a_search_by_keras_tuner_s_own_tuner(tmp_path):
    searched = space(regime=("supervised", "two-step"), dropout=(0.0, 0.5), batch_size=(2, 4), kl_weight=(0.5, 2.0))
    tuner = keras_tuner.RandomSearch(
        GalaxyHyperModel("gz1", searched, CONFIG),
        objective=objective("val_log_likelihood"),
        max_trials=2,
        directory=tmp_path,
        seed=1,
    )
    tuner.search(labelled(), validation_data=labelled(), epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED", "COMPLETED"]
    assert trials[0].score >= trials[1].score
    for trial in trials:
        assert ("kl_weight" in trial.hyperparameters.values) == (trial.hyperparameters.values["regime"] == "two-step")
    best = tuner.get_best_models()[0].config
    assert best.dropout == pytest.approx(trials[0].hyperparameters.values["dropout"], rel=1e-5)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("regime", "data"),
    [("supervised", pairs), ("alternating", pairs), ("alternating", labelled), ("two-step", labelled)],
)
def test_each_regime_fits_with_either_form_of_data(regime, data):
    hypermodel = GalaxyHyperModel("gz1", space(regime=REGIMES, batch_size=(2, 4), fine_tune=("classifier",)), CONFIG)
    hp = hyperparameters(hypermodel, regime=regime, batch_size=2)
    model = hypermodel.build(hp)
    before = weights(model)
    history = hypermodel.fit(hp, model, data(), validation_data=labelled(), epochs=1, verbose=0).history
    assert moved(model, before) == {"head"} | ({"decoder"} if regime != "supervised" else set())
    assert len(history["val_log_likelihood"]) == 1
    assert int(tf.convert_to_tensor(model.classifier_optimizer.iterations)) == 4  # batches of 2
    assert int(tf.convert_to_tensor(model.vae_optimizer.iterations)) == (4 if regime == "alternating" else 0)
    assert ("elbo" in history) == (regime == "alternating")
    assert (model.fine_tune == "classifier") == (regime == "two-step")


@pytest.mark.usefixtures("eagerly")
def test_steps_of_one_clock_for_those_of_the_other():
    config = CONFIG.replace(training=CONFIG.training.replace(regime="alternating", unlabelled_epochs=0))
    hypermodel = GalaxyHyperModel("gz1", space(vae_steps=(1, 2), batch_size=(2,)), config)
    hp = hyperparameters(hypermodel, vae_steps=2)
    model = hypermodel.build(hp)
    hypermodel.fit(hp, model, pairs(), epochs=1, verbose=0)
    assert int(tf.convert_to_tensor(model.vae_optimizer.iterations)) == 4  # 8 images in twos
    assert int(tf.convert_to_tensor(model.classifier_optimizer.iterations)) == 2


def test_hyperparameters_that_do_not_go_together():
    hypermodel = GalaxyHyperModel("gz1", space(encoder_filters=((8, 8), (8,) * 5)), CONFIG)
    assert hypermodel.build(hyperparameters(hypermodel)).config.encoder_filters == (8, 8)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match="radii must be a positive multiple of 32"):
        hypermodel.build(hyperparameters(hypermodel, encoder_filters="8-8-8-8-8"))


def test_a_wrong_objective_or_data_set_is_told_before_a_trial_has_trained(tmp_path, monkeypatch):
    hypermodel = GalaxyHyperModel("gz1", space(dropout=(0.0, 0.5)), CONFIG)
    monkeypatch.setattr("tfgalaxy.models.GalaxyVAE.fit", lambda *_, **__: pytest.fail("has trained"))
    wrong = keras_tuner.Objective("val_likelihood", "max")
    tuner = keras_tuner.RandomSearch(hypermodel, objective=wrong, max_trials=1, directory=tmp_path)
    with pytest.raises(keras_tuner.errors.FatalValueError, match=r"objective must be one of .*, not 'val_likelihood'"):
        tuner.search(labelled(), validation_data=labelled(), epochs=1, verbose=0)
    hp = hyperparameters(hypermodel)
    images = labelled().map(lambda images, votes: images)
    for data in (images, images.map(lambda images: (images, images, images, images))):
        with pytest.raises(keras_tuner.errors.FatalValueError, match="the data set must yield"):
            hypermodel.fit(hp, hypermodel.build(hp), data)
