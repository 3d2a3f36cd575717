"""Blocks of pictures, each decoded by one thread."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.data.decoding_threads import batch_decoder, map_in_order
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


class TestBatchDecoder:
    def test_files_and_their_bytes_are_decoded_as_one_by_one(self, files):
        expected = np.stack([read_image(file, SETTINGS) for file in files])
        contents = [Path(file).read_bytes() for file in files]
        np.testing.assert_array_equal(batch_decoder(SETTINGS, of_files=True)(tf.constant(files)), expected)
        np.testing.assert_array_equal(batch_decoder(SETTINGS)(tf.constant(contents)), expected)

    def test_of_nothing_is_nothing(self):
        assert batch_decoder(SETTINGS)(tf.constant([], tf.string)).shape == (0, 16, 16, 3)

    def test_one_that_is_missing_or_broken_is_an_error(self, files, tmp_path):
        with pytest.raises(tf.errors.OpError):
            batch_decoder(SETTINGS, of_files=True)(tf.constant([*files, str(tmp_path / "none.jpg")]))
        with pytest.raises(tf.errors.OpError):
            batch_decoder(SETTINGS)(tf.constant([Path(files[0]).read_bytes()[:-9], b"no picture"]))


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
