"""The distribution of a pose, and the predictors of its parameters."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import i0, i1
from scipy.stats import norm, vonmises
from smooth_images import draw, random_blobs

from tfgalaxy.errors import InputError
from tfgalaxy.layers import CentroidPredictor, PosePredictor, pose_distribution
from tfgalaxy.layers.pose import concentration_of_length


def test_pose_distribution_is_von_mises_for_angles_and_normal_for_others():
    mean, concentration = np.array([[3.0, 0.1]], np.float32), np.array([[4.0, 25.0]], np.float32)
    distribution = pose_distribution(mean, concentration, [True, False])
    value = distribution.log_prob([np.array([-3.0], np.float32), np.array([0.3], np.float32)])
    expected = vonmises.logpdf(-3.0, 4.0, loc=3.0) + norm.logpdf(0.3, 0.1, 0.2)
    np.testing.assert_allclose(value, [expected], rtol=1e-5)


@pytest.mark.parametrize("length", [0.01, 0.2, 0.5, 0.8, 0.95])
def test_concentration_has_that_resultant_length(length):
    concentration = float(concentration_of_length(tf.constant(length)))
    assert i1(concentration) / i0(concentration) == pytest.approx(length, rel=0.03)


def test_angle_of_a_view_turned_by_whole_steps_is_exact():
    view = np.random.default_rng(0).normal(size=(3, 16, 32, 3)).astype(np.float32)
    layer = PosePredictor()
    angle, concentration = layer(tf.constant(view))
    turned, same = layer(tf.constant(np.roll(view, 5, axis=2)))
    difference = np.mod(turned - angle - 10 * np.pi / 32 + np.pi, 2 * np.pi) - np.pi
    np.testing.assert_allclose(difference, 0.0, atol=1e-3)
    np.testing.assert_allclose(same, concentration, rtol=1e-3)


def test_angle_does_not_depend_on_brightness_nor_on_other_images():
    view = np.random.default_rng(0).uniform(size=(4, 16, 32, 3)).astype(np.float32)
    layer = PosePredictor()
    angle, _ = layer(tf.constant(view))
    np.testing.assert_allclose(layer(tf.constant(0.3 * view + 0.2))[0], angle, atol=1e-3)
    np.testing.assert_allclose(layer(tf.constant(view[1:2]))[0], angle[1:2], atol=1e-4)


def test_a_flat_view_has_a_pose_that_is_not_sure_and_finite_gradients():
    view, layer = tf.ones([2, 16, 32, 3]), PosePredictor()
    with tf.GradientTape() as tape:
        tape.watch(view)
        angle, concentration = layer(view)
        total = tf.reduce_sum(angle + concentration)
    assert np.all(concentration < 1e-3)
    assert np.isfinite(tape.gradient(total, view)).all()


def test_centroid_of_one_round_blob_is_its_middle():
    blobs = random_blobs(3)
    blobs = blobs._replace(colours=blobs.colours * (np.arange(5) == 0)[:, np.newaxis])
    shift = np.array([[0.1, -0.05], [-0.2, 0.1], [0.0, 0.15]])
    theta, concentration = CentroidPredictor("translation")(draw(blobs, shift=shift))
    np.testing.assert_allclose(theta, shift, atol=0.003)  # a tenth of a pixel
    assert np.all(concentration > 0)


def test_black_images_have_a_finite_pose_and_gradients():
    images, layer = tf.zeros([2, 32, 32, 3]), CentroidPredictor("translation")
    with tf.GradientTape() as tape:
        tape.watch(images)
        theta, concentration = layer(images)
        total = tf.reduce_sum(theta)
    np.testing.assert_allclose(theta, 0.0, atol=1e-5)
    assert np.isfinite(concentration).all()
    assert np.isfinite(tape.gradient(total, images)).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PosePredictor(filters=0), "filters must be at least 1, not 0"),
        (lambda: PosePredictor(kernel_size=4), "kernel_size must be odd, not 4"),
        (lambda: PosePredictor(temperature=0.0), "temperature must be positive, not 0"),
        (lambda: PosePredictor(pool=3).build((None, 16, 32, 1)), "input shape must have even A, R divisible by 3"),
        (lambda: CentroidPredictor("rotation"), "transformation must have a parameter besides angles, not 'rotation'"),
        (lambda: CentroidPredictor("scale", window=0.0), "window must be positive, not 0"),
        (lambda: CentroidPredictor("scale", iterations=0), "iterations must be at least 1, not 0"),
        (lambda: CentroidPredictor("scale").build((None, 4, 4, 1)), "input shape must have at least 8x8 pixels"),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
