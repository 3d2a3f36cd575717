"""The hypermodel in a KerasTuner search."""

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.errors import InputError
from tfgalaxy.tuning import GalaxyHyperModel, SearchSpace

CONFIG = SMALL.replace(prediction_views=1)


def test_the_space_becomes_the_model():
    hypermodel = GalaxyHyperModel("gz1", CONFIG, SearchSpace(latent_size=(5,), dropout=(0.25, 0.25)))
    hyperparameters = keras_tuner.HyperParameters()
    model = hypermodel.build(hyperparameters)
    assert model.config.latent_size == 5
    assert model.config.dropout == pytest.approx(0.25)
    assert set(hyperparameters.values) == {
        "latent_size",
        "dropout",
        "zoom",
        "contrast_weight",
        "pixel_likelihood",
        "classifier_learning_rate",
        "vae_learning_rate",
    }


def test_space_as_json(tmp_path):
    space = SearchSpace(zoom=(0.1, 0.2))
    space.to_json(tmp_path / "space.json")
    assert SearchSpace.from_json(tmp_path / "space.json") == space
    with pytest.raises(InputError, match=r"dropout must be a range \(low, high\)"):
        SearchSpace(dropout=(0.5, 0.1))


@pytest.mark.slow
def test_a_random_search_finds_the_best_trial(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [8, 32, 32, 3]).astype(np.float32)
    votes = np.eye(7, dtype=np.float32)[rng.integers(0, 3, 8)]
    data = tf.data.Dataset.from_tensors((images, votes))
    tuner = keras_tuner.RandomSearch(
        GalaxyHyperModel("gz1", CONFIG),
        objective=keras_tuner.Objective("val_log_likelihood", "max"),
        max_trials=2,
        directory=tmp_path,
        seed=1,
    )
    tuner.search(data, validation_data=data, epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    assert trials[0].score >= trials[1].score
    assert tuner.get_best_hyperparameters()[0].values == trials[0].hyperparameters.values
