"""No loss becomes NaN on images and votes at the edge of what a catalogue may hold; and one that does is named."""

import csv

import numpy as np
import pytest
import tensorflow as tf
from small_model import SMALL
from small_run import make_catalogue, small_config

from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training import run as run_module
from tfgalaxy.training.finite_terms import FiniteTerms
from tfgalaxy.training.run import train

QUESTIONS = Questions.preset("gz1")
SIZE, BATCH = SMALL.image_size, 4


def adversarial_images():
    """Black, white, grey, and one bright pixel; float32 [4, S, S, 3]."""
    images = np.zeros((BATCH, SIZE, SIZE, 3), np.float32)
    images[1], images[2] = 1, 0.5
    images[3, 20, 11] = 1
    return images


def adversarial_votes(name):
    """[4, A]."""
    votes = np.zeros((BATCH, QUESTIONS.num_answers), np.float32)
    if name == "million":
        votes += 1e6
    elif name == "one class":
        votes[:, 0] = 40
    return votes


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_adversarial_inputs_give_finite_terms_and_weights(precision):
    model = GalaxyVAE(QUESTIONS, SMALL.replace(precision=precision))
    model.compile("adam", "adam")
    images = np.stack([adversarial_images()] * 3)
    votes = np.stack([adversarial_votes(name) for name in ("zero", "million", "one class")])
    data = tf.data.Dataset.from_tensor_slices(((images, votes), images)).repeat(2)
    history = model.fit(data, epochs=1, verbose=0).history
    assert all(np.isfinite(series).all() for series in history.values()), history
    for weight in model.state_variables:
        assert np.isfinite(np.array(tf.convert_to_tensor(weight), np.float32)).all()


def test_the_first_term_is_named_before_its_sums():
    watch = FiniteTerms()
    watch.on_epoch_end(0, {"loss": 1.0, "accuracy": 0.0})
    logs = {"loss": float("nan"), "val_loss": float("nan"), "elbo": float("-inf"), "kl_divergence": float("inf")}
    with pytest.raises(InputError, match="training must have finite terms, not 'kl_divergence = inf in epoch 3'"):
        watch.on_epoch_end(3, logs)
    with pytest.raises(InputError, match="val_log_likelihood = nan"):
        watch.on_epoch_end(3, {"loss": 1.0, "val_loss": float("nan"), "val_log_likelihood": float("nan")})


@pytest.mark.usefixtures("eagerly")
def test_a_run_stops_at_the_last_finite_epoch(tmp_path, monkeypatch):
    catalogue = make_catalogue(tmp_path, 24)

    class Breaks(FiniteTerms):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, {**logs, "log_likelihood": float("nan")} if epoch == 1 else logs)

    monkeypatch.setattr(run_module, "FiniteTerms", Breaks)
    config = small_config("supervised", epochs=3, steps_per_epoch=1)
    with pytest.raises(InputError, match="log_likelihood = nan in epoch 1"):
        train(config.replace(data=config.data.replace(labels=4)), catalogue, tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["0"]
    assert not (tmp_path / "run" / "model.keras").exists()
