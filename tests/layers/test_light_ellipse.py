"""The ellipse of the light against exact Gaussians, an independent iteration in NumPy, affine maps, and truth."""

import numpy as np
import tensorflow as tf
from scipy.stats import spearmanr

from tfgalaxy.layers import MomentPredictor, image_points
from tfgalaxy.layers.light_ellipse import matched_ellipse

POINTS = image_points(64, 64)


def gaussian(mean, covariance):
    """Light [B, N] of Gaussians."""
    offset = POINTS - np.asarray(mean)[:, np.newaxis]
    return np.exp(-0.5 * np.einsum("bni,bij,bnj->bn", offset, np.linalg.inv(covariance), offset))


def covariances(count, seed=0):
    root = np.random.default_rng(seed).uniform(-0.06, 0.06, (count, 2, 2)) + 0.16 * np.eye(2)
    return root @ np.swapaxes(root, 1, 2)


def as_arrays(ellipse):
    """Mean [B, 2] and covariance [B, 2, 2]."""
    x, y, xx, xy, yy = (np.asarray(value) for value in ellipse)
    return np.stack([x, y], -1), np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def fit(light, points=POINTS):
    ellipse, count = matched_ellipse(tf.constant(light, tf.float32), tf.constant(points, tf.float32))
    return (*as_arrays(ellipse), count.numpy())


def two_gaussians(count=6, seed=0):
    """Light that is no Gaussian: a core and a fainter neighbour."""
    generator = np.random.default_rng(seed)
    means = [generator.uniform(-0.05, 0.05, (count, 2)), generator.uniform(0.1, 0.2, (count, 2))]
    return means, [covariances(count, seed + 1), 0.5 * covariances(count, seed + 2)]


def drawn(means, shapes):
    return gaussian(means[0], shapes[0]) + 0.4 * gaussian(means[1], shapes[1])


def test_the_ellipse_of_a_gaussian_is_that_gaussian():
    mean, covariance = np.random.default_rng(1).uniform(-0.2, 0.2, (8, 2)), covariances(8)
    found_mean, found_covariance, count = fit(gaussian(mean, covariance))
    np.testing.assert_allclose(found_mean, mean, atol=2e-4)
    # 1e-5 is added in each step, so that no ellipse is a line.
    np.testing.assert_allclose(found_covariance, covariance, atol=3e-5)
    # light * window has half the covariance; (sum w)^2 / sum w^2 of a Gaussian is 4 pi its area in pixels.
    area = np.sqrt(np.linalg.det(covariance / 2)) * 32**2
    np.testing.assert_allclose(count, 4 * np.pi * area, rtol=2e-3)


def test_it_is_its_own_weight():
    light = drawn(*two_gaussians())
    mean, covariance, _ = fit(light)
    # Independent of the steps: the definition, in float64.
    weights = light * gaussian(mean, covariance)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weights @ POINTS, mean, atol=1e-4)
    offset = POINTS - mean[:, np.newaxis]
    np.testing.assert_allclose(2 * np.einsum("bn,bni,bnj->bij", weights, offset, offset), covariance, atol=5e-5)


def test_it_follows_affine_maps():
    means, shapes = two_gaussians()
    generator = np.random.default_rng(5)
    linear = generator.uniform(-0.3, 0.3, (6, 2, 2)) + np.eye(2)
    shift = generator.uniform(-0.1, 0.1, (6, 2))
    moved = [np.einsum("bij,bj->bi", linear, mean) + shift for mean in means]
    changed = [linear @ shape @ np.swapaxes(linear, 1, 2) for shape in shapes]
    mean, covariance, _ = fit(drawn(means, shapes))
    new_mean, new_covariance, _ = fit(drawn(moved, changed))
    np.testing.assert_allclose(new_mean, np.einsum("bij,bj->bi", linear, mean) + shift, atol=5e-4)
    np.testing.assert_allclose(new_covariance, linear @ covariance @ np.swapaxes(linear, 1, 2), atol=2e-4)


def test_points_may_differ_from_image_to_image():
    light, moved = drawn(*two_gaussians()), np.random.default_rng(0).uniform(-0.1, 0.1, (6, 1, 2))
    mean, covariance, count = fit(light)
    other_mean, other_covariance, other_count = fit(light, POINTS + moved)
    np.testing.assert_allclose(other_mean, mean + moved[:, 0], atol=2e-4)
    np.testing.assert_allclose(other_covariance, covariance, atol=2e-4)
    np.testing.assert_allclose(other_count, count, rtol=1e-2)


def test_gradient_is_that_of_the_solution():
    light = tf.constant(drawn(*two_gaussians(2)), tf.float32)
    change = light * tf.random.stateless_normal(light.shape, [0, 0])
    points = tf.constant(POINTS, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(light)
        ellipse, _ = matched_ellipse(light, points)
        total = ellipse.x + 3.0 * ellipse.xx - 2.0 * ellipse.xy
    analytic = tf.reduce_sum(tape.gradient(total, light) * change, axis=-1)

    def shifted(step):
        x, _, xx, xy, _ = matched_ellipse(light + step * change, points)[0]
        return x + 3.0 * xx - 2.0 * xy

    np.testing.assert_allclose(analytic, (shifted(0.05) - shifted(-0.05)) / 0.1, rtol=0.02, atol=1e-4)


def test_light_without_a_shape_has_a_finite_ellipse_in_the_middle():
    one_pixel = np.zeros((1, 4096))
    one_pixel[0, 2080] = 1.0
    for light in (np.full((1, 4096), 1e-9), one_pixel + 1e-9):
        mean, covariance, _ = fit(light)
        assert np.isfinite(covariance).all()
        assert np.linalg.det(covariance[0]) > 0
        assert np.abs(mean).max() < 0.1


def test_it_finds_axis_ratio_and_position_angle_of_simulated_galaxies(simulated):
    chosen = simulated.truth["truth_kind"].isin(["smooth", "disk"]).to_numpy()
    images, truth = simulated.images[chosen], simulated.truth[chosen]
    layer = MomentPredictor("translation")
    layer.build((None, 64, 64, 3))
    _, covariance = as_arrays(matched_ellipse(*layer.light(tf.constant(images)))[0])
    small, large = np.linalg.eigvalsh(covariance).T
    assert spearmanr(np.sqrt(small / large), truth["truth_axis_ratio"])[0] > 0.9
    angle = 0.5 * np.arctan2(2 * covariance[:, 0, 1], covariance[:, 0, 0] - covariance[:, 1, 1])
    flat = (truth["truth_axis_ratio"] < 0.7).to_numpy()
    error = np.abs(np.angle(np.exp(2j * (angle - truth["truth_position_angle"].to_numpy())))) / 2
    assert np.median(error[flat]) < 0.05
