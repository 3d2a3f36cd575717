"""What a run begins with that has learnt from simulated galaxies."""

import numpy as np
import pytest
import tensorflow as tf
from small_run import make_catalogue, small_config

from tfgalaxy.training import simulated_start
from tfgalaxy.training.run import train
from tfgalaxy.training.run_model import make_model
from tfgalaxy.training.simulated_start import load_simulated_start, make_simulated_start

pytestmark = pytest.mark.usefixtures("eagerly")
SIMULATED = {"simulated_galaxies": 6, "simulated_steps": 2, "epochs": 1, "steps_per_epoch": 1}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("data"), 24)


def arrays(layer):
    return [np.array(tf.convert_to_tensor(weight)) for weight in layer.weights]


def test_the_encoder_is_the_one_that_has_learnt(catalogue, tmp_path):
    config = small_config("two-step", **SIMULATED)
    path = make_simulated_start(config, tmp_path, quiet=True)
    model = make_model(config, catalogue)
    fresh = arrays(model.encoder)
    load_simulated_start(model, path)
    learnt = arrays(model.encoder)
    assert any(not np.array_equal(before, after) for before, after in zip(fresh, learnt, strict=True))
    for layer in model.encoder.normalizations:
        classifier, vae = (arrays(layer.statistics[clock]) for clock in ("classifier", "vae"))
        assert classifier
        np.testing.assert_array_equal(classifier, vae)
    untouched = make_model(config, catalogue)
    for name in ("decoder", "head"):
        for ours, theirs in zip(arrays(getattr(model, name)), arrays(getattr(untouched, name)), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.core
def test_runs_that_begin_alike_share_it(catalogue, tmp_path, monkeypatch):
    shared = tmp_path / "cache"
    options = {"cache": shared, "quiet": True}
    first = train(small_config("two-step", **SIMULATED), catalogue, tmp_path / "first", **options)
    assert first.finished
    (start,) = shared.glob("simulated-*.npz")
    monkeypatch.setattr(simulated_start, "_learn", None)
    other = small_config("alternating", **SIMULATED, fine_tuning_learning_rate=1e-2)
    other = other.replace(model=other.model.replace(dropout=0.5, label_smoothing=0.1, classifier_views={"zoom": 0.1}))
    assert train(other, catalogue, tmp_path / "second", **options).finished
    assert list(shared.glob("simulated-*.npz")) == [start]
    with pytest.raises(TypeError):  # another start is another file
        train(small_config("two-step", **SIMULATED, seed=1), catalogue, tmp_path / "third", **options)


def test_supervised_runs_have_none(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(simulated_start, "_learn", None)
    assert train(small_config("supervised", **SIMULATED), catalogue, tmp_path / "run", quiet=True).finished


def test_a_run_leaves_no_file_of_it(catalogue, tmp_path):
    run = train(small_config("two-step", **SIMULATED), catalogue, tmp_path / "run", quiet=True)
    names = {path.name for path in run.path.iterdir()}
    assert names == {"run.json", "split.csv", "excluded.csv", "history.csv", "tensorboard", "model.keras"}
