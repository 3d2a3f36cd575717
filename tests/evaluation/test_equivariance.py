"""Equivariance errors of predictors whose errors are known, on Gaussians whose centroids are exact."""

import dataclasses
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import equivariance_error
from tfgalaxy.evaluation.equivariance import summarise
from tfgalaxy.evaluation.pose_composition import composed_pose, pose_matrix, resolve_transformations, unexplained
from tfgalaxy.layers import EquivariantTransformer, EquivariantTransformerSequence, Parameter, Transformation


def gaussians(count=12, size=64, spread=1.0, height=None):
    """One off-centre Gaussian per colour; in half-widths of a picture `1 / spread` times as wide as the galaxy's."""
    generator = np.random.default_rng(0)
    centres = spread * generator.uniform(-0.25, 0.25, (count, 2, 1, 1, 2))
    centres[:, 0, ..., 0] += 0.25 * spread  # the two colours are never at the same place
    x = (2 * np.arange(size) + 1) / size - 1
    y = (2 * np.arange(height or size) + 1) / (height or size) - 1
    y = y * ((height or size) / size)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    light = np.exp(-0.5 * np.sum((points - centres) ** 2, axis=-1) / (0.09 * spread) ** 2)
    return np.moveaxis(light, 1, -1).astype(np.float32)


def centroids(images):
    """The mean (x, y) of each colour's light, [B, C, 2]: under a bilinear shift it moves by exactly the shift."""
    images = np.asarray(images, np.float64)
    axis = (2 * np.arange(images.shape[1]) + 1) / images.shape[1] - 1
    x, y = np.meshgrid(axis, axis)
    total = images.sum(axis=(1, 2))
    return np.stack([(images * p[..., np.newaxis]).sum(axis=(1, 2)) / total for p in (x, y)], axis=-1)


def centre(images):
    return centroids(images)[:, 0]


def direction(images):
    x, y = centre(images).T
    return np.arctan2(y, x)


def similarity_pose(images):
    """Shift, angle and log-scale of the frame that stands on the first colour and points to the second."""
    first, second = np.moveaxis(centroids(images), 1, 0)
    x, y = (second - first).T
    return np.column_stack([first, np.arctan2(y, x), np.log(np.hypot(x, y))])


def zeros(size):
    return lambda images: np.zeros([len(images), size])


def test_an_exact_centroid_has_no_error_under_translation():
    result = equivariance_error(centre, gaussians(), "translation", draws=3)
    assert [row.name for row in result.parameters] == ["x", "y"]
    assert result.errors.shape == (36, 2)
    assert np.abs(result.errors).max() < 1e-5
    assert result.parameter("y").error.mean < 1e-5 < result.parameter("y").control.median
    assert result.parameter("x").unit == "half-widths"


def test_pictures_are_transformed_in_half_widths_of_the_crop():
    images = gaussians(size=256, spread=0.5)
    for prepare, fraction in ((Preprocessing(64, 1, 0.5), 1.0), (lambda p: p[:, 64:192, 64:192], 0.5)):
        first = images[..., :1]  # the preprocessing's one channel
        result = equivariance_error(centre, list(first), "translation", prepare=prepare, crop_fraction=fraction)
        assert np.abs(result.errors).max() < 1e-4
    # Told that the crop is the whole picture, pictures move by twice theta: what is missed is theta, as by chance.
    result = equivariance_error(centre, list(first), "translation", prepare=prepare, crop_fraction=1.0)
    row = result.parameter("x")
    assert row.error.mean == pytest.approx(row.control.mean, rel=0.05)


def test_a_picture_need_not_be_square():
    wide = np.swapaxes(gaussians(size=256, spread=0.5, height=320), 1, 2)[..., :1]
    result = equivariance_error(centre, wide, "translation", prepare=Preprocessing(64, 1, 0.5), draws=1)
    assert np.abs(result.errors).max() < 1e-4
    result = equivariance_error(direction, wide, "rotation", prepare=Preprocessing(64, 1, 0.5), draws=1)
    assert np.abs(result.errors).max() < 1e-2


def test_angles_are_compared_on_the_circle():
    images = gaussians(size=128)
    result = equivariance_error(direction, images, "rotation", draws=4)
    assert np.abs(result.errors).max() < 1e-3
    backwards = equivariance_error(lambda x: -direction(x), images, "rotation", draws=4)
    doubled = np.abs(np.angle(np.exp(2j * backwards.theta)))
    assert backwards.parameter("angle").error.mean == pytest.approx(doubled.mean(), abs=1e-3)
    assert np.abs(backwards.errors).max() <= np.pi


@pytest.mark.parametrize("names", ["rotation", "translation", ["translation", "rotation_scale"]])
def test_a_constant_predictor_gives_the_control(names):
    steps = resolve_transformations(names)
    result = equivariance_error(zeros(sum(step.size for step in steps)), gaussians(), names, draws=5)
    for column, row in enumerate(result.parameters):
        assert row.error.mean == pytest.approx(row.control.mean, abs=1e-6)
        assert row.error.p95 == pytest.approx(row.control.p95, abs=1e-6)
        assert row.control.median == pytest.approx(np.median(np.abs(result.theta[:, column])))


def test_a_gain_misses_by_its_share_of_theta():
    result = equivariance_error(lambda images: 1.2 * centre(images), gaussians(), "translation", draws=2)
    for row in result.parameters:
        assert row.error.mean == pytest.approx(0.2 * row.control.mean, rel=1e-3)
        assert row.error.p95 == pytest.approx(0.2 * row.control.p95, rel=1e-3)


def test_mean_median_and_p95_of_known_errors():
    before = np.array([[0.5], [3.0], [-1.0], [0.0], [2.0]])
    theta = np.array([[0.1], [1.0], [-2.5], [3.0], [-2.0]])
    error = np.array([[0.1], [-0.2], [0.4], [0.0], [-0.8]])
    after = before + theta + error + 2 * np.pi * np.array([[0], [-1], [1], [0], [3]])
    result = summarise(resolve_transformations("rotation"), theta, before, after)
    np.testing.assert_allclose(result.errors, error, atol=1e-6)
    row = result.parameter("angle")
    assert row.error.mean == pytest.approx(0.3, abs=1e-6)
    assert row.error.median == pytest.approx(0.2, abs=1e-6)
    assert row.error.p95 == pytest.approx(0.72, abs=1e-6)  # 0.4 + 0.8 (0.8 - 0.4): 0.95 of the way over 4 steps
    assert row.control.mean == pytest.approx(1.72, abs=1e-6)


def test_noise_of_a_predictor_is_its_error():
    generator = np.random.default_rng(0)

    def noisy(images):
        return centre(images) + generator.normal(0, 0.01, (len(images), 2))

    row = equivariance_error(noisy, gaussians(200, 16), "translation", draws=4).parameter("x")
    # The difference of two normal numbers: standard deviation 0.0141, mean size 0.0113, median 0.0095.
    assert row.error.mean == pytest.approx(0.01 * np.sqrt(2) * np.sqrt(2 / np.pi), rel=0.1)
    assert row.error.median == pytest.approx(0.01 * np.sqrt(2) * 0.6745, rel=0.1)


def test_pose_of_a_transformed_image_in_a_sequence():
    steps = resolve_transformations(["translation", "rotation_scale"])
    generator = np.random.default_rng(0)
    theta, pose = generator.uniform(-1, 1, (2, 50, 4)) * [0.2, 0.2, np.pi, 0.3]
    factor = np.exp(theta[:, 3] + 1j * theta[:, 2])
    shift = (theta[:, 0] + 1j * theta[:, 1]) + factor * (pose[:, 0] + 1j * pose[:, 1])
    expected = np.column_stack([shift.real, shift.imag, theta[:, 2:] + pose[:, 2:]])
    found = composed_pose(steps, theta, pose)
    np.testing.assert_allclose(np.exp(1j * found[:, 2]), np.exp(1j * expected[:, 2]), atol=1e-5)
    np.testing.assert_allclose(found[:, [0, 1, 3]], expected[:, [0, 1, 3]], atol=1e-5)
    assert unexplained(steps, theta, pose, found).max() < 1e-5


@pytest.mark.core
def test_a_sequence_of_exact_estimates_has_no_error():
    result = equivariance_error(similarity_pose, gaussians(size=128), ["translation", "rotation_scale"], draws=2)
    assert [(row.transformation, row.name) for row in result.parameters] == [
        ("translation", "x"),
        ("translation", "y"),
        ("rotation_scale", "angle"),
        ("rotation_scale", "log_scale"),
    ]
    assert np.abs(result.errors).max() < 5e-3
    assert result.unexplained < 1e-5


@dataclasses.dataclass(frozen=True)
class Stretch(Transformation):
    """x is multiplied by a factor: a law that is no sum."""

    name: str = "stretch"
    parameters: tuple = (Parameter("factor", "times", 0.8, 1.25),)

    def matrix(self, theta):
        zero, one = tf.zeros_like(theta[:, 0]), tf.ones_like(theta[:, 0])
        rows = [theta[:, 0], zero, zero, zero, one, zero, zero, zero, one]
        return tf.reshape(tf.stack(rows, axis=-1), [-1, 3, 3])

    def compose(self, first, second):
        return first * second


def test_the_groups_own_law_is_used():
    result = equivariance_error(lambda images: centre(images)[:, :1], gaussians(), Stretch(), draws=2)
    assert np.abs(result.errors).max() < 1e-3
    steps, theta, pose = (Stretch(),), np.array([[1.2]]), np.array([[0.9]])
    np.testing.assert_allclose(composed_pose(steps, theta, pose), [[1.08]], rtol=1e-6)


def test_what_no_pose_of_the_sequence_expresses_is_reported():
    steps = (*resolve_transformations("rotation"), Stretch())
    theta, pose = np.array([[0.4, 1.2]]), np.array([[0.5, 1.1]])
    found = composed_pose(steps, theta, pose)
    rest = unexplained(steps, theta, pose, found)
    assert rest[0] > 0.01
    for step in 0.02 * np.concatenate([np.eye(2), -np.eye(2)]):  # no neighbour is nearer
        assert unexplained(steps, theta, pose, found + step)[0] > rest[0]
    result = summarise(steps, theta, pose, found)
    assert result.unexplained == pytest.approx(rest[0])
    assert "no such poses" in rendered(result)
    exact = pose_matrix(steps, theta) @ pose_matrix(steps, pose)
    assert np.abs(exact - pose_matrix(steps, found)).max() > 0.01


def rendered(result):
    console = Console(file=io.StringIO(), width=100)
    console.print(result.table())
    return " ".join(console.file.getvalue().split())


def test_whatever_returns_a_pose_can_be_tested():
    images = gaussians(4, 32)
    inputs = keras.Input((32, 32, 2))
    angle = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    forms = [
        keras.Model(inputs, angle),
        keras.Model(inputs, [inputs, angle, angle]),
        lambda x: (direction(x), np.ones(len(x))),
        lambda x: {"pose": direction(x)[:, np.newaxis]},
    ]
    for form in forms:
        assert equivariance_error(form, images, "rotation").errors.shape == (8, 1)


@pytest.mark.core
def test_layers_know_their_transformations(tmp_path):
    images = gaussians(4, 32)
    layer = EquivariantTransformer("rotation", radii=8, angles=32)
    calls = []
    result = equivariance_error(layer, images, progress=lambda done, total: calls.append((done, total)), draws=2)
    assert calls == [(4, 8), (8, 8)]
    assert result.parameter("angle").error.mean < 0.1 < result.parameter("angle").control.mean
    sequence = EquivariantTransformerSequence(["translation", "rotation"], radii=8, angles=32)
    assert len(equivariance_error(sequence, images).parameters) == 3
    result.to_json(tmp_path / "error.json")
    record = json.loads((tmp_path / "error.json").read_text())
    assert record == result.to_dict()
    assert record["parameters"][0]["error"]["p95"] == result.parameters[0].error.p95
    text = rendered(result)
    assert f"rotation angle radians {result.parameters[0].error.mean:.4f}" in text
    assert f"{result.parameters[0].control.mean:.4f}" in text


def test_the_seed_decides():
    images = gaussians(4, 32)
    first, same, other = (equivariance_error(centre, images, "translation", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.theta, same.theta)
    assert (first.theta != other.theta).all()


@pytest.mark.parametrize(
    ("predictor", "options", "message"),
    [
        (direction, {}, "transformations must be given for a predictor that does not state them"),
        (direction, {"transformations": "turning"}, "transformation must be one of"),
        (direction, {"transformations": []}, "transformations must name at least one"),
        (centre, {"transformations": "rotation"}, r"predictor must give a pose of shape \(4, 1\), not \[\(4, 2\)\]"),
        (lambda x: {"angle": 1}, {"transformations": "rotation"}, "predictor must give a pose of shape"),
        (lambda x: np.full([len(x), 1], np.nan), {"transformations": "rotation"}, "predictor must give finite poses"),
        (direction, {"transformations": "rotation", "draws": 0}, "draws must be at least 1"),
        (direction, {"transformations": "rotation", "crop_fraction": 0.0}, "crop_fraction must lie in"),
    ],
)
def test_bad_input_is_named(predictor, options, message):
    with pytest.raises(InputError, match=message):
        equivariance_error(predictor, gaussians(4, 16), **options)


def test_no_images_and_no_parameter_are_named():
    with pytest.raises(InputError, match="images must hold at least one image"):
        equivariance_error(direction, gaussians()[:0], "rotation")
    with pytest.raises(InputError, match=r"images must be images \[height, width, channels\]"):
        equivariance_error(direction, np.zeros([4, 16, 16]), "rotation")
    with pytest.raises(InputError, match="images must have one size"):
        equivariance_error(direction, [np.zeros([16, 16, 1]), np.zeros([16, 20, 1])], "rotation")
    with pytest.raises(InputError, match="parameter must be one of rotation angle, not 'x'"):
        equivariance_error(direction, gaussians(2, 16), "rotation").parameter("x")
