"""Decoded images: rows never shift, broken files are listed, and no cache entry can be stale or damaged."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from tfgalaxy.data import pixels as module
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.images import read_image
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError

SETTINGS = Preprocessing(image_size=16)


def draw(path, seed):
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 48, 3)).astype(np.uint8)).save(path)


@pytest.fixture
def files(tmp_path):
    """Ten files: pictures of three kinds, and three that are broken (numbers 2, 5 and 9)."""
    folder = tmp_path / "images"
    folder.mkdir()
    names = [folder / f"{number}.{'jpg' if number % 2 else 'png'}" for number in range(10)]
    names[4] = folder / "4.fits"
    for number, name in enumerate(names):
        if number == 4:
            fits.PrimaryHDU(np.random.default_rng(4).random((40, 40))).writeto(name)
        else:
            draw(name, number)
    names[2].write_bytes(b"")
    names[5].write_bytes(names[5].read_bytes()[:-500])
    names[9].unlink()
    return [str(name) for name in names]


GOOD = [0, 1, 3, 4, 6, 7, 8]


def check_rows(pixels, files):
    assert list(pixels.files) == files
    assert len(pixels) == len(files) == len(pixels.array)
    for image, file in zip(pixels.array, files, strict=True):
        np.testing.assert_array_equal(image, read_image(file, SETTINGS))


@pytest.mark.parametrize("cache", [False, True])
def test_rows_follow_the_files_and_broken_ones_are_listed(files, tmp_path, cache):
    order = [8, 2, 4, 9, 0, 1, 7, 5, 6, 3, 4]  # one of them twice
    pixels = load_pixels([files[number] for number in order], SETTINGS, tmp_path / "cache" if cache else None)
    check_rows(pixels, [files[number] for number in order if number in GOOD])
    assert len(pixels.store) == len(GOOD)
    assert isinstance(pixels.store, np.memmap) == cache
    reasons = dict(pixels.excluded)
    assert set(reasons) == {files[2], files[5], files[9]}
    assert reasons[files[2]] == "must be an image, not an empty file"
    assert reasons[files[5]] == "must be a whole image, not a truncated or damaged file"
    assert reasons[files[9]] == "must be a readable file, not No such file or directory"


def test_memory_and_disk_are_equal(files, tmp_path):
    memory = load_pixels(files, SETTINGS)
    first = load_pixels(files, SETTINGS, tmp_path / "cache")
    second = load_pixels(files, SETTINGS, tmp_path / "cache")
    for disk in (first, second):
        np.testing.assert_array_equal(disk.array, memory.array)
        assert list(disk.files) == list(memory.files)
        assert disk.excluded == memory.excluded
    assert not [name for name in os.listdir(tmp_path / "cache") if name.startswith(".")]


def test_all_broken_or_none_at_all(files, tmp_path):
    for cache in (None, tmp_path / "cache"):
        for chosen in ([], [files[2], files[9]]):
            pixels = load_pixels(chosen, SETTINGS, cache)
            assert len(pixels) == 0
            assert pixels.array.shape == (0, 16, 16, 3)
            assert len(pixels.excluded) == len(chosen)


@pytest.fixture
def decodings(monkeypatch):
    """Counts how often images are decoded."""
    count = []
    decode = module._decode

    def counted(*arguments):
        count.append(arguments)
        return decode(*arguments)

    monkeypatch.setattr(module, "_decode", counted)
    return count


def test_an_entry_is_used_again(files, tmp_path, decodings):
    load_pixels(files, SETTINGS, tmp_path / "cache")
    load_pixels(files[::-1], SETTINGS, tmp_path / "cache")
    assert len(decodings) == 1
    load_pixels(files, SETTINGS.replace(crop_fraction=0.7), tmp_path / "cache")
    load_pixels(files[:4], SETTINGS, tmp_path / "cache")
    assert len(decodings) == 3


def draw_padded(path, seed):
    """Always 20,000 bytes: what stands behind the end of a PNG is harmless."""
    draw(path, seed)
    path.write_bytes(path.read_bytes().ljust(20_000, b"\0"))


def test_a_changed_file_of_the_same_size_and_time_is_decoded_anew(files, tmp_path):
    path = Path(files[0])
    draw_padded(path, 0)
    load_pixels(files, SETTINGS, tmp_path / "cache")
    before = path.stat()
    draw_padded(path, 77)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    check_rows(load_pixels(files, SETTINGS, tmp_path / "cache"), [files[number] for number in GOOD])


def test_a_repaired_file_is_found(files, tmp_path):
    load_pixels(files, SETTINGS, tmp_path / "cache")
    draw(files[9], 9)
    check_rows(load_pixels(files, SETTINGS, tmp_path / "cache"), [files[number] for number in (*GOOD, 9)])


def test_a_file_that_changes_while_it_is_read(files, tmp_path):
    def change(done, total):
        draw(files[0], 100 + done)

    with pytest.raises(InputError, match="images must not change while they are read, not 'changed files'"):
        load_pixels(files, SETTINGS, tmp_path / "cache", change)
    assert os.listdir(tmp_path / "cache") == []


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-500] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def forget_digest(path):
    record = json.loads(path.read_text())
    del record["digest"]
    path.write_text(json.dumps(record))


DAMAGES = [
    *itertools.product([cut, empty, os.unlink], ["npy", "json"]),
    (flip_a_bit, "npy"),
    (forget_digest, "json"),
]


@pytest.mark.parametrize(("damage", "kind"), DAMAGES)
def test_a_damaged_entry_is_made_anew(files, tmp_path, decodings, damage, kind):
    expected = load_pixels(files, SETTINGS, tmp_path / "cache").array.copy()
    (entry,) = (tmp_path / "cache").glob(f"*.{kind}")
    damage(entry)
    result = load_pixels(files, SETTINGS, tmp_path / "cache")
    np.testing.assert_array_equal(result.array, expected)
    assert len(decodings) == 2
    load_pixels(files, SETTINGS, tmp_path / "cache")
    assert len(decodings) == 2


def test_an_interrupted_writer_leaves_no_entry(files, tmp_path, decodings):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_pixels(files, SETTINGS, tmp_path / "cache", interrupt)
    assert os.listdir(tmp_path / "cache") == []
    check_rows(load_pixels(files, SETTINGS, tmp_path / "cache"), [files[number] for number in GOOD])


def test_progress_ends_at_the_total(files):
    seen = []
    load_pixels(files, SETTINGS, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (10, 10)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_select(files):
    pixels = load_pixels(files, SETTINGS)
    wanted = [files[number] for number in (7, 0, 7, 4)]
    part = pixels.select(wanted)
    check_rows(part, wanted)
    assert part.store is pixels.store
    assert pixels.array is pixels.store
    with pytest.raises(InputError, match=r"files must be among the decoded images, not .*2\.png"):
        pixels.select([files[2]])


def test_broken_images_leave_the_catalogue_with_their_reasons(files):
    questions = Questions.preset("gz1")
    votes = np.arange(6)[:, np.newaxis] * np.ones(questions.num_answers)
    ids = [f"galaxy {number}" for number in range(6)]
    catalogue = Catalogue(questions, ids, files[:6], votes, unlabelled_files=np.array(files[6:], dtype=object))
    pixels = load_pixels(files, SETTINGS)
    kept = exclude_broken(catalogue, pixels)
    assert list(kept.ids) == ["galaxy 0", "galaxy 1", "galaxy 3", "galaxy 4"]
    np.testing.assert_array_equal(kept.votes[:, 0], [0, 1, 3, 4])
    assert list(kept.files) == [files[number] for number in (0, 1, 3, 4)]
    assert list(kept.unlabelled_files) == files[6:9]
    listed = [(entry.id, entry.file, entry.reason) for entry in kept.excluded]
    assert [entry[:2] for entry in listed] == [("galaxy 2", files[2]), ("galaxy 5", files[5]), ("", files[9])]
    assert listed[0][2] == "must be an image, not an empty file"
    check_rows(pixels.select(kept.files), list(kept.files))
    again = exclude_broken(kept, pixels)
    assert again.excluded == kept.excluded


def test_pixels_of_a_part_are_no_view_by_accident():
    store = np.arange(4 * 16 * 16 * 3, dtype=np.uint8).reshape(4, 16, 16, 3)
    pixels = Pixels(store, np.array([3, 1]), np.array(["d", "b"], dtype=object))
    np.testing.assert_array_equal(pixels.array, store[[3, 1]])
