"""Self-consistency of untrained layers on real galaxies, transformed at full resolution before they are made small."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates
from smooth_images import similarity, wrapped

from tfgalaxy.layers import EquivariantTransformerSequence

pytestmark = [pytest.mark.real, pytest.mark.slow]
SIDE = 212


def small(picture, linear=None, shift=(0.0, 0.0)):
    """The central half of a picture, transformed by x -> linear x + shift, as 64x64 pixels by area."""
    if linear is None:
        linear = np.eye(2)
    half = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - half
    points = np.stack([x - shift[0] * SIDE / 2, y - shift[1] * SIDE / 2]).reshape(2, -1)
    x, y = np.linalg.inv(linear) @ points
    corner = (picture.shape[0] - SIDE) // 2
    planes = [
        map_coordinates(plane, [y + corner + half, x + corner + half], order=1) for plane in np.moveaxis(picture, -1, 0)
    ]
    square = np.stack([plane.reshape(SIDE, SIDE) for plane in planes], axis=-1)
    return tf.image.resize(square, [64, 64], method="area").numpy()


@pytest.fixture(scope="module")
def pictures(request):
    folder = request.getfixturevalue("real_data") / "galaxyzoo1" / "images"
    paths = sorted(folder.glob("*.jpg"))[::24][:200]
    decoded = [tf.io.decode_jpeg(tf.io.read_file(str(path)), channels=3).numpy() for path in paths]
    return [picture.astype(np.float32) / 255 for picture in decoded]


def test_untrained_rotation_on_real_galaxies(pictures):
    angle = np.random.default_rng(0).uniform(-np.pi, np.pi, len(pictures))
    first = np.stack([small(picture) for picture in pictures])
    second = np.stack([small(picture, turn) for picture, turn in zip(pictures, similarity(angle), strict=True)])
    layer = EquivariantTransformerSequence(["rotation"])
    error = np.abs(wrapped(layer.pose(second).mean[:, 0] - layer.pose(first).mean[:, 0] - angle))
    # Measured: 0.004 mean, 0.002 median. Asked for: 0.10 and 0.03; the research code: 0.51 and 0.30.
    assert error.mean() < 0.02
    assert np.median(error) < 0.01


def test_untrained_translation_then_rotation_scale_on_real_galaxies(pictures):
    generator, count = np.random.default_rng(0), len(pictures) // 2
    angle, log_scale = generator.uniform(-np.pi, np.pi, count), generator.uniform(-0.2, 0.2, count)
    shift, linear = generator.uniform(-0.1, 0.1, (count, 2)), similarity(angle, log_scale)
    chosen = pictures[:count]
    first = np.stack([small(picture) for picture in chosen])
    second = np.stack([small(*each) for each in zip(chosen, linear, shift, strict=True)])
    keras.utils.set_random_seed(0)
    layer = EquivariantTransformerSequence(["translation", "rotation_scale"])
    before, after = layer.pose(first).mean.numpy(), layer.pose(second).mean.numpy()
    moved = np.einsum("bij,bj->bi", linear, before[:, :2]) + shift
    assert np.median(32 * np.linalg.norm(after[:, :2] - moved, axis=-1)) < 0.25
    assert np.abs(after[:, 3] - before[:, 3] - log_scale).mean() < 0.06
    error = np.abs(wrapped(after[:, 2] - before[:, 2] - angle))
    # The research code: 1.37 mean.
    assert error.mean() < 0.3
    assert np.median(error) < 0.12
