"""Shifts, scales, shears and perspectives from the moments of the light: values, colours, sky, concentration."""

import numpy as np
import pytest
import tensorflow as tf
from smooth_images import draw, random_blobs

from tfgalaxy.errors import InputError
from tfgalaxy.layers import MomentPredictor

FREE = [
    "hyperbolic_rotation",
    "perspective_x",
    "perspective_y",
    "scale",
    "scale_x",
    "scale_y",
    "shear_x",
    "shear_y",
    "translation",
]


def one_gaussian(widths, shift=(0.0, 0.0), size=64):
    """A Gaussian of those widths along x and y, [1, size, size, 1]."""
    axis = (2 * np.arange(size) + 1) / size - 1
    x, y = (axis - shift[0]) / widths[0], (axis - shift[1]) / widths[1]
    return np.exp(-0.5 * (x**2 + y[:, np.newaxis] ** 2)).astype(np.float32)[np.newaxis, ..., np.newaxis]


def test_centre_of_one_round_blob_is_its_middle():
    blobs = random_blobs(3)
    blobs = blobs._replace(colours=blobs.colours * (np.arange(5) == 0)[:, np.newaxis])
    shift = np.array([[0.1, -0.05], [-0.2, 0.1], [0.0, 0.15]])
    theta, concentration = MomentPredictor("translation")(draw(blobs, shift=shift))
    np.testing.assert_allclose(theta, shift, atol=0.001)  # a thirtieth of a pixel
    assert np.all(concentration > 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The light is squared: a Gaussian of width w counts as one of w / sqrt 2. The canonical width is 0.2.
        ("scale", np.log(np.sqrt(0.3 * 0.15) / np.sqrt(2) / 0.2)),
        ("scale_x", np.log(0.3 / np.sqrt(2) / 0.2)),
        ("scale_y", np.log(0.15 / np.sqrt(2) / 0.2)),
        ("hyperbolic_rotation", 0.5 * np.log(0.3 / 0.15)),
        ("shear_x", 0.0),
        ("perspective_x", 0.0),
    ],
)
def test_pose_of_a_gaussian_is_known(name, expected):
    theta, _ = MomentPredictor(name)(one_gaussian((0.3, 0.15)))
    # Pixels are averaged to 32x32, which makes the light wider by 1 / 12 of a pixel squared.
    assert float(theta[0, 0]) == pytest.approx(expected, abs=0.012)


def test_theta_does_not_depend_on_brightness_nor_on_the_sky():
    images = draw(random_blobs(4))
    for name in FREE:
        layer = MomentPredictor(name)
        theta, _ = layer(images)
        np.testing.assert_allclose(layer(0.5 * images + 0.2)[0], theta, atol=2e-3)


def test_concentration_is_that_of_independent_draws():
    """Counts n of points drawn from a Gaussian ellipse: variances of their estimates by theory."""
    widths = np.array([0.3, 0.2]) / np.sqrt(2)
    area = np.pi * np.prod(widths) / 2 * 4 * 16**2  # (sum w)^2 / sum w^2 on 32x32 pixels, light times window
    images = one_gaussian((0.3, 0.2))
    expected = {"scale": 4.0, "scale_x": 2.0, "hyperbolic_rotation": 4.0, "shear_x": (widths[1] / widths[0]) ** 2}
    for name, factor in expected.items():
        assert float(MomentPredictor(name)(images)[1][0, 0]) == pytest.approx(factor * area, rel=0.05)
    np.testing.assert_allclose(MomentPredictor("translation")(images)[1][0], area / widths**2, rtol=0.05)


@pytest.mark.parametrize("name", FREE)
def test_black_images_have_a_finite_pose_and_gradients(name):
    images, layer = tf.zeros([2, 32, 32, 3]), MomentPredictor(name)
    with tf.GradientTape() as tape:
        tape.watch(images)
        theta, concentration = layer(images)
        total = tf.reduce_sum(theta)
    assert np.isfinite(theta).all()
    assert np.isfinite(concentration).all()
    assert np.isfinite(tape.gradient(total, images)).all()


def test_black_images_stand_in_the_middle():
    theta, _ = MomentPredictor("translation")(tf.zeros([2, 32, 32, 3]))
    np.testing.assert_allclose(theta, 0.0, atol=1e-5)


def test_weights_of_the_colours_are_trained():
    images, layer = tf.constant(draw(random_blobs(4))), MomentPredictor("shear_x")
    layer(images)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(layer(images)[0]))
    weight = layer.trainable_variables[0]
    gradient = tape.gradient(total, getattr(weight, "value", weight) if not isinstance(weight, tf.Variable) else weight)
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MomentPredictor("rotation"), "transformation must have a parameter besides angles, not 'rotation'"),
        (lambda: MomentPredictor("scale").build((None, 4, 4, 1)), "input shape must have at least 8x8 pixels"),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
