"""The pixel convention, canonical grids and projective maps, against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.layers import (
    apply_matrix,
    image_points,
    invert_matrix,
    log_polar_points,
    pixel_centres,
    polar_points,
)


def test_pixel_centres_are_the_middles_of_equal_parts():
    np.testing.assert_allclose(pixel_centres(4), [-0.75, -0.25, 0.25, 0.75])
    assert pixel_centres(1) == pytest.approx([0.0])


def test_image_points_run_along_x_first():
    np.testing.assert_allclose(image_points(1, 2), [[-0.5, 0.0], [0.5, 0.0]])
    np.testing.assert_allclose(image_points(2, 1), [[0.0, -0.5], [0.0, 0.5]])


def test_polar_grid_has_no_end_point_and_turns_from_right_to_down():
    points = polar_points(2, 4, maximum_radius=0.8)
    np.testing.assert_allclose(points[0], [[0.2, 0], [0, 0.2], [-0.2, 0], [0, -0.2]], atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(points[1], axis=-1), 0.6)


def test_log_polar_rings_have_equal_ratios():
    radius = np.linalg.norm(log_polar_points(4, 8, 0.1, 1.6), axis=-1)[:, 0]
    np.testing.assert_allclose(radius[1:] / radius[:-1], 2.0)
    np.testing.assert_allclose(radius[0], 0.1 * np.sqrt(2.0))


def test_apply_matrix_divides_by_the_third_coordinate():
    matrix = tf.constant([[[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [0.5, 0.0, 1.0]]])
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(apply_matrix(matrix, points), [[[1.0, 0.0], [2.0, 2.0]]], rtol=1e-6)


def test_inverse_of_matrices_is_numpys():
    matrices = np.random.default_rng(0).normal(size=(5, 3, 3)) + 3 * np.eye(3)
    inverse = invert_matrix(tf.constant(matrices))
    np.testing.assert_allclose(inverse, np.linalg.inv(matrices), rtol=1e-9, atol=1e-12)
