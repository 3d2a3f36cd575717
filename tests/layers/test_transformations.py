"""Each transformation obeys equation (5), its group law and its inverse, by its matrix."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.layers import (
    Parameter,
    Transformation,
    apply_matrix,
    get_transformation,
    register_transformation,
    transformation_names,
)

BUILT_IN = ("rotation", "rotation_scale", "scale", "translation")


def draw(transformation, count=20, seed=0):
    low = [parameter.low for parameter in transformation.parameters]
    high = [parameter.high for parameter in transformation.parameters]
    return tf.constant(np.random.default_rng(seed).uniform(low, high, (count, len(low))))


def wrap(difference, transformation):
    """Angles modulo 2 pi."""
    difference = np.asarray(difference)
    return np.where(transformation.periodic, np.mod(difference + np.pi, 2 * np.pi) - np.pi, difference)


def test_registry_names():
    assert set(BUILT_IN) <= set(transformation_names())


@pytest.mark.parametrize("name", BUILT_IN)
def test_canonical_coordinates_obey_equation_5(name):
    transformation = get_transformation(name)
    theta = draw(transformation)
    points = np.random.default_rng(1).uniform(-1, 1, (20, 7, 2))
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
