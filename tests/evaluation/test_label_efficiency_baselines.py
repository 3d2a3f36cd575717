"""The baselines: what they see, and that they learn."""

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.evaluation.label_efficiency.plain_cnn import VoteLoss, fit_plain_cnn
from tfgalaxy.evaluation.label_efficiency.polar_harmonics import fit_support_vectors, polar_harmonics
from tfgalaxy.models.vote_likelihood import VoteParameters, vote_log_prob
from tfgalaxy.training.run_data import RunData

BAR = Questions("bar", (Question("bar", ("yes", "no")), Question("odd", ("yes", "no"), (("bar", "yes"),))))


def blobs(count, seed, size=32):
    """Images [N, S, S, 3] of smooth blobs at a random angle, half of them long ones; and which are long."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / (size / 2) - 1 + 1 / size
    angle, long = generator.uniform(0, np.pi, count), np.arange(count) % 2 == 0
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    across = np.cos(angle)[:, None, None] * y - np.sin(angle)[:, None, None] * x
    width = np.where(long, 0.12, 0.3)[:, None, None]
    light = np.exp(-0.5 * ((along / 0.35) ** 2 + (across / width) ** 2))
    return np.repeat((250 * light).astype(np.uint8)[..., np.newaxis], 3, axis=-1), long


def votes_of(long):
    """Eight of ten volunteers see it; nobody is asked the second question."""
    counts = np.where(long[:, np.newaxis], [8, 2, 0, 0], [2, 8, 0, 0])
    return counts.astype(np.float32)


def test_harmonics_do_not_change_with_the_pose():
    images, _ = blobs(6, seed=0)
    plain = polar_harmonics(images)
    assert plain.shape == (6, 16 * 5 * 3)
    for changed in (np.rot90(images, axes=(1, 2)), images[:, :, ::-1]):
        # Quarter turns and mirrors keep the grid: equal but for rounding.
        np.testing.assert_allclose(polar_harmonics(np.ascontiguousarray(changed)), plain, atol=1e-3)
    # Another shape at the same angle does change them.
    assert np.abs(plain[0] - plain[1]).max() > 0.05


def test_harmonics_of_a_constant_are_the_log_of_its_square_root():
    images = np.full((1, 32, 32, 1), 64, np.uint8)
    found = polar_harmonics(images).reshape(16, 5)[:15]  # the outermost ring lies half outside of the pixel centres
    np.testing.assert_allclose(found[:, 0], np.log(np.sqrt(64 / 255) + 0.002), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1:], np.log(0.002), atol=1e-3)


def test_support_vectors_tell_shapes_apart():
    (images, long), (new, new_long) = blobs(40, seed=1), blobs(30, seed=2)
    fraction = fit_support_vectors(BAR, images, votes_of(long), new)
    np.testing.assert_allclose(fraction[:, :2].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(fraction[:, 0], np.where(new_long, 0.8, 0.2), atol=0.2)
    np.testing.assert_array_equal(fraction[:, 2:], 0.5)  # nobody was asked: equal shares
    np.testing.assert_array_equal(fraction, fit_support_vectors(BAR, images, votes_of(long), new))


def test_support_vectors_of_a_handful_of_galaxies_give_the_means():
    images, long = blobs(5, seed=1)
    fraction = fit_support_vectors(BAR, images, votes_of(long), images)
    np.testing.assert_allclose(fraction[:, :2], np.tile([0.56, 0.44], (5, 1)))  # (3 * .8 + 2 * .2) / 5


def test_the_networks_loss_is_the_likelihood_of_the_votes():
    generator = np.random.default_rng(3)
    votes = generator.integers(0, 9, (5, 4)).astype(np.float32)
    logits, spread = generator.normal(size=(5, 4)).astype(np.float32), generator.uniform(1, 5, (5, 2)).astype("float32")
    outputs = tf.constant(np.concatenate([logits, spread], axis=1))
    expected = -vote_log_prob(BAR, tf.constant(votes), VoteParameters(tf.constant(logits), tf.constant(spread)))
    found = VoteLoss(BAR).call(tf.constant(votes), outputs)
    np.testing.assert_allclose(found, tf.reduce_sum(expected, axis=1), rtol=1e-6)


@pytest.mark.core
def test_the_plain_network_learns_and_states_intervals():
    (images, long), (new, new_long) = blobs(64, seed=1), blobs(20, seed=2)
    files = np.array([f"/{n}" for n in range(64)], dtype=object)
    catalogue = Catalogue(BAR, np.array([f"g{n}" for n in range(64)]), files, votes_of(long))
    pixels = Pixels(images, np.arange(64), files)
    nobody = catalogue.subset([])
    data = RunData(catalogue, nobody, nobody, pixels, pixels.select([]), pixels.select([]))
    found = fit_plain_cnn(data, new, seed=0, steps=60, voters=10, quiet=True)
    assert np.mean((found["fraction"][:, 0] > 0.5) == new_long) >= 0.9
    assert {name: values.shape for name, values in found.items()} == {
        "fraction": (20, 4),
        "concentration": (20, 2),
        "fraction_lower": (20, 4),
        "fraction_upper": (20, 4),
    }
    assert (found["fraction_lower"] <= found["fraction"]).all()
    assert (found["fraction"] <= found["fraction_upper"]).all()
