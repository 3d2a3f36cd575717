"""Decoding in the graph: row by row what local decoding gives, whatever its neighbours are."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgalaxy.data.images import decoder
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.export.decoding import decode_rows

SETTINGS = Preprocessing(image_size=32)


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda rows: decode_rows(rows, SETTINGS), input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (90, 101, 4)).astype(np.uint8)
RGB = np.ascontiguousarray(PIXELS[..., :3])
JPEG, PNG = encoded(RGB, "JPEG"), encoded(RGB)
GOOD = {
    "JPEG": JPEG,
    "PNG": PNG,
    "grey JPEG": encoded(RGB[..., 0].copy(), "JPEG"),
    "grey PNG": encoded(RGB[..., 0].copy()),
    "RGBA PNG": encoded(PIXELS),
    "progressive JPEG": encoded(RGB, "JPEG", progressive=True),
    "CMYK JPEG": encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
    "palette PNG": encoded(Image.fromarray(RGB).quantize(16)),
    "one pixel": encoded(RGB[:1, :1].copy()),
    "JPEG smaller than the result": encoded(RGB[:20, :25].copy(), "JPEG"),
    "PNG larger than the result": encoded(np.tile(RGB, (4, 4, 1))),
}
FRAME = JPEG.index(b"\xff\xc0") + 5
BROKEN = {
    "empty": b"",
    "text": b"<html>404</html>",
    "JPEG's start": JPEG[:3],
    "half a JPEG": JPEG[: len(JPEG) // 2],
    "JPEG without end": JPEG[:-2],
    "header of zeros": JPEG[:4] + bytes(100) + JPEG[104:],
    "half a PNG": PNG[: len(PNG) // 2],
    "PNG with a wrong checksum": PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:],
    "huge JPEG": JPEG[:FRAME] + struct.pack(">HH", 65000, 65000) + JPEG[FRAME + 4 :],
    "huge PNG": PNG[:16] + struct.pack(">II", 100_000, 100_000) + PNG[24:],
    "PNG above 31 bits": PNG[:16] + struct.pack(">II", 2**32 - 1, 2**32 - 1) + PNG[24:],
    "GIF": encoded(Image.fromarray(RGB).quantize(16), "GIF"),
    "BMP": encoded(RGB, "BMP"),
    "WebP": encoded(RGB, "WEBP"),
}


def local(content):
    return decoder(SETTINGS)(tf.constant(content)).numpy()


@pytest.mark.core
def test_good_rows_are_those_of_local_decoding_to_the_bit_beside_every_broken_one(decode):
    good, broken = list(GOOD.values()), list(BROKEN.values())
    rows = [*good[:4], *broken[:7], *good[4:8], *broken[7:], *good[8:]]
    images, valid = decode(tf.constant(rows))
    np.testing.assert_array_equal(valid, [row in good for row in rows])
    for row, image in zip(rows, images.numpy(), strict=True):
        expected = local(row) if row in good else np.zeros([32, 32, 3], np.uint8)
        np.testing.assert_array_equal(image, expected.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("rows", [[], [b""], [b"", b"x"], [JPEG], [PNG] * 3])
def test_batches_of_any_size_and_without_any_picture(decode, rows):
    images, valid = decode(tf.constant(rows, tf.string, [len(rows)]))
    assert images.shape == (len(rows), 32, 32, 3)
    np.testing.assert_array_equal(valid, [1.0 if row in (JPEG, PNG) else 0.0 for row in rows])


def test_rows_keep_their_order(decode):
    pictures = [encoded(np.full([64, 64, 3], level, np.uint8)) for level in range(0, 250, 5)]
    slow = encoded(np.full([900, 900, 3], 251, np.uint8))  # decoded last of those that start together
    images, _ = decode(tf.constant([slow, *pictures]))
    np.testing.assert_array_equal(np.round(images[:, 0, 0, 0] * 255), [251, *range(0, 250, 5)])


def test_damaged_pictures_are_valid_exactly_where_local_decoding_reads_them(decode):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        damaged = bytearray(list(GOOD.values())[rng.integers(len(GOOD))])
        for position in rng.integers(2, len(damaged), rng.integers(1, 6)):
            damaged[position] = rng.integers(256)
        rows.append(bytes(damaged[: rng.integers(1, len(damaged))]) if rng.uniform() < 0.2 else bytes(damaged))
    images, valid = decode(tf.constant(rows))
    for row, image, is_valid in zip(rows, images.numpy(), valid.numpy(), strict=True):
        try:
            expected = local(row)
        except tf.errors.InvalidArgumentError:
            assert not is_valid
        else:
            assert is_valid
            np.testing.assert_array_equal(np.round(image * 255), expected)
    assert 20 < valid.numpy().sum() < 180


def test_pictures_of_absurd_size_are_not_decoded(decode):
    """A whole PNG of 9,000 x 9,000 pixels takes 243 MB when decoded, and is refused by its header."""
    import resource
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    content = zlib.compress(bytes(9000 * (3 * 9000 + 1)), 1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, valid = decode(tf.constant([JPEG, bomb]))
    np.testing.assert_array_equal(valid, [1, 0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
