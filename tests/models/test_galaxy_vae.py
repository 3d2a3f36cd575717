"""`GalaxyVAE`: predictions, samples, saving, determinism, and what it refuses."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_model import SMALL
from still_model import make, values

from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models import GalaxyVAE, ViewConfig


@pytest.mark.usefixtures("eagerly")
def test_predictions_sum_to_one_and_do_not_depend_on_the_batch(batch):
    images, _ = batch
    model = make()
    together = {name: value.numpy() for name, value in model.classify(tf.constant(images)).items()}
    for part in model.questions.slices:
        np.testing.assert_allclose(together["fraction"][:, part].sum(-1), 1.0, rtol=1e-5)
    assert (together["fraction_lower"] <= together["fraction"]).all()
    assert (together["fraction_upper"] >= together["fraction"]).all()
    for row in range(3):
        alone = model.classify(tf.constant(images[row : row + 1]))
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][row], atol=1e-5, err_msg=name)


def test_a_mirrored_galaxy_gets_mirrored_votes(batch):
    """With views in mirrored pairs, clockwise and anticlockwise answers exchange when the image is mirrored."""
    images, _ = batch
    model = make(transformations=())
    fraction = model(images)["fraction"].numpy()
    mirrored = model(images[:, ::-1])["fraction"].numpy()
    np.testing.assert_allclose(mirrored[:, model.questions.flip_permutation], fraction, atol=1e-4)


def test_starts_at_the_answer_fractions(batch):
    fractions = (0.7, 0.2, 0.1, 0.3, 0.7, 0.5, 0.5)
    model = make(answer_fractions=fractions)
    mean = model(batch[0])["fraction"].numpy().mean(axis=0)
    np.testing.assert_allclose(mean, fractions, atol=0.1)


@pytest.mark.usefixtures("eagerly")
def test_samples_from_the_prior_and_reconstructs(batch):
    model = make()
    samples = model.sample_prior(3, seed=1)
    assert samples.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(samples, model.sample_prior(3, seed=1))
    assert not np.array_equal(samples, model.sample_prior(3, seed=2))
    outputs = model.reconstruct(tf.constant(batch[0]))
    for value in outputs.values():
        assert value.shape == (6, 32, 32, 3)
        assert float(tf.reduce_min(value)) >= 0
        assert float(tf.reduce_max(value)) <= 1


@pytest.mark.core
@pytest.mark.parametrize("transformations", [("rotation",), ("translation", "rotation")])
def test_fits_with_any_sequence(batch, transformations):
    images, votes = batch
    model = make(transformations=transformations, vae_views=ViewConfig(), classifier_views=ViewConfig())
    history = model.fit(tf.data.Dataset.from_tensors(((images, votes), images)).repeat(2), verbose=0).history
    assert all(np.isfinite(series).all() for series in history.values())
    assert model.embed(tf.constant(images))["pose"].shape[0] == 6


@pytest.mark.core
@pytest.mark.parametrize("compiled", [True, False])
def test_keras_file_round_trip_is_exact(batch, tmp_path, compiled):
    images, votes = batch
    model = make()
    model.fit(tf.data.Dataset.from_tensors(((images, votes), images)), verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, compile=compiled)
    for name, value in model.classify(tf.constant(images)).items():
        np.testing.assert_array_equal(value, loaded.classify(tf.constant(images))[name], err_msg=name)
    for a, b in zip(values(model.state_variables), values(loaded.state_variables), strict=True):
        np.testing.assert_array_equal(a, b)
    if compiled:
        loaded.fit(tf.data.Dataset.from_tensors(((images, votes), images)), verbose=0)


@pytest.mark.core
@pytest.mark.slow
def test_keras_file_in_a_fresh_process(batch, tmp_path):
    images, _ = batch
    model = make()
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    script = (
        "import numpy as np, keras, tfgalaxy.models, sys\n"
        f"model = keras.saving.load_model(r'{tmp_path / 'model.keras'}')\n"
        f"images = np.load(r'{tmp_path / 'images.npy'}')\n"
        f"np.save(r'{tmp_path / 'fraction.npy'}', model(images)['fraction'].numpy())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "fraction.npy"), model(images)["fraction"].numpy())


def test_config_round_trip():
    model = make(dropout=0.3)
    clone = GalaxyVAE.from_config(model.get_config())
    assert clone.config == model.config
    assert clone.questions == model.questions


@pytest.mark.usefixtures("eagerly")
def test_the_same_seed_gives_the_same_weights(batch):
    images, votes = batch
    results = []
    for _ in range(2):
        model = make(vae_views=ViewConfig(), classifier_views=ViewConfig())
        model.fit(tf.data.Dataset.from_tensors(((images, votes), images)).repeat(3), verbose=0)
        results.append(values(model.state_variables))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m(np.zeros([2, 48, 48, 3], np.float32)), "images must have shape"),
        (lambda m: m.compile(m.vae_optimizer, m.vae_optimizer), "classifier_optimizer must not be the vae_optimizer"),
        (lambda m: m.compile(fine_tune="all"), "fine_tune must be classifier-and-encoder or classifier"),
    ],
)
def test_bad_calls_say_what_is_wrong(call, words):
    with pytest.raises(InputError, match=words):
        call(make())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"angles": 18}, "angles must be a positive multiple of 4"),
        ({"dropout": 1.5}, r"dropout must lie in \[0, 1\)"),
        ({"channels": 2}, "channels must be 1 or 3"),
        ({"vote_likelihood": "poisson"}, "vote_likelihood must be one of"),
        ({"latent": 3}, "ModelConfig must have only the keys"),
        ({"answer_fractions": (0.5,)}, "answer_fractions must be 7 fractions"),
    ],
)
def test_bad_configurations_say_what_is_wrong(changes, words):
    with pytest.raises(InputError, match=words):
        make(**changes)


@pytest.mark.usefixtures("eagerly")
def test_mixed_precision_keeps_outputs_in_float32(batch):
    images, votes = batch
    model = make(precision="mixed_bfloat16")
    # A policy given to a layer does not reach the layers inside of it by itself.
    inner = [*model.encoder.convolutions, *model.decoder.convolutions, model.decoder.start]
    assert {layer.compute_dtype for layer in inner} == {"bfloat16"}
    history = model.fit(tf.data.Dataset.from_tensors(((images, votes), images)), verbose=0).history
    assert all(np.isfinite(series).all() for series in history.values())
    for value in [*model.classify(tf.constant(images)).values(), *model.embed(tf.constant(images)).values()]:
        assert value.dtype == tf.float32
    plain = make()
    for ours, theirs in zip(plain.state_variables, model.state_variables, strict=True):
        ours.assign(tf.convert_to_tensor(theirs))
    np.testing.assert_allclose(model(images)["fraction"], plain(images)["fraction"], atol=0.05)


def test_questions_may_be_a_preset_a_dictionary_or_an_object():
    questions = Questions.preset("gz1")
    assert GalaxyVAE(questions.to_dict(), SMALL).questions == questions == GalaxyVAE(questions, SMALL).questions
