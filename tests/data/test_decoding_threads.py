"""Blocks of pictures, each decoded by one thread."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.data.decoding_threads import decode_whole, map_in_order
from tfgalaxy.data.images import read_image
from tfgalaxy.data.preprocessing import Preprocessing

SETTINGS = Preprocessing(image_size=16)


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(0)
    for number in range(5):
        picture = random.integers(0, 256, (40 + number, 40, 3)).astype(np.uint8)
        encode = tf.io.encode_png if number % 2 else tf.io.encode_jpeg
        (tmp_path / f"{number}.img").write_bytes(encode(picture).numpy())
    return [str(tmp_path / f"{number}.img") for number in range(5)]


class TestDecodeWhole:
    def test_files_and_their_bytes_are_decoded_as_one_by_one(self, files):
        expected = np.stack([read_image(file, SETTINGS) for file in files])
        for found, images in (
            decode_whole(files, SETTINGS, of_files=True),
            decode_whole([Path(file).read_bytes() for file in files], SETTINGS),
        ):
            assert found.tolist() == [0, 1, 2, 3, 4]
            np.testing.assert_array_equal(images, expected)

    def test_what_is_missing_or_broken_is_left_out(self, files, tmp_path):
        expected = np.stack([read_image(file, SETTINGS) for file in files])
        (tmp_path / "cut.jpg").write_bytes(Path(files[0]).read_bytes()[:-9])
        mixed = [str(tmp_path / "none.jpg"), files[0], files[1], str(tmp_path / "cut.jpg"), *files[2:]]
        found, images = decode_whole(mixed, SETTINGS, of_files=True)
        assert found.tolist() == [1, 2, 4, 5, 6]
        np.testing.assert_array_equal(images, expected)

    @pytest.mark.parametrize("sources", [[], [b"no picture"], [b"", b""]])
    def test_of_nothing_whole_is_nothing(self, sources):
        found, images = decode_whole(sources, SETTINGS)
        assert found.shape == (0,)
        assert images.shape == (0, 16, 16, 3)


class TestMapInOrder:
    def test_results_are_in_the_items_order_whoever_is_done_first(self):
        def slow_first(number):
            time.sleep(0.02 if number % 3 == 0 else 0.0)
            return number * number

        assert list(map_in_order(slow_first, range(20))) == [number * number for number in range(20)]

    def test_it_runs_a_bounded_number_of_items_ahead(self, monkeypatch):
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        taken = []
        results = map_in_order(lambda number: number, (taken.append(number) or number for number in range(100)))
        assert next(results) == 0
        assert len(taken) == 5

    def test_an_error_reaches_the_caller_and_ends_the_rest(self):
        done, lock = [], threading.Lock()

        def fail_at_7(number):
            if number == 7:
                raise ValueError("seven")
            with lock:
                done.append(number)
            return number

        results = map_in_order(fail_at_7, range(1000))
        with pytest.raises(ValueError, match="seven"):
            list(results)
        assert len(done) < 100
