"""Circular means and turns, against SciPy and the Fourier series."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import circmean

from tfgalaxy.layers import circular_mean, turn


def test_circular_mean_of_one_angle():
    angle, length = circular_mean(tf.one_hot([3, 6], 8))
    np.testing.assert_allclose(angle, [3 * np.pi / 4, -np.pi / 2], rtol=1e-6)
    np.testing.assert_allclose(length, 1.0, rtol=1e-6)


def test_circular_mean_is_scipys():
    counts = np.random.default_rng(0).integers(0, 5, (4, 12))
    angle, _ = circular_mean(tf.constant(counts / counts.sum(1, keepdims=True), tf.float32))
    steps = 2 * np.pi * np.arange(12) / 12
    expected = [circmean(np.repeat(steps, row), high=np.pi, low=-np.pi) for row in counts]
    np.testing.assert_allclose(angle, expected, rtol=1e-4)


def test_uniform_probability_has_no_length_and_a_finite_gradient():
    logits = tf.zeros([1, 16])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        angle, length = circular_mean(tf.nn.softmax(logits))
        total = tf.reduce_sum(angle + length)
    assert length[0] < 1e-5
    assert np.isfinite(tape.gradient(total, logits)).all()


@pytest.mark.parametrize("angles", [8, 64])
def test_whole_steps_are_exact_rolls(angles):
    polar = np.random.default_rng(0).normal(size=(3, 4, angles, 2)).astype(np.float32)
    steps = np.array([1, 3, -2])
    turned = turn(tf.constant(polar), tf.constant(steps * 2 * np.pi / angles, tf.float32))
    expected = [np.roll(image, step, axis=1) for image, step in zip(polar, steps, strict=True)]
    np.testing.assert_allclose(turned, expected, atol=3e-6)


def test_turn_is_the_fourier_series_at_turned_angles():
    orders, angles = np.arange(1, 8), 16
    generator = np.random.default_rng(0)
    amplitude, phase = generator.normal(size=7), generator.uniform(0, 6, 7)

    def wave(at):
        return np.sum(amplitude * np.cos(np.asarray(at)[..., np.newaxis] * orders - phase), axis=-1)

    at = 2 * np.pi * np.arange(angles) / angles
    polar = tf.constant(wave(at).reshape(1, 1, angles, 1), tf.float32)
    turned = turn(polar, tf.constant([0.3]))
    np.testing.assert_allclose(turned[0, 0, :, 0], wave(at - 0.3), atol=2e-5)


def test_highest_frequency_stays_real():
    alternating = tf.constant([1.0, -1.0] * 4)[tf.newaxis, tf.newaxis, :, tf.newaxis]
    # cos(4 (a - x)) at the grid's angles is cos(4 x) cos(4 a): its other half cannot be held by 8 samples.
    turned = turn(alternating, tf.constant([0.2]))
    np.testing.assert_allclose(turned, np.cos(0.8) * alternating.numpy(), atol=1e-6)


def test_turning_back_restores_what_the_grid_holds():
    polar = np.random.default_rng(0).normal(size=(2, 3, 32, 1)).astype(np.float32)
    polar -= np.fft.irfft(np.fft.rfft(polar, axis=2) * (np.arange(17) == 16)[:, np.newaxis], axis=2)
    angle = tf.constant([0.123, 2.5])
    np.testing.assert_allclose(turn(turn(tf.constant(polar, tf.float32), angle), -angle), polar, atol=2e-5)


def test_gradient_to_the_angle():
    polar = tf.constant(np.random.default_rng(0).normal(size=(1, 2, 12, 1)), tf.float32)

    def total(angle):
        return tf.reduce_sum(turn(polar, angle) * tf.range(12.0)[:, tf.newaxis])

    (analytic,), (numeric,) = tf.test.compute_gradient(total, [tf.constant([0.4])], delta=1e-2)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-2)


def test_fewer_angles_are_behind_a_low_pass():
    at, coarse = 2 * np.pi * np.arange(32) / 32, 2 * np.pi * np.arange(16) / 16
    ring = 1 + np.cos(3 * at - 1) + np.cos(8 * at) + np.cos(13 * at - 2)  # 16 angles hold orders below 8
    turned = turn(tf.constant(ring.reshape(1, 1, 32, 1), tf.float32), tf.constant([0.7]), output_angles=16)
    np.testing.assert_allclose(turned[0, 0, :, 0], 1 + np.cos(3 * (coarse - 0.7) - 1), atol=1e-5)
