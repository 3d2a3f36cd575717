"""Equivariant Transformers: self-consistency against a control, canonical views, warps back, gradients.

The images are sums of blobs known at every point, so that errors are the layers' and not those of a resampled test
image.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from smooth_images import angle_error, draw, random_blobs, similarity, wrapped

from tfgalaxy.errors import InputError
from tfgalaxy.layers import (
    CanonicalResampling,
    EquivariantTransformer,
    EquivariantTransformerSequence,
    apply_sparse,
    get_transformation,
    polar_points,
    pose_distribution,
    sparse_sampling_matrix,
    transformation_names,
    turn,
)

BLOBS = random_blobs(48)
GENERATOR = np.random.default_rng(7)
ANGLE = GENERATOR.uniform(-np.pi, np.pi, 48)
LOG_SCALE = GENERATOR.uniform(-0.2, 0.2, 48)
SHIFT = GENERATOR.uniform(-0.1, 0.1, (48, 2))


def polar_view(images, radii=32, angles=64):
    view = apply_sparse(sparse_sampling_matrix(polar_points(radii, angles), 64, 64), tf.constant(images))
    return tf.reshape(view, [-1, radii, angles, 3])


def test_untrained_rotation_is_self_consistent():
    layer = EquivariantTransformer("rotation")
    error = angle_error(lambda images: layer.pose(images).mean.numpy()[:, 0])
    # Measured: 0.002 mean, 0.001 median. A grid's step is 0.1.
    assert error.mean() < 0.01
    assert np.median(error) < 0.005


def test_a_constant_angle_is_not_self_consistent():
    error = angle_error(lambda images: np.zeros(len(images)))
    assert 1.2 < error.mean() < 1.9


FREE = [name for name in transformation_names() if name != "rotation"]


@pytest.mark.parametrize("name", FREE)
def test_untrained_layers_are_self_consistent(name):
    layer = EquivariantTransformer(name)
    low, high = ([getattr(one, end) for one in layer.parameters] for end in ("low", "high"))
    theta = np.random.default_rng(0).uniform(low, high, (48, len(low)))
    matrix = layer.transformation.matrix(tf.constant(theta)).numpy()
    change = layer.pose(draw(BLOBS, matrix=matrix)).mean - layer.pose(draw(BLOBS)).mean
    error = np.abs(np.where(layer.periodic, wrapped(change - theta), change - theta)).mean(axis=0)
    # Measured: at most 0.003, and 0.011 for the angle of rotation_scale.
    assert np.all(error < np.where(layer.periodic, 0.03, 0.006))
    assert np.all(np.abs(theta).mean(axis=0) > 0.04)  # a constant predictor's


def test_translation_turns_with_the_image():
    layer = EquivariantTransformer("translation")
    turned = layer.pose(draw(BLOBS, linear=similarity(ANGLE))).mean
    expected = np.einsum("bij,bj->bi", similarity(ANGLE), layer.pose(draw(BLOBS)).mean)
    assert 32 * np.linalg.norm(turned - expected, axis=-1).mean() < 0.02


@pytest.mark.parametrize("name", ["scale", "shear_x", "hyperbolic_rotation"])
def test_translation_follows_affine_maps(name):
    """So that in a sequence what comes after it sees the same middle of a galaxy, however large or flat it appears."""
    layer, transformation = EquivariantTransformer("translation"), get_transformation(name)
    matrix = transformation.matrix(tf.constant(LOG_SCALE[:, np.newaxis])).numpy()
    matrix[:, :2, 2] = SHIFT
    moved = layer.pose(draw(BLOBS, matrix=matrix)).mean
    expected = np.einsum("bij,bj->bi", matrix[:, :2, :2], layer.pose(draw(BLOBS)).mean) + SHIFT
    assert 32 * np.linalg.norm(moved - expected, axis=-1).mean() < 0.02


def test_sequence_of_translation_and_rotation_scale_is_self_consistent():
    layer = EquivariantTransformerSequence(["translation", "rotation_scale"])
    linear = similarity(ANGLE, LOG_SCALE)
    first, second = layer.pose(draw(BLOBS)), layer.pose(draw(BLOBS, linear=linear, shift=SHIFT))
    error = np.abs(wrapped(second.mean[:, 2] - first.mean[:, 2] - ANGLE))
    # Measured with different seeds: 0.01 to 0.06 mean, 0.006 to 0.03 median. About the middle of its light an image has
    # little left that distinguishes one side from the other, so that one image in 50 may jump.
    assert error.mean() < 0.1
    assert np.median(error) < 0.03
    transformation = np.tile(np.eye(3), (48, 1, 1))
    transformation[:, :2, :2], transformation[:, :2, 2] = linear, SHIFT
    # The composed matrix of the transformed image is T times that of the image.
    expected = transformation @ first.matrix.numpy()
    assert np.median(np.abs(second.matrix - expected)) < 0.01


def test_canonical_views_of_transformed_copies_agree():
    layer = EquivariantTransformerSequence(["translation", "rotation_scale"])
    first = layer(draw(BLOBS)).numpy()[:, 16:48, 16:48]
    second = layer(draw(BLOBS, linear=similarity(ANGLE, LOG_SCALE), shift=SHIFT)).numpy()[:, 16:48, 16:48]
    unaligned = np.abs(first - np.roll(first, 1, axis=0)).mean()
    assert np.abs(first - second).mean() < 0.15 * unaligned


@pytest.mark.parametrize(
    "names",
    [
        ["rotation"],
        ["translation", "rotation"],
        ["translation", "rotation_scale"],
        ["scale", "perspective_x"],
        ["perspective_y", "shear_x"],
    ],
)
def test_initial_matrix_gives_the_pose_of_the_view(names):
    """Predicted through a pose augmentation's matrix, the pose is that of the augmented image itself."""
    layer = EquivariantTransformerSequence(names)
    linear = similarity(ANGLE, LOG_SCALE)
    view = draw(BLOBS, linear=linear, shift=SHIFT)  # view(x) = image(T^-1 x)
    inverse = np.tile(np.eye(3), (48, 1, 1))
    inverse[:, :2, :2] = np.linalg.inv(linear)
    inverse[:, :2, 2] = -np.einsum("bij,bj->bi", inverse[:, :2, :2], SHIFT)
    direct = layer.canonical_polar(tf.constant(view), 32, 64)
    through = layer.canonical_polar(tf.constant(draw(BLOBS)), 32, 64, initial_matrix=tf.constant(inverse, tf.float32))
    error = wrapped(direct[1].mean.numpy() - through[1].mean.numpy())
    assert np.abs(error).mean() < 0.03
    assert np.abs(direct[0] - through[0])[:, :16].mean() < 0.02


@pytest.mark.parametrize("names", [["translation"], ["shear_y", "perspective_x"], ["hyperbolic_rotation"]])
def test_the_view_may_be_in_perspective(names):
    layer = EquivariantTransformerSequence(names)
    matrix = np.tile(np.eye(3), (48, 1, 1))
    matrix[:, 2, :2] = SHIFT * 2
    direct = layer.pose(draw(BLOBS, matrix=matrix))
    through = layer.pose(draw(BLOBS), tf.constant(np.linalg.inv(matrix), tf.float32))
    error = np.abs(direct.mean - through.mean).mean()
    assert error < 0.002
    # The control: the poses of the image itself are others.
    assert np.abs(direct.mean - layer.pose(draw(BLOBS)).mean).mean() > 10 * error


def test_steps_see_the_image_unposed_by_the_steps_before():
    layer = EquivariantTransformerSequence(["perspective_x", "scale_y"])
    pose = layer.pose(draw(BLOBS))
    first, second = layer.steps
    # Un-posed exactly, not resampled.
    unposed = draw(BLOBS, matrix=np.linalg.inv(first.pose(draw(BLOBS)).matrix.numpy().astype(np.float64)))
    assert np.abs(pose.mean[:, 1] - second.pose(unposed).mean[:, 0]).mean() < 0.003
    assert np.abs(pose.mean[:, 1] - second.pose(draw(BLOBS)).mean[:, 0]).mean() > 0.01  # a control
    product = first.transformation.matrix(pose.mean[:, :1]) @ second.transformation.matrix(pose.mean[:, 1:])
    np.testing.assert_allclose(pose.matrix, product, atol=1e-5)


def test_canonical_polar_of_rotation_is_the_turned_polar_view():
    layer = EquivariantTransformerSequence(["rotation"], oversampling=1)
    view, pose = layer.canonical_polar(tf.constant(draw(BLOBS)), 32, 64)
    np.testing.assert_allclose(view, turn(polar_view(draw(BLOBS)), -pose.mean[:, 0]), atol=1e-5)
    plain, _ = EquivariantTransformerSequence([], oversampling=1).canonical_polar(tf.constant(draw(BLOBS)), 32, 64)
    np.testing.assert_allclose(plain, polar_view(draw(BLOBS)), atol=1e-5)


@pytest.mark.parametrize(
    "names",
    [[], ["rotation"], ["translation", "rotation"], ["translation", "rotation_scale"], ["shear_x", "perspective_y"]],
)
def test_image_from_canonical_polar_puts_the_pose_back(names):
    layer = EquivariantTransformerSequence(names)
    images = draw(BLOBS, linear=similarity(ANGLE), shift=SHIFT / 4)
    polar, pose = layer.canonical_polar(tf.constant(images), 48, 128, maximum_radius=1.2)
    back = layer.image_from_canonical_polar(polar, 1.2, pose)
    middle = np.abs(back - images)[:, 12:52, 12:52]
    assert middle.mean() < 0.01
    # The control: without the pose it is another image.
    if names:
        canonical = layer.image_from_canonical_polar(polar, 1.2)
        assert np.abs(canonical - images)[:, 12:52, 12:52].mean() > 4 * middle.mean()


@pytest.mark.parametrize("name", transformation_names())
def test_inverse_puts_the_pose_back(name):
    layer = EquivariantTransformer(name)
    images = draw(BLOBS)
    back = layer.inverse(layer(images), layer.pose(images)).numpy()
    assert np.abs(back - images)[:, 12:52, 12:52].mean() < 0.01


@pytest.mark.parametrize("name", transformation_names())
def test_gradients_of_view_and_pose_are_finite(name):
    layer, images = EquivariantTransformer(name, return_pose=True), tf.constant(draw(BLOBS)[:4])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        view, mean, concentration = layer(images)
        # The plain sum of a view does not depend on its pose.
        totals = [tf.reduce_sum(tf.square(view)), tf.reduce_sum(mean), tf.reduce_sum(tf.math.log(concentration))]
    for total in totals:
        gradient = tape.gradient(total, images)
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("name", transformation_names())
def test_pose_distribution_is_finite_and_highest_at_the_mean(name):
    layer = EquivariantTransformer(name)
    pose = layer.pose(draw(BLOBS)[:4])
    distribution = pose_distribution(pose.mean, pose.concentration, layer.periodic)
    at_mean = distribution.log_prob(tf.unstack(pose.mean, axis=-1))
    assert np.isfinite(at_mean).all()
    assert np.all(at_mean > distribution.log_prob(tf.unstack(pose.mean + 0.1, axis=-1)))


@pytest.mark.parametrize("names", [["rotation"], ["translation", "rotation_scale"]])
def test_gradients_reach_images_and_all_weights(names):
    layer = EquivariantTransformerSequence(names)
    images = tf.constant(draw(BLOBS)[:4])
    with tf.GradientTape() as tape:
        tape.watch(images)
        polar, pose = layer.canonical_polar(images, 16, 32)
        total = tf.reduce_sum(tf.square(layer.image_from_canonical_polar(tf.sin(3 * polar), 1.0, pose)))
        weights = layer.trainable_variables
    variables = [getattr(weight, "value", weight) if keras.__version__ >= "3" else weight for weight in weights]
    for gradient in tape.gradient(total, [images, *variables]):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_pose_reports_mean_and_concentration_with_units():
    layer = EquivariantTransformerSequence(["translation", "rotation_scale"], return_pose=True)
    view, mean, concentration = layer(draw(BLOBS))
    assert view.shape == (48, 64, 64, 3)
    assert mean.shape == concentration.shape == (48, 4)
    assert np.all(concentration.numpy() > 0)
    assert layer.periodic == (False, False, True, False)
    assert [parameter.unit for parameter in layer.parameters][2] == "radians"


def test_resampling_with_matrices_is_that_of_the_moved_image():
    layer = CanonicalResampling(16, 32, 0.6)
    matrices = np.tile(np.eye(3), (48, 1, 1)).astype(np.float32)
    matrices[:, :2, :2] = similarity(-ANGLE)
    through = layer(draw(BLOBS), matrices)
    np.testing.assert_allclose(through, layer(draw(BLOBS, linear=similarity(ANGLE))), atol=0.06)
    np.testing.assert_allclose(layer(draw(BLOBS), tf.eye(3, batch_shape=[48])), layer(draw(BLOBS)), atol=1e-4)


def test_log_polar_view_moves_along_the_radius_with_scale():
    layer = CanonicalResampling(40, 32, 1.0, minimum_radius=0.1, spacing="log-polar")
    step = np.log(10.0) / 40
    grown = layer(draw(BLOBS, linear=similarity(np.zeros(48), 2 * step))).numpy()
    np.testing.assert_allclose(grown[:, 2:30], layer(draw(BLOBS)).numpy()[:, :28], atol=0.05)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EquivariantTransformer("twist"), "transformation must be one of"),
        (lambda: EquivariantTransformerSequence("rotation"), "transformations must be a list of names"),
        (lambda: EquivariantTransformerSequence(["twist"]), "transformation must be one of"),
        (lambda: EquivariantTransformerSequence([], oversampling=0), "oversampling must be at least 1, not 0"),
        (lambda: CanonicalResampling(angles=5), "angles must be even and positive, not 5"),
        (lambda: CanonicalResampling(radii=0), "radii must be at least 1, not 0"),
        (lambda: CanonicalResampling(maximum_radius=0.0), "maximum_radius must be positive, not 0"),
        (lambda: CanonicalResampling(spacing="square"), "spacing must be polar or log-polar, not 'square'"),
        (
            lambda: CanonicalResampling(spacing="log-polar", minimum_radius=2.0),
            r"minimum_radius must lie between 0 and maximum_radius \(1.0\), not 2.0",
        ),
        (
            lambda: EquivariantTransformer("rotation").build((None, None, 64, 3)),
            r"input shape must be \[batch, height, width, channels\] with known sizes",
        ),
        (
            lambda: EquivariantTransformerSequence([]).image_from_canonical_polar(tf.zeros([1, 4, 8, 1])),
            "the layer must be built, not False",
        ),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def _damaged_images():
    """What broken surveys hold: nothing, one level, a strip along each edge, one bright pixel, half an image."""
    images = np.zeros((9, 64, 64, 3), np.float32)
    images[1] = 0.5
    images[2, :3, :50] = np.random.default_rng(5).uniform(0.3, 0.8, (3, 50, 3))
    images[3, -3:], images[4, :, :3], images[5, :, -3:] = 0.6, 0.6, 0.6
    images[6, 0, 63], images[7, :, 40:], images[8, ::2] = 1.0, 0.4, 0.3
    return tf.constant(images)


@pytest.mark.parametrize("name", [*transformation_names(), "translation, rotation_scale"])
def test_damaged_images_have_finite_poses_and_gradients(name):
    layer = EquivariantTransformerSequence(name.split(", "))
    images = _damaged_images()
    with tf.GradientTape() as tape:
        tape.watch(images)
        pose = layer.pose(images)
        view = layer(images)
        loss = tf.reduce_mean(view) + tf.reduce_mean(pose.matrix)
    assert np.isfinite(pose.mean).all()
    assert np.isfinite(pose.concentration).all()
    assert np.isfinite(view).all()
    # In views that are turned, magnified and moved, an ellipse of such light may become a line.
    random, count = np.random.default_rng(6), 32 * len(images)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    matrices[:, :2, :2] = similarity(random.uniform(-np.pi, np.pi, count), random.uniform(-0.3, 0.3, count))
    matrices[:, :2, 2] = random.uniform(-0.05, 0.05, (count, 2))
    moved = layer.pose(tf.repeat(images, 32, axis=0), tf.constant(matrices, tf.float32))
    assert np.isfinite(moved.mean).all()
    # The centre of a view that is looked for beyond the image would be one of sky alone.
    assert np.abs(np.asarray(pose.matrix)[:, :2, 2]).max() <= 1.5
    for gradient in tape.gradient(loss, [images, *layer.trainable_variables]):
        assert gradient is None or np.isfinite(gradient).all()
