"""What a step of each regime changes, and its losses against independent formulas."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from still_model import make, values

from tfgalaxy.models import ViewConfig, two_clocks
from tfgalaxy.models.views import random_view


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
@pytest.mark.parametrize(("questions", "alike"), [("gz1", True), ("gz2-kaggle", False)])
def test_contrast_keeps_a_mirror_image_apart_where_a_mirror_exchanges_answers(questions, alike, monkeypatch):
    drawn = []

    def drawing(*arguments):
        drawn.append(random_view(*arguments))
        return drawn[-1]

    monkeypatch.setattr(two_clocks, "random_view", drawing)
    make(questions, vae_views=ViewConfig()).vae_losses(tf.zeros([64, 32, 32, 3]), tf.constant([1, 2]))
    first, second = (view.flipped.numpy() for view in drawn)
    assert 0.2 < first.mean() < 0.8
    assert np.array_equal(first, second) == alike


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
    by_fractions = np.sum(vote_log_prob(model.questions, votes, parameters._replace(log_concentration=None)), axis=-1)
    assert report["multinomial_log_likelihood"] == pytest.approx(np.mean(by_fractions), rel=1e-4)
    first = outputs["fraction"][:, :3].argmax(-1) == votes[:, :3].argmax(-1)
    assert report["accuracy"] == pytest.approx(first.mean())
