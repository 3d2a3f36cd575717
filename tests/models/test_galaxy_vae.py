"""`GalaxyVAE`: shapes, what each regime changes, its losses against independent formulas, saving."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models import GalaxyVAE, ModelConfig, ViewConfig

STILL = ViewConfig(rotation=False, flip=False, zoom=0, shift=0, gain=0, colour=0, noise=0)
SMALL = ModelConfig(
    image_size=32,
    radii=16,
    angles=16,
    encoder_filters=(8, 8),
    decoder_filters=(8, 8),
    latent_size=4,
    prediction_views=2,
    classifier_views=STILL,
    vae_views=STILL,
)


def make(**changes):
    model = GalaxyVAE("gz1", SMALL.replace(**changes))
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return model


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [6, 32, 32, 3]).astype(np.float32)
    votes = np.zeros([6, 7], np.float32)
    votes[np.arange(6), rng.integers(0, 3, 6)] = 5
    votes[:, 3:5] = votes[:, 1:2] * [0.4, 0.6]
    votes[:, 5:7] = votes[:, 4:5] * [0.5, 0.5]
    return images, votes


def values(variables):
    return [
        np.array(tf.convert_to_tensor(getattr(v, "value", v) if not isinstance(v, tf.Variable) else v))
        for v in variables
    ]


def groups(model):
    posterior = model.encoder.posterior_variables
    trunk = [v for v in model.encoder.trainable_variables if not any(v is p for p in posterior)]
    return {
        "pose": model.transformer.trainable_variables,
        "trunk": trunk,
        "posterior": posterior,
        "decoder": model.decoder.trainable_variables,
        "classifier": model.head.trainable_variables,
    }


def changed(model, data):
    before = {name: values(group) for name, group in groups(model).items()}
    model.fit(tf.data.Dataset.from_tensors(data), epochs=1, verbose=0)
    after = {name: values(group) for name, group in groups(model).items()}
    return {
        name for name in before if any(not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))
    }


@pytest.mark.usefixtures("eagerly")
@pytest.mark.core
@pytest.mark.parametrize("classifier_input", ["features", "latent"])
def test_each_regime_changes_exactly_its_weights(batch, classifier_input):
    images, votes = batch
    encoder = {"pose", "trunk"} | ({"posterior"} if classifier_input == "latent" else set())
    vae = {"pose", "trunk", "posterior", "decoder"}
    assert changed(make(classifier_input=classifier_input), (images, votes)) == encoder | {"classifier"}
    assert changed(make(classifier_input=classifier_input), images) == vae
    assert changed(make(classifier_input=classifier_input), ((images, votes), images)) == vae | {"classifier"}


@pytest.mark.usefixtures("eagerly")
def test_two_step_can_fine_tune_the_classifier_alone(batch):
    model = make()
    model.compile(model.vae_optimizer, model.classifier_optimizer, fine_tune="classifier")
    assert changed(model, batch) == {"classifier"}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("learnt", [True, False])
def test_the_pixel_scale_is_learnt_where_wanted(batch, learnt):
    images, votes = batch
    model = make(learn_pixel_scale=learnt, pixel_scale=0.3)
    np.testing.assert_allclose(model.pixel_scale, 0.3, rtol=1e-6)
    model.fit(tf.data.Dataset.from_tensors((images, votes)), verbose=0)
    np.testing.assert_allclose(model.pixel_scale, 0.3, rtol=1e-6)
    model.fit(tf.data.Dataset.from_tensors(images), verbose=0)
    assert (not np.allclose(model.pixel_scale, 0.3)) == learnt


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("clock", ["vae", "classifier"])
def test_statistics_of_one_clock_do_not_touch_the_other(batch, clock):
    images, votes = batch
    model = make()
    own = [layer.statistics[clock] for layer in model.encoder.normalizations]
    other = [layer.statistics["classifier" if clock == "vae" else "vae"] for layer in model.encoder.normalizations]
    before = [values(layer.weights) for layer in other], [values(layer.weights) for layer in own]
    model.fit(tf.data.Dataset.from_tensors(images if clock == "vae" else (images, votes)), verbose=0)
    for layer, kept in zip(other, before[0], strict=True):
        np.testing.assert_array_equal(np.concatenate(values(layer.weights)), np.concatenate(kept))
    assert any(not np.array_equal(values(a.weights)[0], b[0]) for a, b in zip(own, before[1], strict=True))


@pytest.mark.usefixtures("eagerly")
def test_elbo_against_formulas(batch):
    """Normal pixels and the closed form of the divergence, worked out in NumPy from the model's own parameters."""
    images, _ = batch
    model = make(pixel_scale=0.3)
    stretched = np.sqrt(images)
    polar, pose = model.canonical_view(images)
    feature_map = model.feature_map(polar, clock="vae")
    seed = tf.constant([3, 4])
    terms = model.elbo_terms(feature_map, pose, tf.constant(stretched), seed, training=False)
    posterior = model.encoder.posterior(feature_map)
    mean, stddev = posterior.mean().numpy(), posterior.stddev().numpy()
    divergence = 0.5 * np.sum(mean**2 + stddev**2 - 1 - 2 * np.log(stddev), axis=-1)
    np.testing.assert_allclose(terms.kl_divergence, divergence, rtol=1e-4, atol=1e-5)
    location = model.decode(posterior.sample(seed=seed), pose).numpy()
    squared = ((stretched - location) / 0.3) ** 2
    log_prob = -0.5 * np.sum(squared + np.log(2 * np.pi * 0.3**2), axis=(1, 2, 3))
    np.testing.assert_allclose(terms.pixel_log_prob, log_prob, rtol=1e-4)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("laplace", lambda x, m: tfp.distributions.Laplace(m, 0.2).log_prob(x)),
        ("bernoulli", lambda x, m: -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=m)),
    ],
)
def test_other_pixel_likelihoods(batch, kind, reference):
    images, _ = batch
    model = make(pixel_likelihood=kind, pixel_scale=0.2)
    polar, pose = model.canonical_view(images)
    feature_map = model.feature_map(polar, clock="vae")
    terms = model.elbo_terms(feature_map, pose, tf.constant(images), tf.constant([3, 4]), training=False)
    location = model.decode(model.encoder.posterior(feature_map).sample(seed=tf.constant([3, 4])), pose)
    np.testing.assert_allclose(
        terms.pixel_log_prob, tf.reduce_sum(reference(tf.constant(images), location), axis=[1, 2, 3]), rtol=1e-4
    )


@pytest.mark.usefixtures("eagerly")
def test_reported_loss_is_the_sum_of_its_parts(batch):
    images, votes = batch
    model = make(kl_warm_up_steps=0, label_smoothing=0.0, contrast_weight=0.7)
    history = model.fit(tf.data.Dataset.from_tensors(((images, votes), images)), verbose=0).history
    terms = {name: series[0] for name, series in history.items()}
    assert terms["elbo"] == pytest.approx(terms["pixel_log_prob"] - terms["kl_divergence"], rel=1e-5)
    vae = -terms["elbo"] / (32 * 32 * 3) + 0.7 * terms["contrast"]
    assert terms["loss"] == pytest.approx(vae - terms["log_likelihood"], rel=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_evaluate_and_predict_agree(batch):
    from tfgalaxy.models.vote_likelihood import VoteParameters, vote_log_prob

    images, votes = batch
    model = make()
    report = model.evaluate(tf.data.Dataset.from_tensors((images, votes)), return_dict=True, verbose=0)
    outputs = model.predict(images, verbose=0)
    parameters = VoteParameters(np.log(outputs["fraction"]), np.log(outputs["concentration"]))
    expected = np.mean(np.sum(vote_log_prob(model.questions, votes, parameters), axis=-1))
    assert report["log_likelihood"] == pytest.approx(expected, rel=1e-4)
    first = outputs["fraction"][:, :3].argmax(-1) == votes[:, :3].argmax(-1)
    assert report["accuracy"] == pytest.approx(first.mean())


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
