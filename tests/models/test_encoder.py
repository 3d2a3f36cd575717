"""The encoder: sizes, normalisation folded into convolutions, and what a turn leaves."""

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.models.encoder import PolarEncoder, pool_features


@pytest.fixture
def encoder():
    """With running statistics and scales that are not those of a new layer."""
    encoder = PolarEncoder((8, 12, 16), latent_size=4)
    encoder.build((None, 16, 32, 3))
    generator = np.random.default_rng(0)
    for layer in encoder.normalizations:
        layer.gamma.assign(generator.uniform(-2.0, 2.0, layer.gamma.shape))
        layer.beta.assign(generator.normal(size=layer.beta.shape))
        for statistics in layer.statistics.values():
            statistics.moving_mean.assign(generator.normal(size=layer.gamma.shape))
            statistics.moving_variance.assign(generator.uniform(0.5, 2.0, layer.gamma.shape))
    return encoder


@pytest.fixture
def polar():
    return tf.constant(np.random.default_rng(1).normal(size=(3, 16, 32, 3)), tf.float32)


def test_feature_map_has_the_size_that_it_states(encoder, polar):
    assert encoder(polar).shape == encoder.compute_output_shape(polar.shape) == (3, 2, 4, 16)


@pytest.mark.parametrize("clock", ["classifier", "vae"])
def test_predictions_are_those_of_convolutions_with_the_normalisation_behind(encoder, polar, clock):
    x = polar
    for block, (convolution, normalization) in enumerate(
        zip(encoder.convolutions, encoder.normalizations, strict=True)
    ):
        x = encoder.pool(x) if block > 1 else x
        x = tf.nn.relu(normalization(convolution(x), training=False, clock=clock))
    np.testing.assert_allclose(encoder(polar, clock=clock), x, rtol=1e-4, atol=1e-4)
    assert np.abs(encoder(polar, clock="vae") - encoder(polar, clock="classifier")).max() > 0.1


def test_a_turn_by_the_feature_maps_step_leaves_the_pooled_features(encoder, polar):
    turned = encoder(tf.roll(polar, 8, axis=2))
    np.testing.assert_allclose(pool_features(turned, True), pool_features(encoder(polar), True), rtol=1e-4, atol=1e-4)
