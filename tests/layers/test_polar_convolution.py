"""Convolution and pooling on polar views commute with turns; padding goes through the pole."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate

from tfgalaxy.errors import InputError
from tfgalaxy.layers import PolarConv2D, PolarPool
from tfgalaxy.layers.polar_convolution import pad_radius, polar_convolution, smooth_rings


@pytest.fixture
def polar():
    return np.random.default_rng(0).normal(size=(2, 6, 12, 3)).astype(np.float32)


def test_padding_continues_through_the_pole(polar):
    padded = pad_radius(tf.constant(polar), 2).numpy()
    np.testing.assert_array_equal(padded[:, 1], np.roll(polar[:, 0], 6, axis=1))
    np.testing.assert_array_equal(padded[:, 0], np.roll(polar[:, 1], 6, axis=1))
    np.testing.assert_array_equal(padded[:, -2:], 0.0)


def test_convolution_is_scipys_correlation_of_the_continued_view(polar):
    layer = PolarConv2D(4, 5)
    result = layer(tf.constant(polar)).numpy()
    kernel = np.asarray(layer.get_weights()[0])
    inner = np.roll(polar[:, :2][:, ::-1], 6, axis=2)
    padded = np.concatenate([inner, polar, np.zeros_like(polar[:, :2])], axis=1)
    padded = np.concatenate([padded[:, :, -2:], padded, padded[:, :, :2]], axis=2)
    expected = [correlate(padded[0], kernel[..., f], mode="valid")[..., 0] for f in range(4)]
    np.testing.assert_allclose(result[0], np.moveaxis(expected, 0, -1), atol=2e-5)


def test_convolution_commutes_with_turns(polar):
    layer = PolarConv2D(4, 3)
    turned = layer(tf.constant(np.roll(polar, 5, axis=2)))
    np.testing.assert_allclose(turned, np.roll(layer(tf.constant(polar)), 5, axis=2), atol=1e-5)


def test_strided_convolution_is_scipys_correlation_at_every_second_ring_and_angle(polar):
    layer = PolarConv2D(4, 4, stride=2)
    result = layer(tf.constant(polar)).numpy()
    assert result.shape == layer.compute_output_shape(polar.shape) == (2, 3, 6, 4)
    kernel = np.asarray(layer.get_weights()[0])
    inner = np.roll(polar[:, :1], 6, axis=2)
    padded = np.concatenate([inner, polar, np.zeros_like(inner)], axis=1)
    padded = np.concatenate([padded[:, :, -1:], padded, padded[:, :, :1]], axis=2)
    expected = [correlate(padded[1], kernel[..., f], mode="valid")[::2, ::2, 0] for f in range(4)]
    np.testing.assert_allclose(result[1], np.moveaxis(expected, 0, -1), atol=2e-5)


def test_strided_convolution_is_the_same_without_a_gradient(polar):
    kernel = tf.constant(np.random.default_rng(1).normal(size=(4, 4, polar.shape[-1], 3)).astype(np.float32))
    ways = [polar_convolution(tf.constant(polar, tf.float32), kernel, 2, trained) for trained in (True, False)]
    np.testing.assert_allclose(*ways, atol=1e-5)


def test_strided_convolution_commutes_with_turns_by_its_stride(polar):
    layer = PolarConv2D(4, 4, stride=2)
    turned = layer(tf.constant(np.roll(polar, 4, axis=2)))
    np.testing.assert_allclose(turned, np.roll(layer(tf.constant(polar)), 2, axis=2), atol=1e-5)


def test_pool_averages_two_rings_and_a_window_of_angles(polar):
    pooled = PolarPool(window=4)(tf.constant(polar)).numpy()
    assert pooled.shape == (2, 3, 6, 3)
    around = np.take(polar, [-1, 0, 1, 2], axis=2)[:, :2]
    np.testing.assert_allclose(pooled[:, 0, 0], around.mean(axis=(1, 2)), atol=1e-6)


def test_pool_commutes_with_turns_by_two_steps(polar):
    pooled = PolarPool()(tf.constant(polar))
    np.testing.assert_allclose(PolarPool()(tf.constant(np.roll(polar, 2, 2))), np.roll(pooled, 1, 2), atol=1e-6)


def aliasing(window):
    """Relative change of max-pooled features under a turn by one step, after two convolutions with pools."""
    tf.random.set_seed(0)
    generator = np.random.default_rng(0)
    polar = generator.normal(size=(8, 16, 64, 3)).astype(np.float32)
    polar = sum(np.roll(polar, shift, axis=2) for shift in range(-3, 4))  # as smooth as a galaxy's rings
    kernels = [generator.normal(size=(3, 3, 3, 16)) / 5, generator.normal(size=(3, 3, 16, 16)) / 12]

    def features(x):
        for kernel in kernels:
            layer = PolarConv2D(16, 3, use_bias=False)
            layer.build(x.shape)
            layer.set_weights([kernel])
            x = PolarPool(window)(tf.nn.relu(layer(x)))
        return tf.reduce_max(x, axis=2).numpy()

    first = features(tf.constant(polar))
    return np.sqrt(np.mean((features(tf.constant(np.roll(polar, 1, axis=2))) - first) ** 2)) / first.std()


def test_low_pass_pool_aliases_less_than_a_plain_average():
    assert aliasing(window=4) < 0.6 * aliasing(window=2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PolarConv2D(0, 3), "filters must be at least 1, not 0"),
        (lambda: PolarConv2D(4, 2), r"kernel_size must be the stride \(1\) or an even number more, not 2"),
        (lambda: PolarConv2D(4, 3, stride=4), r"kernel_size must be the stride \(4\) or an even number more, not 3"),
        (lambda: PolarConv2D(4, 4, stride=0), "stride must be at least 1, not 0"),
        (lambda: PolarConv2D(4, 4, stride=4).build((None, 6, 8, 1)), r"multiples of the stride \(4\) of both"),
        (lambda: PolarPool(3), "window must be even and at least 2, not 3"),
        (lambda: PolarConv2D(4, 3).build((None, 4, 7, 1)), "must have an even number of angles"),
        (lambda: PolarPool().build((None, 5, 8, 1)), "must have even R and A"),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_smooth_rings_spreads_a_ring_binomially_and_through_the_pole():
    polar = np.zeros((1, 8, 4, 1), np.float32)
    polar[0, 4, 1] = 16.0
    np.testing.assert_allclose(smooth_rings(tf.constant(polar))[0, :, 1, 0], [0, 0, 1, 4, 6, 4, 1, 0])
    polar = np.zeros((1, 8, 4, 1), np.float32)
    polar[0, 0, 1] = 16.0
    smoothed = smooth_rings(tf.constant(polar)).numpy()[0, :, :, 0]
    np.testing.assert_allclose(smoothed[:, 1], [6, 4, 1, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(smoothed[:, 3], [4, 1, 0, 0, 0, 0, 0, 0])  # the opposite angle
    np.testing.assert_allclose(smooth_rings(tf.ones([1, 8, 4, 2])), 1.0)
