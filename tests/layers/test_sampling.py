"""Both samplers against SciPy and TF Addons, their exactness at whole pixels, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate1d, map_coordinates
from smooth_images import draw, random_blobs, similarity

from tfgalaxy.addons import transform
from tfgalaxy.errors import InputError
from tfgalaxy.layers import (
    apply_sparse,
    bilinear_sample,
    image_from_polar_points,
    image_points,
    polar_points,
    polar_sample,
    sparse_sampling_matrix,
    warp,
)
from tfgalaxy.layers.sampling import smooth, smoothed

FILLS = {"nearest": "nearest", "zero": "grid-constant"}  # and SciPy's name of it


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(3, 12, 16, 2)).astype(np.float32)


@pytest.fixture
def points():
    return np.random.default_rng(1).uniform(-1.3, 1.3, (3, 50, 2))


def scipy_sample(image, points, fill):
    height, width = image.shape[:2]
    indices = [(points[:, 1] + 1) * height / 2 - 0.5, (points[:, 0] + 1) * width / 2 - 0.5]
    planes = [map_coordinates(plane, indices, order=1, mode=FILLS[fill]) for plane in np.moveaxis(image, -1, 0)]
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize("fill", FILLS)
def test_bilinear_sample_is_scipys(images, points, fill):
    expected = [scipy_sample(image.astype(np.float64), own, fill) for image, own in zip(images, points, strict=True)]
    # Positions within 1e-4 pixels of a whole one are rounded, which moves values by at most as much.
    np.testing.assert_allclose(bilinear_sample(images, points.astype(np.float32), fill), expected, atol=1e-4)


@pytest.mark.parametrize("fill", FILLS)
def test_sparse_sampling_is_scipys(images, points, fill):
    matrix = sparse_sampling_matrix(points[0], 12, 16, fill)
    expected = [scipy_sample(image.astype(np.float64), points[0], fill) for image in images]
    np.testing.assert_allclose(apply_sparse(matrix, tf.constant(images)), expected, atol=1e-4)


def test_bilinear_sample_is_tf_addons(images, points):
    tfa = pytest.importorskip("tensorflow_addons")
    inside = 0.8 * points / 1.3
    queries = np.stack([(inside[..., 1] + 1) * 6 - 0.5, (inside[..., 0] + 1) * 8 - 0.5], axis=-1).astype(np.float32)
    expected = tfa.image.interpolate_bilinear(tf.constant(images), tf.constant(queries), indexing="ij")
    np.testing.assert_allclose(bilinear_sample(images, inside.astype(np.float32)), expected, atol=1e-4)


def test_sparse_indices_are_sorted_and_rows_sum_to_one(points):
    matrix = sparse_sampling_matrix(points, 12, 16)
    order = np.lexsort((matrix.indices[:, 1], matrix.indices[:, 0]))
    assert np.array_equal(order, np.arange(len(order)))
    np.testing.assert_allclose(np.bincount(matrix.indices[:, 0], matrix.weights), 1.0, rtol=1e-6)


@pytest.mark.parametrize("size", [15, 16, 64])
def test_identity_reproduces_pixels(size):
    images = np.random.default_rng(0).uniform(size=(2, size, size, 3)).astype(np.float32)
    np.testing.assert_allclose(warp(images, tf.eye(3, batch_shape=[2])), images, atol=1e-6)
    sampled = apply_sparse(sparse_sampling_matrix(image_points(size, size), size, size), tf.constant(images))
    np.testing.assert_allclose(tf.reshape(sampled, images.shape), images, atol=1e-6)


@pytest.mark.parametrize("size", [15, 64, 128])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_reproduce_pixels_exactly(size, quarters):
    images = np.random.default_rng(0).uniform(size=(1, size, size, 3)).astype(np.float32)
    linear = similarity(np.array([quarters * np.pi / 2]))
    # From +x (right) towards +y (down) is clockwise on the screen; out(x) = image(M x) with M the inverse turn.
    expected = np.rot90(images, -quarters, axes=(1, 2))
    matrices = np.eye(3, dtype=np.float32)[np.newaxis].copy()
    matrices[:, :2, :2] = np.linalg.inv(linear)
    assert np.array_equal(warp(images, matrices), expected)
    points = image_points(size, size) @ np.linalg.inv(linear)[0].T
    sampled = apply_sparse(sparse_sampling_matrix(points, size, size), tf.constant(images))
    assert np.array_equal(tf.reshape(sampled, images.shape), expected)


def projective(seed=0):
    """Shears, scales, shifts and perspectives at once, with the horizon outside of the image: [3, 3, 3]."""
    generator = np.random.default_rng(seed)
    matrices = np.eye(3) + generator.uniform(-0.2, 0.2, (3, 3, 3))
    return matrices / matrices[:, 2:, 2:]


def test_warp_in_perspective_is_scipys(images):
    matrices = projective()
    points = np.concatenate([image_points(12, 16), np.ones((192, 1))], axis=1)
    moved = np.einsum("bij,nj->bni", matrices, points)
    moved = moved[..., :2] / moved[..., 2:]
    expected = [
        scipy_sample(image.astype(np.float64), own, "nearest") for image, own in zip(images, moved, strict=True)
    ]
    warped = warp(tf.constant(images), tf.constant(matrices, tf.float32))
    np.testing.assert_allclose(warped, np.reshape(expected, images.shape), atol=2e-4)


def test_warp_in_perspective_is_tf_addons(images):
    pytest.importorskip("tensorflow_addons")
    matrices = tf.constant(projective(), tf.float32)
    expected = transform(tf.constant(images), matrices)
    np.testing.assert_allclose(warp(tf.constant(images), matrices), expected, atol=2e-4)


def test_points_on_the_horizon_have_finite_values_and_gradients(images):
    matrices = np.tile(np.eye(3, dtype=np.float32), (3, 1, 1))
    matrices[:, 2, 0] = -1 / 0.6875  # the horizon goes through the pixel centres at x = 0.6875
    matrices = tf.constant(matrices)
    with tf.GradientTape() as tape:
        tape.watch(matrices)
        warped = warp(tf.constant(images), matrices)
    assert np.isfinite(warped).all()
    assert np.isfinite(tape.gradient(warped, matrices)).all()


def test_gradients_reach_image_and_points():
    images = draw(random_blobs(1), size=16)[..., :1].astype(np.float32)
    points = np.random.default_rng(2).uniform(-0.8, 0.8, (1, 20, 2)).astype(np.float32)

    def total(image, at):
        return tf.reduce_sum(tf.square(bilinear_sample(image, at)))

    theirs = tf.test.compute_gradient(total, [tf.constant(images), tf.constant(points)], delta=1e-3)
    for analytic, numeric in zip(*theirs, strict=True):
        np.testing.assert_allclose(analytic, numeric, atol=5e-3 * np.abs(numeric).max())


def test_gradient_to_points_exists_at_whole_pixels():
    image = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    points = tf.constant(image_points(4, 4)[np.newaxis, [5]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = bilinear_sample(image, points)
    # One pixel, half a unit of the coordinates, to the right adds 1, and down 4.
    np.testing.assert_allclose(tape.gradient(value, points), [[[2.0, 8.0]]])


def test_half_precision_images_are_sampled_in_float32(images, points):
    half = tf.cast(images, tf.bfloat16)
    sampled = bilinear_sample(half, points.astype(np.float32))
    assert sampled.dtype == tf.bfloat16
    exact = bilinear_sample(tf.cast(half, tf.float32), points.astype(np.float32))
    assert np.array_equal(sampled, tf.cast(exact, tf.bfloat16))


def test_unknown_fill_is_refused(images, points):
    with pytest.raises(InputError, match="fill must be nearest or zero, not 'mirror'"):
        bilinear_sample(images, points, "mirror")
    with pytest.raises(InputError, match="fill must be nearest or zero"):
        sparse_sampling_matrix(points, 12, 16, "mirror")


def test_smooth_keeps_flat_images_and_spreads_a_pixel_binomially():
    np.testing.assert_allclose(smooth(tf.ones([1, 9, 7, 1])), 1.0, rtol=1e-6)
    pixel = np.zeros((1, 9, 9, 1), np.float32)
    pixel[0, 4, 4] = 256.0
    row = np.array([1, 4, 6, 4, 1])
    np.testing.assert_allclose(smooth(tf.constant(pixel))[0, 2:7, 2:7, 0], np.outer(row, row), rtol=1e-6)


def test_image_from_polar_view_inverts_the_polar_view_of_smooth_images():
    images = draw(random_blobs(4))
    matrix = sparse_sampling_matrix(polar_points(48, 128), 64, 64)
    polar = tf.reshape(apply_sparse(matrix, tf.constant(images)), [4, 48, 128, 3])
    back = tf.reshape(apply_sparse(image_from_polar_points(48, 128, 64, 64), polar), images.shape)
    # Two bilinear interpolations of blobs 2.5 pixels wide lose a few percent at their peaks, near the pole most.
    assert np.abs(back - images).max() < 0.05
    assert np.abs(back - images).mean() < 0.002


def test_polar_sample_at_pixel_centres_is_the_fixed_map():
    polar = tf.random.stateless_uniform([2, 8, 16, 3], seed=[0, 0])
    fixed = apply_sparse(image_from_polar_points(8, 16, 20, 20, 0.7), polar)
    points = tf.constant(np.stack([image_points(20, 20)] * 2), tf.float32)
    np.testing.assert_allclose(polar_sample(polar, points, 0.7), fixed, atol=1e-4)


def test_polar_sample_has_finite_gradients_at_the_pole():
    points = tf.zeros([1, 1, 2])
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = polar_sample(tf.random.stateless_uniform([1, 4, 8, 1], seed=[0, 0]), points)
    assert np.isfinite(tape.gradient(value, points)).all()


def test_a_smoothed_matrix_samples_the_smoothed_image(images):
    points = np.random.default_rng(2).uniform(-1.0, 1.0, (50, 2))
    matrix = smoothed(sparse_sampling_matrix(points, 12, 16), 12, 16)
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    blurred = correlate1d(correlate1d(images, binomial, axis=1, mode="nearest"), binomial, axis=2, mode="nearest")
    expected = np.stack([scipy_sample(image, points, "nearest") for image in blurred])
    np.testing.assert_allclose(apply_sparse(matrix, tf.constant(images)), expected, atol=1e-6)
