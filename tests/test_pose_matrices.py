"""Random poses: what they are made of, their ranges, and that they are without state."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.pose_matrices import pose_matrices

SEED = tf.constant([3, 4])


@dataclasses.dataclass
class Range:
    rotation: bool = True
    flip: bool = True
    zoom: float = 0.2
    shift: float = 0.05


def draw(count=4000, seed=SEED, **options):
    matrices, flipped = pose_matrices(seed, count, Range(**options))
    return matrices.numpy().astype(float), flipped.numpy()


def test_no_range_is_the_identity():
    matrices, flipped = draw(rotation=False, flip=False, zoom=0.0, shift=0.0)
    np.testing.assert_array_equal(matrices, np.broadcast_to(np.eye(3), matrices.shape))
    assert not flipped.any()


def test_every_matrix_is_shift_turn_zoom_and_mirror():
    matrices, flipped = draw()
    linear, shift = matrices[:, :2, :2], matrices[:, :2, 2]
    np.testing.assert_array_equal(matrices[:, 2], np.broadcast_to([0.0, 0, 1], (4000, 3)))
    determinant = np.linalg.det(linear)
    np.testing.assert_array_equal(determinant < 0, flipped)
    scale = np.sqrt(np.abs(determinant))
    orthogonal = linear / scale[:, None, None]
    products = orthogonal @ orthogonal.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(2), products.shape), atol=1e-5)
    assert np.abs(shift).max() <= 0.05
    assert np.abs(np.log(scale)).max() <= 0.2 + 1e-6


def test_draws_are_uniform_and_independent():
    matrices, flipped = draw(20_000)
    angle = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    logarithm = 0.5 * np.log(np.abs(np.linalg.det(matrices[:, :2, :2])))
    x, y = matrices[:, 0, 2], matrices[:, 1, 2]
    for values, bound in ((angle, np.pi), (logarithm, 0.2), (x, 0.05), (y, 0.05)):
        quantiles = np.quantile(values, np.linspace(0, 1, 11))
        np.testing.assert_allclose(quantiles, bound * np.linspace(-1, 1, 11), atol=0.05 * bound)
    assert abs(flipped.mean() - 0.5) < 0.02
    correlations = np.corrcoef(np.stack([angle, logarithm, x, y, flipped]))
    assert np.abs(correlations - np.eye(5)).max() < 0.03


@pytest.mark.parametrize(("option", "off"), [("rotation", False), ("flip", False), ("zoom", 0.0), ("shift", 0.0)])
def test_each_part_can_be_left_out(option, off):
    (full, flips), (part, part_flips) = draw(), draw(**{option: off})
    if option == "rotation":
        np.testing.assert_array_equal(part[:, [0, 1], [1, 0]], 0)
    if option == "flip":
        assert not part_flips.any()
    else:
        np.testing.assert_array_equal(flips, part_flips)  # the other parts keep their draws
    if option == "zoom":
        np.testing.assert_allclose(np.abs(np.linalg.det(part[:, :2, :2])), 1, atol=1e-5)
    if option == "shift":
        np.testing.assert_array_equal(part[:, :2, 2], 0)
        np.testing.assert_array_equal(part[:, :, :2], full[:, :, :2])


def test_flips_of_another_seed():
    matrices, flipped = (tensor.numpy() for tensor in pose_matrices(tf.constant([5, 6]), 4000, Range(), flip_seed=SEED))
    other, flips = draw()
    np.testing.assert_array_equal(flipped, flips)
    np.testing.assert_array_equal(np.linalg.det(matrices[:, :2, :2]) < 0, flips)
    assert not np.isclose(matrices, other).all(axis=(1, 2)).any()


def test_function_of_the_seed_alone():
    first, again, other = draw(8)[0], draw(8)[0], draw(8, seed=tf.constant([3, 5]))[0]
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).all(axis=(1, 2)).any()

    @tf.function(input_signature=[tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)])
    def graph(seed, batch):
        return pose_matrices(seed, batch, Range())

    np.testing.assert_allclose(graph(SEED, 8)[0], first, atol=1e-6)
