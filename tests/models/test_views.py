"""Changes of brightness, colour and noise: their statistics by NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.models.config import ViewConfig
from tfgalaxy.models.views import vary_pixels

STILL = {"rotation": False, "flip": False, "zoom": 0, "shift": 0, "gain": 0, "colour": 0, "noise": 0}
SEED = tf.constant([3, 7])


@pytest.mark.parametrize("shape", [(8, 32, 64, 3), (50, 5, 7, 1)])
def test_noise_has_the_stated_deviation_and_no_pattern(shape):
    config = ViewConfig(**{**STILL, "noise": 0.02})
    noise = vary_pixels(tf.zeros(shape), SEED, config, noise=True).numpy()
    assert noise.shape == shape
    allowed = 4 * 0.02 / np.sqrt(noise.size)
    assert abs(noise.mean()) < allowed
    assert abs(noise.std() - 0.02) < allowed
    flat = noise.ravel() / noise.std()
    for lag in (1, 2, 3, 4, shape[2] * shape[3]):
        assert abs(np.mean(flat[lag:] * flat[:-lag])) < 4 / np.sqrt(flat.size)


def test_each_image_has_one_gain_and_one_factor_for_each_colour():
    images = np.random.default_rng(0).uniform(0.1, 1, (2000, 4, 6, 3)).astype(np.float32)
    config = ViewConfig(**{**STILL, "gain": 0.1, "colour": 0.03})
    factors = np.log(vary_pixels(tf.constant(images), SEED, config, noise=True).numpy() / images)
    colours = factors[:, 0, 0]
    np.testing.assert_allclose(factors, np.broadcast_to(colours[:, None, None], factors.shape), atol=1e-5)
    np.testing.assert_allclose(colours.mean(axis=1).std(), np.hypot(0.1, 0.03 / np.sqrt(3)), rtol=0.06)
    np.testing.assert_allclose((colours - colours.mean(axis=1, keepdims=True)).std(), 0.03 * np.sqrt(2 / 3), rtol=0.06)


def test_without_noise_nothing_is_added():
    images = tf.ones([2, 4, 4, 3])
    np.testing.assert_array_equal(vary_pixels(images, SEED, ViewConfig(**{**STILL, "noise": 0.5}), noise=False), images)
