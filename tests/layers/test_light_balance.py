"""Balanced poses: integrals over un-posed light, and the root that a transformation's moments have."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfgalaxy.layers import Parameter, RotationScale, Transformation, Translation, get_transformation, image_points
from tfgalaxy.layers.light_balance import balanced_pose, unposed_light

POINTS = image_points(64, 64).astype(np.float32)
CENTRES = np.array([[0.05, -0.02], [-0.1, 0.05], [0.0, 0.1], [0.15, 0.1]])


def light_of(centres, matrix=None):
    """A core in the middle and a blob at each centre, transformed by a matrix [B, 3, 3]: exact light [B, N]."""
    count = len(centres)
    inverse = np.linalg.inv(np.tile(np.eye(3), (count, 1, 1)) if matrix is None else matrix)
    original = np.einsum("bij,nj->bni", inverse, np.concatenate([POINTS, np.ones((4096, 1))], axis=1))
    original = original[..., :2] / original[..., 2:]
    core = np.exp(-0.5 * np.sum(original**2, axis=-1) / 0.15**2)
    blob = np.exp(-0.5 * np.sum((original - np.asarray(centres)[:, np.newaxis]) ** 2, axis=-1) / 0.1**2)
    return tf.constant(core + 0.5 * blob, tf.float32)


def projective(seed=0):
    """Shears, scales, shifts and perspectives at once, [4, 3, 3]."""
    generator = np.random.default_rng(seed)
    matrix = np.tile(np.eye(3), (4, 1, 1))
    matrix[:, :2, :2] += generator.uniform(-0.2, 0.2, (4, 2, 2))
    matrix[:, :2, 2] = generator.uniform(-0.1, 0.1, (4, 2))
    matrix[:, 2, :2] = generator.uniform(-0.2, 0.2, (4, 2))
    return matrix


def test_integrals_over_unposed_light_do_not_depend_on_the_pose():
    matrix = projective()
    light, points = unposed_light(tf.constant(matrix, tf.float32), light_of(CENTRES, matrix), POINTS)
    plain = light_of(CENTRES).numpy()
    for function in (lambda u: np.ones(u.shape[:-1]), lambda u: u[..., 0] ** 2, lambda u: u[..., 1] - u[..., 0] ** 3):
        expected = np.sum(plain * function(POINTS), axis=-1)
        np.testing.assert_allclose(np.sum(light * function(points.numpy()), axis=-1), expected, atol=0.01 * plain.sum())
        # The control: without the Jacobian they differ.
    without = np.sum(light_of(CENTRES, matrix), axis=-1)
    assert np.abs(without / plain.sum(axis=-1) - 1).max() > 0.05


def test_there_is_no_light_behind_the_horizon():
    matrix = np.eye(3, dtype=np.float32)[np.newaxis].copy()
    matrix[0, 2, 0] = 2.0  # u = x / (1 - 2 x)
    light, points = unposed_light(tf.constant(matrix), tf.ones([1, 4096]), POINTS)
    behind = POINTS[:, 0] > 0.5
    np.testing.assert_array_equal(light.numpy()[0, behind], 0.0)
    assert np.isfinite(light).all()
    assert np.isfinite(points).all()


def test_perspective_balances_the_light():
    """At the solution the mean of u_x over the un-posed image is 0; checked by sampling the light anew in float64."""
    transformation = get_transformation("perspective_x")
    theta, variance = balanced_pose(transformation, light_of(CENTRES), POINTS)
    view = light_of(CENTRES, np.linalg.inv(transformation.matrix(tf.cast(theta, tf.float64))))  # phi(T_theta u)
    weights = view.numpy() * np.exp(-0.5 * np.sum(POINTS**2, axis=-1) / 0.3**2)
    np.testing.assert_allclose(weights @ POINTS[:, 0] / weights.sum(axis=-1), 0.0, atol=2e-4)
    # A blob at the right asks for a map that shrinks the right.
    assert np.array_equal(np.sign(theta.numpy()[[0, 1, 3], 0]), -np.sign(CENTRES[[0, 1, 3], 0]))
    assert np.all(variance > 0)


def test_its_gradient_is_that_of_the_solution():
    transformation, light = get_transformation("perspective_y"), light_of(CENTRES)
    change = light * tf.random.stateless_normal(light.shape, [0, 0])
    with tf.GradientTape() as tape:
        tape.watch(light)
        theta, _ = balanced_pose(transformation, light, POINTS)
        total = tf.reduce_sum(theta)
    analytic = tf.reduce_sum(tape.gradient(total, light) * change, axis=-1)
    ends = [balanced_pose(transformation, light + step * change, POINTS)[0][:, 0] for step in (0.05, -0.05)]
    np.testing.assert_allclose(analytic, (ends[0] - ends[1]) / 0.1, rtol=0.03, atol=1e-3)


@dataclasses.dataclass(frozen=True)
class PlainTranslation(Transformation):
    """A translation that states nothing but what it must: rho are its moments."""

    name: str = "plain_translation"
    parameters: tuple[Parameter, ...] = Translation().parameters

    def matrix(self, theta):
        return Translation().matrix(theta)

    def coordinates(self, points):
        return points


def test_rho_are_the_moments_unless_others_are_given():
    shift = np.array([[0.05, -0.05], [0.1, 0.0], [-0.08, 0.03], [0.02, 0.07]])
    matrix = np.tile(np.eye(3), (4, 1, 1))
    matrix[:, :2, 2] = shift
    before, _ = balanced_pose(PlainTranslation(), light_of(CENTRES), POINTS)
    after, _ = balanced_pose(PlainTranslation(), light_of(CENTRES, matrix), POINTS)
    np.testing.assert_allclose(after - before, shift, atol=1e-3)


@dataclasses.dataclass(frozen=True)
class PlainRotationScale(RotationScale):
    """Rotation and scale by moments: the angle's is not used."""

    name: str = "plain_rotation_scale"
    pose_of_ellipse = Transformation.pose_of_ellipse

    def moments(self, points):
        squared = tf.reduce_sum(tf.square(points), axis=-1)
        return tf.stack([tf.ones_like(squared), squared - 0.03], axis=-1)


def test_angles_stay_0_and_a_scale_is_found():
    theta = tf.constant([[1.0, 0.1], [2.0, -0.1], [-1.0, 0.15], [0.3, -0.2]])
    matrix = RotationScale().matrix(tf.cast(theta, tf.float64)).numpy()
    before, _ = balanced_pose(PlainRotationScale(), light_of(CENTRES), POINTS)
    after, _ = balanced_pose(PlainRotationScale(), light_of(CENTRES, matrix), POINTS)
    np.testing.assert_array_equal(after[:, 0], 0.0)
    np.testing.assert_allclose(after[:, 1] - before[:, 1], theta[:, 1], atol=2e-3)
