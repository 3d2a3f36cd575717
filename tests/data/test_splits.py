"""Splits and label subsets by hash."""

import hashlib

import numpy as np
import pytest

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.data.splits import assign_folds, assign_parts, hash_fraction
from tfgalaxy.errors import InputError

QUESTIONS = Questions("small", (Question("bar", ("yes", "no")),))


def galaxies(count, start=0, **fields):
    ids = [f"g{number}" for number in range(start, start + count)]
    votes = np.stack([np.arange(start, start + count), np.ones(count)], axis=1)
    return Catalogue(QUESTIONS, np.array(ids), np.array([f"/im/{name}.jpg" for name in ids]), votes, **fields)


def test_hash_is_blake2b_and_never_changes():
    digest = hashlib.blake2b(b"split:3:587722981741363294", digest_size=8).digest()
    expected = (int.from_bytes(digest, "big") >> 11) / 2**53
    assert hash_fraction(["587722981741363294"], seed=3).tolist() == [expected]
    # Written down once: a change here would move every user's galaxies.
    assert assign_parts([str(n) for n in range(12)], 0, (0.7, 0.1, 0.2)).tolist() == [
        0,
        0,
        0,
        2,
        0,
        0,
        0,
        2,
        2,
        1,
        0,
        2,
    ]


def test_parts_are_disjoint_whole_and_of_the_right_size():
    catalogue = galaxies(5000)
    parts = catalogue.split(seed=1)
    assert sorted(name for part in parts for name in part.ids) == sorted(catalogue.ids)
    sizes = [len(part) / 5000 for part in parts]
    # Binomial: 3 standard deviations of sqrt(0.7 * 0.3 / 5000) = 0.0065
    np.testing.assert_allclose(sizes, [0.7, 0.1, 0.2], atol=0.02)
    for part in parts:
        assert all(row[0] == int(name[1:]) for name, row in zip(part.ids, part.votes, strict=True))
        assert all(file == f"/im/{name}.jpg" for name, file in zip(part.ids, part.files, strict=True))


def test_a_galaxy_stays_when_the_catalogue_grows_or_is_shuffled():
    small, large = galaxies(300), galaxies(900)
    shuffled = large.subset(np.random.default_rng(0).permutation(900))
    for before, after, again in zip(small.split(), large.split(), shuffled.split(), strict=True):
        assert set(before.ids) <= set(after.ids)
        assert set(after.ids) == set(again.ids)


def test_another_seed_gives_another_split():
    catalogue = galaxies(1000)
    first, second = catalogue.split(0)[2], catalogue.split(1)[2]
    shared = len(set(first.ids) & set(second.ids))
    assert 15 < shared < 75  # independent: 1000 * 0.2 * 0.2 = 40, sd 6


def test_unlabelled_images_go_to_the_train_part_without_copies_of_held_out_galaxies():
    catalogue = galaxies(50, unlabelled_files=np.array(["/im/other.jpg", "/copies/g7.png", "/copies/g8.png"]))
    train, validation, test = catalogue.split()
    assert len(validation.unlabelled_files) == len(test.unlabelled_files) == 0
    held_out = {"g7", "g8"} - set(train.ids)
    assert {"/im/other.jpg"} <= set(train.unlabelled_files)
    assert len(train.unlabelled_files) == 3 - len(held_out)
    assert train.held_out == set(validation.ids) | set(test.ids)


def test_an_unlabelled_folder_brings_no_held_out_galaxy(tmp_path):
    train, validation, test = galaxies(40).split()
    for name in (train.ids[0], validation.ids[0] if len(validation) else test.ids[1], test.ids[0], "new"):
        (tmp_path / f"{name}.jpg").touch()
    assert train.with_unlabelled(tmp_path).unlabelled_files.tolist() == [str(tmp_path / "new.jpg")]
    with pytest.raises(InputError, match="unlabelled must be an existing folder"):
        train.with_unlabelled(tmp_path / "absent")


def test_empty_parts_are_allowed():
    train, validation, test = galaxies(200).split(fractions=(0.9, 0.1, 0))
    assert len(test) == 0
    assert test.votes.shape == (0, 2)
    assert len(train) + len(validation) == 200
    assert [len(part) for part in galaxies(0).split()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ((0.5, 0.5), "fractions must be three numbers of at least 0"),
        ((0.9, 0.2, -0.1), "fractions must be three numbers of at least 0"),
        ((0.5, float("nan"), 0.5), "fractions must be three numbers of at least 0"),
        ((0.7, 0.2, 0.2), "fractions must sum to 1, not .*They sum to 1.1"),
    ],
)
def test_bad_fractions_are_refused(fractions, words):
    with pytest.raises(InputError, match=words):
        galaxies(5).split(fractions=fractions)


def test_label_subsets_are_nested_and_keep_the_others_as_unlabelled_images():
    catalogue = galaxies(400, unlabelled_files=np.array(["/im/other.jpg"]))
    small, large = catalogue.take_labelled(100, seed=5), catalogue.take_labelled(300, seed=5)
    assert set(small.ids) < set(large.ids)
    assert (len(small), len(large)) == (100, 300)
    assert set(small.unlabelled_files) == (set(catalogue.files) - set(small.files)) | {"/im/other.jpg"}
    assert len(small.unlabelled_files) == 301
    assert set(small.ids) != set(catalogue.take_labelled(100, seed=6).ids)
    shuffled = catalogue.subset(np.random.default_rng(0).permutation(400))
    assert set(shuffled.take_labelled(100, seed=5).ids) == set(small.ids)


def test_labels_are_chosen_independently_of_the_split():
    """Else the first labels of a train part would be those whose hash lies furthest from its edge."""
    train = galaxies(2000).split(seed=0, fractions=(0.5, 0.1, 0.4))[0]
    chosen = train.take_labelled(200, seed=0)
    assert abs(hash_fraction(chosen.ids, 0).mean() - 0.25) < 0.03  # uniform over [0, 0.5): sd 0.144 / sqrt(200) = 0.010


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (11, "labels must be between 1 and the number of labelled galaxies, 10, not 11"),
        (0, "labels must be between 1"),
        (2.5, "labels must be a whole number, not 2.5"),
    ],
)
def test_bad_label_counts_are_refused(count, words):
    with pytest.raises(InputError, match=words):
        galaxies(10).take_labelled(count)


def test_folds_are_equal_parts_that_hold_every_galaxy_once():
    catalogue = galaxies(502)
    pairs = [catalogue.hold_out_fold(fold, 5, seed=2) for fold in range(5)]
    assert [len(test) for _, test in pairs] == [101, 100, 101, 100, 100]
    assert sorted(name for _, test in pairs for name in test.ids) == sorted(catalogue.ids)
    for learnt, test in pairs:
        assert set(learnt.ids) == set(catalogue.ids) - set(test.ids)
        assert learnt.held_out == set(test.ids)


def test_folds_depend_on_ids_and_seed_alone():
    ids = [f"g{number}" for number in range(60)]
    digests = [hashlib.blake2b(f"folds:7:{name}".encode(), digest_size=8).digest() for name in ids]
    ranks = np.argsort(np.argsort([int.from_bytes(digest, "big") >> 11 for digest in digests]))
    np.testing.assert_array_equal(assign_folds(ids, 7, 4), ranks // 15)
    np.testing.assert_array_equal(assign_folds(ids[::-1], 7, 4), assign_folds(ids, 7, 4)[::-1])
    assert not np.array_equal(assign_folds(ids, 8, 4), assign_folds(ids, 7, 4))


def test_a_fold_leaves_its_copies_out_of_the_pool():
    catalogue = galaxies(20, unlabelled_files=np.array(["/im/other.jpg", *(f"/copies/g{n}.png" for n in range(20))]))
    learnt, test = catalogue.hold_out_fold(0, 4)
    copies = {f"/copies/{name}.png" for name in test.ids}
    assert set(learnt.unlabelled_files) == set(catalogue.unlabelled_files) - copies
    assert len(test.unlabelled_files) == 0
    train, validation, _ = learnt.split(fractions=(0.7, 0.3, 0))
    assert train.held_out == set(test.ids) | set(validation.ids)


@pytest.mark.parametrize(
    ("fold", "folds", "words"),
    [
        (0, 1, "folds must be between 2 and the number of labelled galaxies, 10, not 1"),
        (0, 11, "folds must be between 2 and"),
        (5, 5, "fold must be between 0 and 4, not 5"),
        (0, 2.0, r"folds must be a whole number, not 2\.0"),
    ],
)
def test_bad_folds_are_refused(fold, folds, words):
    with pytest.raises(InputError, match=words):
        galaxies(10).hold_out_fold(fold, folds)


def test_a_seed_is_a_whole_number():
    with pytest.raises(InputError, match=r"seed must be a whole number, not 0\.0"):
        galaxies(10).split(seed=0.0)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(InputError, match=r"votes must have the shape \(2, 2\), not \(3, 2\)"):
        Catalogue(QUESTIONS, np.array(["a", "b"]), np.array(["/a", "/b"]), np.ones((3, 2)))
    with pytest.raises(InputError, match="files must be 2"):
        Catalogue(QUESTIONS, np.array(["a", "b"]), np.array(["/a"]), np.ones((2, 2)))
