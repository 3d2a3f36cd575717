"""A mirrored galaxy is another galaxy: pixels change handedness and votes change answers, in the same rows."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfgalaxy.data.augmentation import Augmentation, augment
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.pose_matrices import pose_matrices

GZ1 = Questions.preset("gz1")
CLOCKWISE = GZ1.answer_labels.index("spiral-winding_clockwise")
ANTICLOCKWISE = GZ1.answer_labels.index("spiral-winding_anticlockwise")
SEED = tf.constant([1, 2])


def spiral(handedness, size=64):
    """Two logarithmic arms that wind outwards towards growing (+1) or falling (-1) angles; y points down."""
    y, x = np.mgrid[:size, :size] * 2.0 / size + 1.0 / size - 1.0
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    arms = 1 + np.cos(2 * (angle - handedness * 2.5 * np.log(radius + 1e-3)))
    return np.repeat((np.exp(-2 * radius) * arms / 2)[..., np.newaxis], 3, -1).astype(np.float32)


def handedness(image):
    """Sign of the change with radius of the phase of the two-armed Fourier mode."""
    size = image.shape[0]
    radius = np.linspace(0.25, 0.8, 24)[:, np.newaxis]
    angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)[np.newaxis]
    rows, columns = (((part + 1) * size - 1) / 2 for part in (radius * np.sin(angle), radius * np.cos(angle)))
    polar = ndimage.map_coordinates(image.mean(-1), [rows, columns], order=1)
    phase = np.unwrap(np.angle((polar * np.exp(2j * angle)).sum(1)))
    return np.sign(np.polyfit(np.log(radius[:, 0]), phase, 1)[0])


def test_the_measure_of_handedness():
    assert handedness(spiral(1)) == 1
    assert handedness(spiral(-1)) == -1
    assert handedness(spiral(1)[::-1]) == -1
    assert handedness(np.rot90(spiral(1))) == 1


@pytest.mark.parametrize("rotation", [False, True])
def test_a_flip_changes_pixels_and_votes_of_the_same_rows(rotation):
    hands = np.where(np.arange(64) % 3 == 0, -1, 1)
    votes = np.random.default_rng(0).integers(0, 40, (64, GZ1.num_answers)).astype(np.float32)
    images = np.stack([spiral(hand) for hand in hands])
    settings = Augmentation(rotation=rotation, zoom=0.1, shift=0.02)
    seen, seen_votes = augment(tf.constant(images), tf.constant(votes), SEED, settings, GZ1.flip_permutation)
    flipped = pose_matrices(SEED, 64, settings)[1].numpy()
    assert 16 < flipped.sum() < 48
    np.testing.assert_array_equal([handedness(image) for image in seen.numpy()], np.where(flipped, -hands, hands))
    expected = votes.copy()
    expected[flipped, CLOCKWISE] = votes[flipped, ANTICLOCKWISE]
    expected[flipped, ANTICLOCKWISE] = votes[flipped, CLOCKWISE]
    np.testing.assert_array_equal(seen_votes, expected)


def test_without_flip_votes_and_handedness_stay():
    votes = np.arange(8 * GZ1.num_answers, dtype=np.float32).reshape(8, -1)
    images = np.stack([spiral(1)] * 8)
    seen, seen_votes = augment(
        tf.constant(images), tf.constant(votes), SEED, Augmentation(flip=False), GZ1.flip_permutation
    )
    np.testing.assert_array_equal(seen_votes, votes)
    assert {handedness(image) for image in seen.numpy()} == {1}


def test_nothing_changes_without_range():
    images = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)
    votes = np.ones((4, GZ1.num_answers), np.float32)
    settings = Augmentation(rotation=False, flip=False, zoom=0.0, shift=0.0)
    seen, _ = augment(tf.constant(images), tf.constant(votes), SEED, settings, GZ1.flip_permutation)
    np.testing.assert_allclose(seen, images, atol=1e-5)


def test_zoom_and_shift_move_what_is_seen():
    y, x = np.mgrid[:64, :64] * 2.0 / 64 + 1.0 / 64 - 1.0
    blob = np.exp(-(x**2 + y**2) / 0.02)[np.newaxis, ..., np.newaxis].astype(np.float32)
    images, votes = np.repeat(blob, 64, 0), np.zeros((64, GZ1.num_answers), np.float32)
    settings = Augmentation(rotation=False, flip=False, zoom=0.3, shift=0.2)
    seen = augment(tf.constant(images), tf.constant(votes), SEED, settings, GZ1.flip_permutation)[0].numpy()[..., 0]
    matrices = pose_matrices(SEED, 64, settings)[0].numpy()
    scale = matrices[:, 0, 0]
    light = seen.sum((1, 2))
    np.testing.assert_allclose(light / blob.sum(), scale**-2.0, rtol=0.03)  # a small scale shows the galaxy larger
    centre = np.stack([(seen * x).sum((1, 2)), (seen * y).sum((1, 2))], -1) / light[:, np.newaxis]
    np.testing.assert_allclose(centre, -matrices[:, :2, 2] / scale[:, np.newaxis], atol=0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zoom": -0.1}, "zoom must lie between 0 and 1, not -0.1"),
        ({"shift": 2.0}, "shift must lie between 0 and 1, not 2.0"),
        ({"flip": "yes"}, "flip must be of type bool, not 'yes'"),
    ],
)
def test_bad_settings(options, words):
    with pytest.raises(InputError, match=words):
        Augmentation(**options)
