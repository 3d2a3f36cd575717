"""Transformed pictures: what is moved by whole pixels, in which frame, and which files are taken."""

import numpy as np
import pytest
import tensorflow as tf

from tfgalaxy.data.images import crop_and_resize, read_image, read_picture
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.transformed_images import PictureFiles, readable_files, transformed_images


def pictures(count=3, height=48, width=48):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def shift(x, y, count=3):
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return np.tile(matrix, (count, 1, 1))


def write(folder, images, suffix="png"):
    folder.mkdir(exist_ok=True)
    files = []
    for index, image in enumerate(images):
        encoded = tf.io.encode_png(image) if suffix == "png" else tf.io.encode_jpeg(image, quality=95)
        files.append(str(folder / f"{index}.{suffix}"))
        tf.io.write_file(files[-1], encoded)
    return files


def test_a_shift_of_whole_pixels_moves_them():
    images = pictures()
    moved = transformed_images(images, shift(2 * 3 / 48, -2 * 5 / 48))
    np.testing.assert_allclose(moved[:, :-5, 3:], images[:, 5:, :-3] / 255, atol=1e-4)
    np.testing.assert_allclose(transformed_images(images.astype(np.float32)), images, atol=0)


def test_a_quarter_turn_goes_from_x_to_y():
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # right goes down, y pointing down
    images = pictures()
    moved = transformed_images(images, np.tile(quarter, (3, 1, 1)))
    np.testing.assert_allclose(moved, np.rot90(images, k=-1, axes=(1, 2)) / 255, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 64), (64, 48)])
def test_the_frame_is_that_of_the_crop(height, width):
    images, half = pictures(3, height, width), Preprocessing(24, 3, 0.5)
    moved = transformed_images(list(images), shift(2 / 24, -4 / 24), half)  # one pixel right, two up
    rolled = np.roll(images, (-2, 1), axis=(1, 2))
    np.testing.assert_allclose(moved, transformed_images(list(rolled), None, half), atol=1e-3)


def test_prepared_pictures_are_what_is_read_from_files_but_for_rounding(tmp_path):
    images, settings = pictures(2, 60, 80), Preprocessing(16, 3, 0.5)
    files = write(tmp_path, images)
    read = np.stack([read_image(file, settings) for file in files])
    np.testing.assert_array_equal(np.round(255 * transformed_images(PictureFiles(files), None, settings)), read)
    grey = crop_and_resize(tf.constant(images, tf.float32), Preprocessing(16, 1, 0.5))
    expected = np.stack([read_image(file, Preprocessing(16, 1, 0.5)) for file in files])
    assert grey.shape == (2, 16, 16, 1)
    assert np.abs(grey.numpy() - expected).max() <= 1.5  # the decoder rounds to grey before it averages


def test_whole_pictures_are_read_in_their_own_size(tmp_path):
    images = pictures(2, 40, 56)
    np.testing.assert_array_equal(read_picture(write(tmp_path / "png", images)[0]), images[0])
    smooth = np.tile(np.arange(56, dtype=np.uint8)[:, np.newaxis] * 4, (2, 40, 1, 3))
    jpeg = read_picture(write(tmp_path / "jpeg", smooth, "jpg")[1])
    assert jpeg.shape == (40, 56, 3)
    assert np.abs(jpeg.astype(int) - smooth[1]).max() < 8
    whole = (tmp_path / "jpeg" / "0.jpg").read_bytes()
    (tmp_path / "jpeg" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"0\.jpg must be a whole image, not 'a truncated or damaged file'"):
        read_picture(tmp_path / "jpeg" / "0.jpg")


def test_fits_pictures_are_read_whole(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(np.random.default_rng(0).random((20, 30)).astype(np.float32)).writeto(tmp_path / "one.fits")
    assert read_picture(tmp_path / "one.fits").shape == (20, 30, 1)
    assert transformed_images(PictureFiles([tmp_path / "one.fits"]), None, Preprocessing(16, 3, 1.0)).shape[-1] == 3


def test_files_that_cannot_be_read_are_passed_over(tmp_path):
    files = write(tmp_path, pictures(6, 24, 24))
    for file in files[:3]:
        with open(file, "wb") as stream:
            stream.write(b"no image")
    assert sorted(readable_files(files, 10)) == files[3:]
    assert len(readable_files(files, 2, seed=1)) == 2
    with pytest.raises(InputError, match="must be a JPEG, PNG or FITS image"):
        readable_files(files[:3], 2)
    with pytest.raises(InputError, match="count must be at least 1, not 0"):
        readable_files(files, 0)
    part = PictureFiles(files)[4:]
    assert len(part) == 2
    assert part[0].shape == (24, 24, 3)
