"""Rows that cannot be read: what they are answered with, and that it is finite and harms nobody."""

import numpy as np
import pytest
import tensorflow as tf
from export_model import jpeg
from small_model import SMALL

from tfgalaxy.export import ServedModel
from tfgalaxy.export.neutral_outputs import finite_pixels, neutral_classification, replace_rows
from tfgalaxy.models import GalaxyVAE

# Mean fractions of gz1's questions of 3, 2 and 2 answers.
MEANS = (0.7, 0.2, 0.1, 0.9, 0.1, 0.25, 0.75)


def model_with_means(**changes):
    return GalaxyVAE("gz1", SMALL.replace(answer_fractions=MEANS, **changes))


def test_mean_fractions_and_the_widest_intervals():
    model = model_with_means()
    neutral = neutral_classification(model)
    np.testing.assert_allclose(neutral["fraction"], MEANS, atol=0.01)  # the head mixes in 1 % of uniform ones
    assert (neutral["fraction_lower"], neutral["fraction_upper"]) == (0.0, 1.0)
    first, second, third = model.questions.slices
    fraction = neutral["fraction"].numpy()
    asked = neutral["asked_probability"].numpy()
    # gz1 asks of featured galaxies (answer 1) whether they are edge-on, and of those that are not (4) for handedness.
    np.testing.assert_allclose(asked, [1.0, fraction[1], fraction[1] * fraction[4]], rtol=1e-5)
    for part in (first, second, third):
        assert fraction[part].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("likelihood", "least"), [("dirichlet-multinomial", 1.0), ("multinomial", 0.0)])
def test_concentration_is_the_least_that_the_model_can_state(likelihood, least):
    assert neutral_classification(model_with_means(vote_likelihood=likelihood))["concentration"] == least


def test_only_invalid_rows_are_replaced():
    outputs = {"fraction": tf.constant([[0.1, 0.9], [np.nan, 2.0], [0.3, 0.7]])}
    replaced = replace_rows(outputs, tf.constant([1.0, 0.0, 1.0]), {"fraction": tf.constant([0.5, 0.4])})
    np.testing.assert_allclose(replaced["fraction"], [[0.1, 0.9], [0.5, 0.4], [0.3, 0.7]])
    np.testing.assert_array_equal(replaced["valid"], [1, 0, 1])


@pytest.mark.parametrize(
    ("value", "valid"), [(0.5, 1), (-0.2, 1), (1.3, 1), (np.nan, 0), (np.inf, 0), (-np.inf, 0), (255.0, 0), (-9.0, 0)]
)
def test_pixels_that_are_no_fractions_of_white(value, valid):
    images = np.full([3, 4, 4, 3], 0.25, np.float32)
    images[1, 2, 3, 0] = value
    pixels, found = finite_pixels(tf.constant(images))
    np.testing.assert_array_equal(found, [1, valid, 1])
    images[1] = images[1] if valid else 0.0
    np.testing.assert_array_equal(pixels, images)


@pytest.fixture(scope="module")
def served():
    return ServedModel(model_with_means())


@pytest.mark.core
@pytest.mark.parametrize("signature", ["classify_bytes", "embed_bytes", "classify", "embed"])
def test_signatures_answer_unreadable_rows_neutrally(served, signature):
    if signature.endswith("bytes"):
        rows = tf.constant([jpeg(0, 64), b"broken", jpeg(1, 70)])
    else:
        images = np.random.default_rng(0).uniform(size=[3, 32, 32, 3]).astype(np.float32)
        images[1, 0, 0, 0] = np.nan
        rows = tf.constant(images)
    outputs = served.trace(signature)(rows)
    neighbours = served.trace(signature)(tf.gather(rows, [0, 2]))
    np.testing.assert_array_equal(outputs["valid"], [1, 0, 1])
    expected = neutral_classification(model_with_means())
    expected.update(latent_mean=0.0, latent_stddev=1.0, pose=0.0, pose_concentration=0.0, valid=0.0)
    for name, value in outputs.items():
        np.testing.assert_allclose(value[1], np.broadcast_to(expected[name], value[1].shape), err_msg=name)
        np.testing.assert_allclose(tf.gather(value, [0, 2]), neighbours[name], atol=1e-5, err_msg=name)


def test_other_signatures_stay_finite(served):
    images = np.full([2, 32, 32, 3], np.nan, np.float32)
    images[1] = 0.3
    pictures = served.trace("reconstruct")(tf.constant(images))
    samples = served.trace("sample")(tf.constant(images), tf.constant([1, 2]))
    assert all(np.isfinite(value).all() for value in [*pictures.values(), *samples.values()])
