"""Batches: rows stay together, orders are drawn anew, and endless streams can be taken up anywhere."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgalaxy.data.augmentation import Augmentation
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.images import read_image
from tfgalaxy.data.pipelines import alternating_batches, batches, unlabelled_batches
from tfgalaxy.data.pixels import load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError

SIZE, COUNT = 16, 23
SETTINGS = Preprocessing(image_size=SIZE)
GZ1 = Questions.preset("gz1")


def draw(path, number):
    """A flat picture whose grey says which galaxy it is, with a pattern, so that poses show."""
    pixels = np.full((32, 32, 3), 10 * number, np.uint8)
    pixels[12:16, 10:20] = 255
    Image.fromarray(pixels).save(path)
    return str(path)


def number_of(image):
    """Which galaxy an image float32 [S, S, C] is of: its corner."""
    return np.round(np.asarray(image)[..., 0, 0, 0] * 25.5).astype(int)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Galaxies whose first vote is their number."""
    folder = tmp_path_factory.mktemp("images")
    files = [draw(folder / f"{number:02}.png", number) for number in range(COUNT)]
    votes = np.zeros((COUNT, GZ1.num_answers))
    votes[:, 0] = np.arange(COUNT)
    votes[:, 1:] = np.random.default_rng(0).integers(0, 9, votes[:, 1:].shape)
    return Catalogue(GZ1, [f"{number:02}" for number in range(COUNT)], files, votes)


@pytest.fixture(scope="module", params=["memory", "disk"])
def pixels(request, catalogue, tmp_path_factory):
    cache = None if request.param == "memory" else tmp_path_factory.mktemp("cache")
    return load_pixels(catalogue.files, SETTINGS, cache)


def numbers(dataset):
    return [tuple(batch[:, 0].astype(int)) for _, batch in dataset.as_numpy_iterator()]


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def equal(first, second):
    assert len(first) == len(second) > 0
    tf.nest.map_structure(np.testing.assert_array_equal, first, second)


def test_images_and_votes_in_order(catalogue, pixels):
    dataset = batches(catalogue, 8, pixels=pixels)
    parts = list(dataset.as_numpy_iterator())
    assert [len(images) for images, _ in parts] == [8, 8, 7]
    assert dataset.cardinality() == 3
    images, votes = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert images.dtype == votes.dtype == np.float32
    np.testing.assert_array_equal(votes, catalogue.votes)
    expected = np.stack([read_image(file, SETTINGS) for file in catalogue.files]) / np.float32(255)
    np.testing.assert_allclose(images, expected, atol=1e-7)
    assert dataset.element_spec[0].shape.as_list() == [None, SIZE, SIZE, 3]
    assert dataset.element_spec[1].shape.as_list() == [None, GZ1.num_answers]


def test_shuffled_anew_in_every_epoch_with_each_galaxy_once(catalogue, pixels):
    dataset = batches(catalogue, 5, pixels=pixels, shuffle=True)
    first, second = numbers(dataset), numbers(dataset)
    assert first != second
    for epoch in (first, second):
        assert sorted(itertools.chain(*epoch)) == list(range(COUNT))
    for images, votes in dataset.as_numpy_iterator():
        np.testing.assert_array_equal(number_of(images), votes[:, 0])
    assert numbers(batches(catalogue, 5, pixels=pixels, shuffle=True)) == first
    assert numbers(batches(catalogue, 5, pixels=pixels, shuffle=True, seed=1)) != first


def test_remainder_can_be_dropped(catalogue):
    dataset = batches(catalogue, 8, SIZE, drop_remainder=True)
    assert dataset.cardinality() == 2
    assert dataset.element_spec[0].shape.as_list() == [8, SIZE, SIZE, 3]
    with pytest.raises(InputError, match="batch_size must be at most the number of images, 23, not 64"):
        batches(catalogue, 64, SIZE, drop_remainder=True)


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_endless_batches_go_on_where_they_were_left(catalogue, pixels, augmentation):
    options = {"shuffle": True, "repeat": True, "seed": 3, "augmentation": augmentation, "pixels": pixels}
    dataset = batches(catalogue, 8, **options)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    stream = take(dataset, 20)
    equal(take(dataset, 20), stream)  # a second iterator starts at the same place
    for skipped in (1, 14):
        equal(take(batches(catalogue, 8, skip_batches=skipped, **options), 6), stream[skipped : skipped + 6])


def test_endless_batches_are_whole_epochs_in_new_orders(catalogue):
    dataset = batches(catalogue, 10, SIZE, shuffle=True, repeat=True)
    order = [number for batch in numbers(dataset.take(COUNT)) for number in batch]
    epochs = [order[start : start + COUNT] for start in range(0, len(order), COUNT)]
    assert len(epochs) == 10
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 10
    in_order = numbers(batches(catalogue, 10, SIZE, repeat=True, skip_batches=2).take(2))
    assert in_order == [(20, 21, 22, 0, 1, 2, 3, 4, 5, 6), tuple(range(7, 17))]


def test_endless_batches_larger_than_the_catalogue(catalogue):
    few = catalogue.subset(np.arange(3))
    stream = numbers(batches(few, 8, SIZE, shuffle=True, repeat=True).take(3))
    assert sorted(itertools.chain(*stream)) == [0] * 8 + [1] * 8 + [2] * 8
    assert numbers(batches(few, 8, SIZE, shuffle=True, repeat=True, skip_batches=2).take(1)) == stream[2:]


def test_unlabelled_endless_batches_go_on_where_they_were_left(pixels):
    options = {"repeat": True, "pixels": pixels}
    stream = take(unlabelled_batches(batch_size=6, **options), 12)
    equal(take(unlabelled_batches(batch_size=6, skip_batches=5, **options), 7), stream[5:])


def test_memory_and_disk_give_the_same_batches(catalogue, tmp_path):
    for options in ({}, {"shuffle": True}, {"repeat": True, "augmentation": Augmentation()}):
        memory = take(batches(catalogue, 8, SIZE, **options), 5)
        equal(take(batches(catalogue, 8, SIZE, cache=tmp_path, **options), 5), memory)


def test_augmentation_is_drawn_anew_in_every_epoch(catalogue):
    dataset = batches(catalogue, COUNT, SIZE, augmentation=Augmentation())
    first, second = take(dataset, 1)[0], take(dataset, 1)[0]
    assert np.abs(first[0] - second[0]).max() > 0.1
    for images, votes in (first, second):
        np.testing.assert_array_equal(number_of(images), np.arange(COUNT))
        np.testing.assert_array_equal(votes[:, 0], np.arange(COUNT))
        swapped = catalogue.votes[:, GZ1.flip_permutation]
        flipped = (votes == swapped).all(1) & (votes != catalogue.votes).any(1)
        assert 3 < flipped.sum() < 20
        np.testing.assert_array_equal(votes[~flipped], catalogue.votes[~flipped])


def test_broken_images_take_their_votes_with_them(catalogue, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    files = catalogue.files.copy()
    files[[0, 7, 22]] = str(broken), str(tmp_path / "absent.png"), str(broken)
    files[22] = str(tmp_path / "also absent.png")
    changed = Catalogue(GZ1, catalogue.ids, files, catalogue.votes)
    for images, votes in batches(changed, 6, SIZE, shuffle=True).as_numpy_iterator():
        np.testing.assert_array_equal(number_of(images), votes[:, 0])
    seen = sorted(itertools.chain(*numbers(batches(changed, 6, SIZE))))
    assert seen == [number for number in range(COUNT) if number not in (0, 7, 22)]


def test_pixels_in_another_order_serve(catalogue):
    pixels = load_pixels(list(catalogue.files[::-1]), SETTINGS)
    part = catalogue.subset([5, 2, 9])
    ((images, votes),) = batches(part, 3, pixels=pixels).as_numpy_iterator()
    np.testing.assert_array_equal(number_of(images), [5, 2, 9])
    np.testing.assert_array_equal(votes[:, 0], [5, 2, 9])


def test_unlabelled_from_folder_files_and_catalogue(catalogue, tmp_path):
    folder = tmp_path / "more"
    folder.mkdir()
    more = [draw(folder / f"more{number}.png", number) for number in (23, 24, 25)]
    for source in (folder, str(folder), more):
        (images,) = unlabelled_batches(source, 3, SIZE).as_numpy_iterator()
        assert sorted(number_of(images)) == [23, 24, 25]
    both = catalogue.subset([4]).with_unlabelled(folder)
    (images,) = unlabelled_batches(both, 4, SIZE).as_numpy_iterator()
    assert sorted(number_of(images)) == [4, 23, 24, 25]
    assert unlabelled_batches(both, 3, SIZE).cardinality() == 1
    assert unlabelled_batches(both, 3, SIZE, drop_remainder=False).cardinality() == 2


def test_alternating_epoch_is_one_pass_over_the_pool(catalogue):
    few = catalogue.take_labelled(3, seed=1)  # the others join the pool
    labelled = set(few.votes[:, 0].astype(int))
    dataset = alternating_batches(few, batch_size=5, image_size=SIZE)
    assert dataset.cardinality() == COUNT // 5
    epochs = []
    for _ in range(2):
        seen_labels, seen = [], []
        for (images, votes), others in dataset.as_numpy_iterator():
            assert images.shape == others.shape == (5, SIZE, SIZE, 3)
            np.testing.assert_array_equal(number_of(images), votes[:, 0])
            seen_labels += list(votes[:, 0].astype(int))
            seen += list(number_of(others))
        assert set(seen_labels) == labelled
        assert max(seen_labels.count(number) for number in labelled) <= 7  # 20 of 3, none much oftener than others
        assert len(seen) == len(set(seen)) == 20
        epochs.append((seen_labels, seen))
    assert epochs[0][0] != epochs[1][0]
    assert epochs[0][1] != epochs[1][1]
    assert len(set(epochs[0][1]) | set(epochs[1][1])) > 20  # what one epoch drops, another shows


def test_alternating_pool_smaller_than_a_batch(catalogue):
    few = catalogue.subset([1, 2])
    dataset = alternating_batches(few, batch_size=8, image_size=SIZE)
    (((images, votes), others),) = dataset.as_numpy_iterator()
    assert len(images) == len(votes) == 8
    assert sorted(number_of(others)) == [1, 2]


def test_copies_of_held_out_galaxies_stay_out_of_the_pool(catalogue, tmp_path):
    for number in range(COUNT):
        draw(tmp_path / f"{number:02}.png", number)
    draw(tmp_path / "new.png", 24)
    train, validation, test = catalogue.split(seed=2, fractions=(0.5, 0.2, 0.3))
    held_out = {*validation.votes[:, 0].astype(int), *test.votes[:, 0].astype(int)}
    assert held_out
    seen = set()
    dataset = alternating_batches(train, tmp_path, batch_size=1, image_size=SIZE)
    for _, others in dataset.as_numpy_iterator():
        seen |= set(number_of(others))
    assert seen == (set(range(COUNT)) - held_out) | {24}
    assert dataset.cardinality() == len(train) + 1


def small_model():
    network = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(GZ1.num_answers),
        ]
    )
    network.compile(optimizer="adam", loss="mse")
    return network


@pytest.mark.core
def test_no_pipeline_tunes_itself(catalogue, pixels):
    # What tunes them may keep `fit` from ending for as long as it took.
    made = [batches(catalogue, 4, pixels=pixels, **settings) for settings in ({}, {"shuffle": True}, {"repeat": True})]
    made += [
        unlabelled_batches(pixels=pixels, batch_size=4),
        alternating_batches(catalogue, batch_size=4, image_size=16),
    ]
    assert [dataset.options().autotune.enabled for dataset in made] == [False] * 5


def test_fits_a_keras_model(catalogue, pixels):
    network = small_model()
    settings = Augmentation()
    dataset = batches(catalogue, 8, pixels=pixels, shuffle=True, augmentation=settings)
    history = network.fit(dataset, validation_data=batches(catalogue, 8, pixels=pixels), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert network.predict(batches(catalogue, 8, pixels=pixels), verbose=0).shape == (COUNT, GZ1.num_answers)
    endless = batches(catalogue, 8, pixels=pixels, shuffle=True, repeat=True, augmentation=settings)
    assert len(network.fit(endless, steps_per_epoch=4, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize("batch_size", [0, -3, 2.0, True, "8"])
def test_bad_batch_size(catalogue, batch_size):
    for make in (batches, unlabelled_batches, alternating_batches):
        with pytest.raises(InputError, match="batch_size must be a positive integer, not "):
            make(catalogue, batch_size=batch_size, image_size=SIZE)


def test_bad_arguments(catalogue, tmp_path):
    with pytest.raises(InputError, match="skip_batches must be 0 unless repeat, not 2"):
        batches(catalogue, 8, SIZE, skip_batches=2)
    with pytest.raises(InputError, match="skip_batches must be at least 0, not -1"):
        batches(catalogue, 8, SIZE, repeat=True, skip_batches=-1)
    with pytest.raises(InputError, match="images must hold at least one image, not 0"):
        batches(catalogue.subset([]), 8, SIZE)
    with pytest.raises(InputError, match="images must hold at least one image, not 0"):
        alternating_batches(catalogue.subset([]).with_unlabelled(list(catalogue.files)), batch_size=8, image_size=SIZE)
    with pytest.raises(InputError, match="unlabelled must be a folder, files or a catalogue, not None"):
        unlabelled_batches()
    with pytest.raises(InputError, match="unlabelled must be an existing folder, not "):
        unlabelled_batches(tmp_path / "absent")
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(InputError, match=r"images must hold at least one readable image, not .*a\.jpg.*must be a JPEG"):
        unlabelled_batches([str(tmp_path / "a.jpg")], 1, SIZE)
    with pytest.raises(InputError, match="files must be among the decoded images"):
        batches(catalogue, 8, pixels=load_pixels(list(catalogue.files[:3]), SETTINGS))


@pytest.mark.real
@pytest.mark.slow
def test_real_galaxies(real_data, tmp_path):
    folder = real_data / "galaxyzoo1" / "images"
    files = sorted(str(file) for file in folder.glob("*.jpg"))[:600]
    stream = take(unlabelled_batches(files, 64, repeat=True, cache=tmp_path), 12)
    equal(take(unlabelled_batches(files, 64, repeat=True, skip_batches=4), 8), stream[4:])
    centre = np.concatenate(stream)[:, 24:40, 24:40].mean()
    corner = np.concatenate(stream)[:, :16, :16].mean()
    assert centre > 3 * corner  # galaxies are bright in the middle
