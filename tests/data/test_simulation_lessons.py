"""Simulated galaxies to learn from: the same as the catalogue's, twice, with votes on all questions."""

import numpy as np

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.data.simulation import simulate_arrays
from tfgalaxy.data.simulation.lessons import simulated_lessons
from tfgalaxy.data.simulation.poor_images import poor_images
from tfgalaxy.data.simulation.votes import all_simulated_questions

COUNT = 12


def test_the_galaxies_of_a_catalogue_twice():
    told = []
    lessons, pixels = simulated_lessons(COUNT, Preprocessing(image_size=32), 3, lambda *numbers: told.append(numbers))
    images, _, truth = simulate_arrays(COUNT, seed=3, image_size=64)
    assert told[-1] == (COUNT, COUNT)
    assert pixels.store.shape == (2 * COUNT, 32, 32, 3)
    np.testing.assert_array_equal(pixels.store[:COUNT], images[:, 16:48, 16:48])
    assert list(lessons.files) == list(pixels.files)
    assert list(lessons.ids[:COUNT]) == list(truth["id"])
    np.testing.assert_array_equal(lessons.votes[:COUNT], lessons.votes[COUNT:])
    again, same = simulated_lessons(COUNT, Preprocessing(image_size=32), 3)
    np.testing.assert_array_equal(same.store, pixels.store)
    np.testing.assert_array_equal(again.votes, lessons.votes)


def test_grey_and_uncropped():
    _, pixels = simulated_lessons(2, Preprocessing(image_size=32, channels=1, crop_fraction=1.0), 3)
    images, _, _ = simulate_arrays(2, seed=3, image_size=32)
    grey = images.astype(float) @ [0.2989, 0.587, 0.114]
    np.testing.assert_allclose(pixels.store[:2, ..., 0], grey, atol=1.01)


def test_votes_on_all_that_is_known():
    tree = all_simulated_questions()
    assert tree.questions[:-1] == Questions.preset("gz2").questions
    assert tree.questions[-1].answers == ("clockwise", "anticlockwise")
    np.testing.assert_array_equal(tree.flip_permutation[-2:], [38, 37])
    lessons, _ = simulated_lessons(60, Preprocessing(image_size=16), 5)
    _, _, truth = simulate_arrays(60, seed=5, image_size=16)
    votes = lessons.votes[:60]
    np.testing.assert_array_equal(votes[:, :3].sum(axis=1), 40)
    spiral = list(tree.answer_labels).index(next(label for label in tree.answer_labels if "a08_spiral" in label))
    np.testing.assert_array_equal(votes[:, -2:].sum(axis=1), votes[:, spiral])
    seen = votes[:, spiral] >= 10
    assert seen.sum() >= 5
    clockwise = votes[seen, -2] > votes[seen, -1]
    np.testing.assert_array_equal(clockwise, truth["truth_winding"].to_numpy()[seen] > 0)


def test_poor_pictures_are_blurred_noisy_and_of_another_brightness():
    rng = np.random.default_rng(0)
    checkered = (np.indices([64, 64]).sum(axis=0) % 2 * 200).astype(np.uint8)
    images = np.repeat(checkered[np.newaxis, :, :, np.newaxis], 50, axis=0)
    poor = poor_images(images, seed=1).astype(float)
    # Neighbours differ by 200 in the checkers; of what is left, by what the noise makes of it.
    assert np.abs(np.diff(poor, axis=2)).mean() < 20
    level = poor.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(np.log(level / 100).std(), 0.4, atol=0.15)
    flat = np.full([50, 64, 64, 1], 128, np.uint8)
    noise = poor_images(flat, seed=1).astype(float).std(axis=(1, 2, 3)) / 255
    assert 0.005 < np.median(noise) < 0.02
    assert noise.max() < 0.03
    dark = poor_images(np.zeros([3, 64, 64, 3], np.uint8), seed=int(rng.integers(9)))
    assert dark.max() < 30
