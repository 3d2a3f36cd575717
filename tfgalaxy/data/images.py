"""Decodes pictures: JPEG and PNG in TensorFlow operations that serving uses too, FITS in Python."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgalaxy.data.fits_images import FITS_SUFFIXES, read_fits
from tfgalaxy.data.image_headers import DAMAGED, JPEG_START, PNG_START, check_content, check_pixels
from tfgalaxy.data.preprocessing import MAXIMUM_PIXELS, Preprocessing
from tfgalaxy.errors import InputError

__all__ = [
    "crop_and_resize",
    "decode_bytes",
    "decoder",
    "is_fits",
    "prepare_array",
    "read_image",
    "read_picture",
    "survivors",
]

JPEG_END = b"\xff\xd9"
# A JPEG is decoded at half its size where so many of its pixels are left along each axis for one of the result's.
HALF_SIZE_PIXELS = 1.5
PNG_HEADER = 24  # bytes up to the end of width and height


def is_fits(path: str | os.PathLike[str]) -> bool:
    """Whether the file's name says that it is a FITS image."""
    return str(path).lower().endswith(FITS_SUFFIXES)


def _png_size(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from a PNG's header: two big-endian integers behind its signature; (0, 0) if it is cut short."""
    # Without padding, `substr` would fail with a message that quotes the bytes, which need not be text.
    content = tf.strings.join([content, tf.constant(bytes(PNG_HEADER))])
    numbers = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.uint8), tf.int32)
    width, height = tf.unstack(tf.linalg.matvec(tf.reshape(numbers, [2, 4]), tf.constant([1 << 24, 1 << 16, 256, 1])))
    return height, width


def _central_square(height: Any, width: Any, fraction: float) -> tuple[Any, Any, Any]:
    """Top, left and side of the central square; exactly centred where the picture is square."""
    shorter = tf.minimum(height, width)
    side = tf.cast(tf.math.rint(fraction * tf.cast(shorter, tf.float32)), tf.int32)
    side = tf.minimum(tf.maximum(side + (shorter - side) % 2, 1), shorter)
    return (height - side) // 2, (width - side) // 2, side


def _check_size(height: tf.Tensor, width: tf.Tensor) -> tf.Operation:
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return tf.debugging.Assert((height > 0) & (width > 0) & (pixels <= MAXIMUM_PIXELS), [height, width])


def _resize(square: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Average by area where pixels are merged; bilinear where the square has fewer pixels than the result.

    Both kernels read uint8 and give float32.
    """
    size = preprocessing.image_size
    return tf.cond(
        tf.shape(square)[-3] >= size,
        lambda: tf.image.resize(square, [size, size], method="area"),
        lambda: tf.image.resize(square, [size, size], method="bilinear"),
    )


def _resize_to_bytes(square: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    square = tf.ensure_shape(square, [None, None, preprocessing.channels])
    return tf.cast(tf.round(_resize(square, preprocessing)), tf.uint8)


def _with_channels(pictures: tf.Tensor, channels: int) -> tf.Tensor:
    if pictures.shape[-1] == channels:
        return pictures
    return tf.image.rgb_to_grayscale(pictures) if channels == 1 else tf.image.grayscale_to_rgb(pictures)


def crop_and_resize(pictures: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """What `decode_bytes` does to decoded pictures, without rounding to 8 bits.

    Args:
        pictures: float [B, H, W, C] of 1 or 3 channels.
        preprocessing: size, crop and colours of the result.

    Returns:
        float32 [B, S, S, C].
    """
    pictures = _with_channels(pictures, preprocessing.channels)
    top, left, side = _central_square(pictures.shape[1], pictures.shape[2], preprocessing.crop_fraction)
    return _resize(pictures[:, top : top + side, left : left + side], preprocessing)


def _decode_jpeg(content: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(content)
    with tf.control_dependencies([_check_size(shape[0], shape[1])]):
        top, left, side = _central_square(shape[0], shape[1], preprocessing.crop_fraction)
    # The cropping decoder never looks below the square: what does not end as a JPEG may lack its lower quarter, or have
    # bytes appended. Decoding all of it fails on the first and reads the second.
    whole_file = tf.strings.substr(content, -2, 2) == JPEG_END

    def decode(ratio: int) -> tf.Tensor:
        options = {"channels": preprocessing.channels, "dct_method": "INTEGER_ACCURATE", "ratio": ratio}
        window = tf.stack([top, left, side, side]) // ratio
        begin, size = tf.pad(window[:2], [[0, 1]]), tf.pad(window[2:], [[0, 1]], constant_values=-1)  # all colours
        return tf.cond(
            whole_file,
            lambda: tf.io.decode_and_crop_jpeg(content, window, **options),
            lambda: tf.slice(tf.io.decode_jpeg(content, **options), begin, size),
        )

    # At half its size a JPEG takes two thirds of the time: its blocks are low-passed by their own cosine transform, and
    # enough pixels are left for the average by area.
    enough = side >= int(2 * HALF_SIZE_PIXELS * preprocessing.image_size)
    even = tf.reduce_all(tf.stack([top, left, side]) % 2 == 0)
    return tf.cond(enough & even, lambda: decode(2), lambda: decode(1))


def _decode_png(content: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    known = tf.debugging.Assert(tf.strings.substr(content, 0, 8) == PNG_START, ["neither JPEG nor PNG"])
    with tf.control_dependencies([known]):
        height, width = _png_size(content)
    with tf.control_dependencies([_check_size(height, width)]):
        image = tf.io.decode_png(content, channels=preprocessing.channels)
    top, left, side = _central_square(height, width, preprocessing.crop_fraction)
    return image[top : top + side, left : left + side]


def decode_bytes(content: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Decodes one JPEG or PNG: a scalar string to uint8 [S, S, C].

    Grey, RGB, RGBA (alpha is dropped) and 16-bit pictures (their upper 8 bits) of any size. Only the central
    square of a JPEG is decoded. Stock TensorFlow operations only: the same graph trains and serves.

    Raises:
        tf.errors.InvalidArgumentError: bytes that are no whole JPEG or PNG, or a picture above `MAXIMUM_PIXELS`, which
            is refused before it is decoded.
    """
    is_jpeg = tf.strings.substr(content, 0, 3) == JPEG_START
    square = tf.cond(is_jpeg, lambda: _decode_jpeg(content, preprocessing), lambda: _decode_png(content, preprocessing))
    return tf.ensure_shape(
        _resize_to_bytes(square, preprocessing),
        [preprocessing.image_size, preprocessing.image_size, preprocessing.channels],
    )


def survivors(
    sources: tf.Tensor,
    decode: Callable[[tf.Tensor], tf.Tensor],
    preprocessing: Preprocessing,
    parallel_calls: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes each source by itself, in the current graph, and leaves those out that fail.

    An op that decodes fails for its whole batch when one picture is broken; a `tf.data` pipeline inside of the graph
    drops only the rows that fail. Reading the pipeline as one element takes 0.4 ms more than `tf.map_fn`;
    `Dataset.reduce` and iterators first have its graph rewritten, which takes 8 to 40 ms in every call.

    Args:
        sources: string [N].
        decode: gives uint8 [S, S, C] of a scalar string, or fails.
        preprocessing: size and colours of the images.
        parallel_calls: how many at a time, in any order (`tf.data.AUTOTUNE`: as many as there are threads); one after
            another by default.

    Returns:
        Positions int64 [K] of the sources that were decoded, and their images, uint8 [K, S, S, C].
    """
    count = tf.size(sources, tf.int64)
    numbered = tf.data.Dataset.from_tensor_slices((tf.range(count), sources))
    ordered = None if parallel_calls is None else False
    decoded = numbered.map(
        lambda row, source: (row, decode(source)), num_parallel_calls=parallel_calls, deterministic=ordered
    ).ignore_errors()
    # A last one that is always there, for sources that are all broken.
    blank = tf.zeros([preprocessing.image_size, preprocessing.image_size, preprocessing.channels], tf.uint8)
    decoded = decoded.concatenate(tf.data.Dataset.from_tensors((count, blank)))
    found, images = decoded.batch(count + 1).get_single_element()
    return found[:-1], images[:-1]


@functools.cache
def decoder(preprocessing: Preprocessing) -> Any:
    """`decode_bytes` for these settings, traced once in a process: a function of a scalar string."""

    def decode(content: tf.Tensor) -> tf.Tensor:
        return decode_bytes(content, preprocessing)

    return tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def prepare_array(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Crops and resizes a decoded picture, uint8 [H, W, C] of 1 or 3 channels, to uint8 [S, S, C]."""
    image = _with_channels(tf.constant(pixels), preprocessing.channels)
    top, left, side = _central_square(pixels.shape[0], pixels.shape[1], preprocessing.crop_fraction)
    return _resize_to_bytes(image[top : top + side, left : left + side], preprocessing).numpy()


def read_image(path: str | os.PathLike[str], preprocessing: Preprocessing) -> np.ndarray:
    """Reads a JPEG, PNG or FITS file as uint8 [S, S, C].

    Raises:
        InputError: the file is missing, empty, truncated, of another kind, or too large; the rule says which.
    """
    if is_fits(path):
        return prepare_array(read_fits(path), preprocessing)
    content = _read_content(path)
    try:
        return decoder(preprocessing)(tf.constant(content)).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise InputError(str(path), *DAMAGED) from error


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads all of a JPEG, PNG or FITS file, in its own size: uint8 [H, W, 3], or [H, W, 1] of a grey FITS image.

    Raises:
        InputError: as `read_image`.
    """
    if is_fits(path):
        return read_fits(path)
    content = _read_content(path)
    try:
        if content.startswith(PNG_START):
            return tf.io.decode_png(content, channels=3).numpy()
        height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
        check_pixels(str(path), height, width)  # as its decoder sees them: `check_content` reads no damaged headers
        return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    except tf.errors.InvalidArgumentError as error:
        raise InputError(str(path), *DAMAGED) from error


def _read_content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a JPEG or PNG of a size that may be decoded."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(str(path), "must be a readable file", error.strerror, "Check path and permissions.") from error
    check_content(str(path), content)
    return content
