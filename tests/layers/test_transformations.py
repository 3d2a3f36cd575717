"""Each transformation obeys equation (5), its group law and its inverse, by its matrix."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.layers import (
    Ellipse,
    Parameter,
    Transformation,
    apply_matrix,
    get_transformation,
    register_transformation,
    transformation_names,
)

BUILT_IN = (
    "hyperbolic_rotation",
    "perspective_x",
    "perspective_y",
    "rotation",
    "rotation_scale",
    "scale",
    "scale_x",
    "scale_y",
    "shear_x",
    "shear_y",
    "translation",
)
T = 0.15
# T_theta of (0.3, -0.4) with every parameter T, worked out from the definitions of Tai et al. 2019, section 4.
MOVED = {
    "hyperbolic_rotation": (0.3 * np.exp(T), -0.4 * np.exp(-T)),
    "perspective_x": (0.3 / (1 + 0.3 * T), -0.4 / (1 + 0.3 * T)),
    "perspective_y": (0.3 / (1 - 0.4 * T), -0.4 / (1 - 0.4 * T)),
    "rotation": (0.3 * np.cos(T) + 0.4 * np.sin(T), 0.3 * np.sin(T) - 0.4 * np.cos(T)),
    "rotation_scale": (
        np.exp(T) * (0.3 * np.cos(T) + 0.4 * np.sin(T)),
        np.exp(T) * (0.3 * np.sin(T) - 0.4 * np.cos(T)),
    ),
    "scale": (0.3 * np.exp(T), -0.4 * np.exp(T)),
    "scale_x": (0.3 * np.exp(T), -0.4),
    "scale_y": (0.3, -0.4 * np.exp(T)),
    "shear_x": (0.3 - 0.4 * T, -0.4),
    "shear_y": (0.3, -0.4 + 0.3 * T),
    "translation": (0.3 + T, -0.4 + T),
}


def draw(transformation, count=20, seed=0):
    low = [parameter.low for parameter in transformation.parameters]
    high = [parameter.high for parameter in transformation.parameters]
    return tf.constant(np.random.default_rng(seed).uniform(low, high, (count, len(low))))


def wrap(difference, transformation):
    """Angles modulo 2 pi."""
    difference = np.asarray(difference)
    return np.where(transformation.periodic, np.mod(difference + np.pi, 2 * np.pi) - np.pi, difference)


def away_from_axes(shape, seed=1):
    """Points at least 0.1 from the lines where a rho has no value."""
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 0.9, (*shape, 2)) * generator.choice([-1.0, 1.0], (*shape, 2))


def test_registry_names():
    assert set(BUILT_IN) <= set(transformation_names())


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_moves_points_as_the_paper_says(name):
    transformation = get_transformation(name)
    matrix = transformation.matrix(tf.fill([1, transformation.size], tf.constant(T, tf.float64)))
    np.testing.assert_allclose(apply_matrix(matrix, tf.constant([[0.3, -0.4]], tf.float64))[0, 0], MOVED[name])


@pytest.mark.parametrize("name", BUILT_IN)
def test_parameters_have_units_and_ranges(name):
    for parameter in get_transformation(name).parameters:
        assert parameter.unit
        assert parameter.low < 0 < parameter.high
        assert not parameter.periodic or parameter.high - parameter.low == pytest.approx(2 * np.pi)


@pytest.mark.parametrize("name", BUILT_IN)
def test_theta_0_is_the_identity(name):
    transformation = get_transformation(name)
    identity = transformation.matrix(tf.zeros([1, transformation.size]))
    np.testing.assert_array_equal(identity, np.eye(3)[np.newaxis])


@pytest.mark.parametrize("name", BUILT_IN)
def test_canonical_coordinates_obey_equation_5(name):
    transformation = get_transformation(name)
    theta = draw(transformation)
    points = away_from_axes((20, 7))
    moved = apply_matrix(transformation.matrix(theta), tf.constant(points))
    change = transformation.coordinates(moved) - transformation.coordinates(tf.constant(points))
    np.testing.assert_allclose(wrap(change - theta[:, tf.newaxis], transformation), 0.0, atol=1e-9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_composition_and_inverse_are_those_of_the_matrices(name):
    transformation = get_transformation(name)
    first, second = draw(transformation), draw(transformation, seed=1)
    product = np.matmul(transformation.matrix(first), transformation.matrix(second))
    np.testing.assert_allclose(transformation.matrix(transformation.compose(first, second)), product, atol=1e-9)
    inverse = transformation.matrix(transformation.inverse(first))
    np.testing.assert_allclose(inverse, np.linalg.inv(transformation.matrix(first)), atol=1e-9)


def test_rotation_turns_right_to_down():
    matrix = get_transformation("rotation").matrix(tf.constant([[np.pi / 2]], tf.float64))
    np.testing.assert_allclose(apply_matrix(matrix, tf.constant([[1.0, 0.0]], tf.float64)), [[[0.0, 1.0]]], atol=1e-12)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if get_transformation(name).affine])
def test_pose_of_an_ellipse_is_equivariant(name):
    """The Gaussian N(c, C) becomes N(A c + b, A C A^T), and its pose that of T_theta T_pose."""
    transformation, generator = get_transformation(name), np.random.default_rng(2)
    theta = draw(transformation)
    mean, root = generator.uniform(-0.2, 0.2, (20, 2)), generator.uniform(-0.2, 0.2, (20, 2, 2)) + 0.3 * np.eye(2)
    covariance = root @ np.swapaxes(root, 1, 2)
    matrix = transformation.matrix(theta).numpy()
    moved_mean = np.einsum("bij,bj->bi", matrix[:, :2, :2], mean) + matrix[:, :2, 2]
    moved_covariance = matrix[:, :2, :2] @ covariance @ np.swapaxes(matrix[:, :2, :2], 1, 2)
    free = ~np.array(transformation.periodic)
    poses = [
        transformation.pose_of_ellipse(Ellipse(*map(tf.constant, (*c.T, s[:, 0, 0], s[:, 0, 1], s[:, 1, 1]))))
        for c, s in ((mean, covariance), (moved_mean, moved_covariance))
    ]
    expected = transformation.compose(theta, poses[0]).numpy()
    np.testing.assert_allclose(poses[1].numpy()[:, free], expected[:, free], atol=1e-9)
    np.testing.assert_array_equal(poses[1].numpy()[:, ~free], 0.0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_coordinates_have_finite_gradients_at_the_centre(name):
    points = tf.zeros([1, 2])
    with tf.GradientTape() as tape:
        tape.watch(points)
        total = tf.reduce_sum(get_transformation(name).coordinates(points))
    assert np.isfinite(tape.gradient(total, points)).all()


def test_unknown_and_taken_names_are_refused():
    with pytest.raises(InputError, match=r"transformation must be one of .*rotation.*, not 'twist'"):
        get_transformation("twist")

    @dataclasses.dataclass(frozen=True)
    class Again(Transformation):
        name: str = "rotation"
        parameters: tuple[Parameter, ...] = (Parameter("angle", "radians", -1.0, 1.0, True),)

    with pytest.raises(InputError, match="transformation must have a new name, not 'rotation'"):
        register_transformation(Again())
