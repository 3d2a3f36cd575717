"""`transform` against NumPy and SciPy, with TF Addons and with the plain operation."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfgalaxy import addons
from tfgalaxy.addons import transform


@pytest.fixture(params=["addons", "plain"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(addons, "_module", _no_module)
    elif not addons.available():
        pytest.skip("TF Addons cannot be installed here")


def _no_module():
    return None


def images(height, width, seed=0):
    return np.random.default_rng(seed).random((1, height, width, 3)).astype(np.float32)


def matrix(angle=0.0, scale=1.0, x=0.0, y=0.0, mirror=1.0):
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine * mirror, x], [sine, cosine * mirror, y], [0, 0, 1]], np.float32)


def viewed(pixels, *matrices):
    return transform(tf.constant(np.repeat(pixels, len(matrices), 0)), tf.constant(np.stack(matrices))).numpy()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("shape", [(64, 64), (63, 63), (40, 65)])
def test_identity_and_mirrors_are_exact(shape):
    pixels = images(*shape)
    result = viewed(pixels, matrix(), matrix(mirror=-1.0), np.diag([-1.0, 1, 1]).astype(np.float32))
    for view, expected in zip(result, (pixels[0], pixels[0, ::-1], pixels[0, :, ::-1]), strict=True):
        np.testing.assert_allclose(view, expected, atol=1e-5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [64, 63, 128])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_equal_rot90(size, turns):
    # y points down, so that the view's x axis at +90 degrees in the image turns what is seen counterclockwise.
    pixels = images(size, size)
    exact = np.round(matrix(turns * np.pi / 2))
    np.testing.assert_array_equal(viewed(pixels, exact)[0], np.rot90(pixels[0], turns))
    np.testing.assert_allclose(viewed(pixels, matrix(turns * np.pi / 2))[0], np.rot90(pixels[0], turns), atol=3e-5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "pose", [{"angle": 0.3, "x": 0.1}, {"angle": 2.0, "scale": 0.8, "y": -0.2}, {"angle": -1.0, "mirror": -1.0}]
)
@pytest.mark.parametrize("shape", [(48, 48), (33, 50)])
def test_like_scipy(pose, shape):
    pixels = images(*shape)
    height, width = shape
    y, x = np.meshgrid((2 * np.arange(height) + 1) / height - 1, (2 * np.arange(width) + 1) / width - 1, indexing="ij")
    x, y, _ = np.einsum("ij,jhw->ihw", matrix(**pose).astype(float), np.stack([x, y, np.ones_like(x)]))
    rows, columns = ((y + 1) * height - 1) / 2, ((x + 1) * width - 1) / 2
    expected = [
        ndimage.map_coordinates(pixels[0, ..., band], [rows, columns], order=1, mode="nearest") for band in range(3)
    ]
    np.testing.assert_allclose(viewed(pixels, matrix(**pose))[0], np.stack(expected, -1), atol=2e-4)


@pytest.mark.usefixtures("way")
def test_homogeneous_matrices_may_be_scaled():
    pixels, pose = images(32, 32), matrix(0.4, 0.9, 0.1, -0.1)
    np.testing.assert_allclose(viewed(pixels, pose), viewed(pixels, 3 * pose), atol=1e-5)


@pytest.mark.usefixtures("way")
def test_unknown_batch_and_half_precision():
    pixels, pose = images(32, 32), matrix(0.4)
    expected = viewed(pixels, pose)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3]), tf.TensorSpec([None, 3, 3])])
    def graph(batch, matrices):
        return transform(batch, matrices)

    np.testing.assert_allclose(graph(tf.constant(pixels), tf.constant(pose[np.newaxis])), expected, atol=1e-6)
    half = transform(tf.constant(pixels, tf.float16), tf.constant(pose[np.newaxis]))
    assert half.dtype == tf.float16
    np.testing.assert_allclose(half, expected, atol=2e-3)


def test_both_ways_agree(monkeypatch):
    pytest.importorskip("tensorflow_addons")
    pixels = np.repeat(images(64, 64), 6, 0)
    matrices = np.stack([matrix(angle, 1.2, 0.1, -0.05) for angle in range(6)])
    with_addons = transform(tf.constant(pixels), tf.constant(matrices))
    monkeypatch.setattr(addons, "_module", _no_module)
    np.testing.assert_array_equal(transform(tf.constant(pixels), tf.constant(matrices)), with_addons)


def test_availability_follows_the_package():
    try:
        import tensorflow_addons  # noqa: F401
    except ImportError:
        assert not addons.available()
    else:
        assert addons.available()
