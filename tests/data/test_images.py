"""Decoding against Pillow and NumPy; every bad file by the words of its error."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgalaxy.data.images import decode_bytes, prepare_array, read_image
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError


def picture(height, width, channels=3, seed=0):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def smooth(height, width):
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.round(255 * np.stack([x, y, np.exp(-4 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))], -1)).astype(np.uint8)


def area_weights(source, target):
    """[target, source]: the share of each pixel in each interval of the result."""
    edges = np.arange(target + 1) * source / target
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(source)[None]
    return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None) * target / source


def central(pixels, side):
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]


def averaged(square):
    """Exact averages by area, in float64. (Pillow's BOX gives pixels that lie across an edge to one side only.)"""
    weights = area_weights(len(square), 64)
    return np.einsum("ij,jkc,lk->ilc", weights, square.astype(float), weights, optimize=True)


def check_jpeg(decoded, whole, side):
    """Inside as exact as rounding; at the border colours lack the neighbours that were not decoded."""
    difference = np.abs(decoded - averaged(central(whole, side)))
    assert difference[1:-1, 1:-1].max() <= 0.5 + 1e-3
    assert difference.max() <= 12


@pytest.mark.parametrize(
    ("shape", "fraction", "side"),
    [
        ((424, 424), 0.5, 212),
        ((423, 423), 0.5, 213),  # 212 would lie half a pixel off the centre
        ((97, 97), 1.0, 97),
        ((131, 300), 0.5, 67),  # rounds to 66, which leaves 65
        ((301, 128), 0.75, 96),
        ((64, 64), 1.0, 64),
    ],
)
def test_central_square_is_averaged_by_area(shape, fraction, side):
    pixels = picture(*shape)
    expected = averaged(central(pixels, side))
    decoded = decode_bytes(tf.constant(encoded(pixels)), Preprocessing(crop_fraction=fraction)).numpy()
    assert decoded.dtype == np.uint8
    assert decoded.shape == (64, 64, 3)
    assert np.abs(decoded - expected).max() <= 0.5 + 1e-3


def test_small_pictures_are_interpolated_like_pillow():
    pixels = picture(30, 41)
    square = central(pixels, 30)
    bands = [Image.fromarray(square[..., band].astype(np.float32)) for band in range(3)]
    expected = np.stack([np.asarray(band.resize((64, 64), Image.Resampling.BILINEAR)) for band in bands], -1)
    decoded = decode_bytes(tf.constant(encoded(pixels)), Preprocessing(crop_fraction=1.0)).numpy()
    assert np.abs(decoded - expected).max() <= 0.5 + 1e-2


def test_one_pixel_fills_the_result():
    pixels = np.full((1, 1, 3), (9, 80, 200), np.uint8)
    decoded = decode_bytes(tf.constant(encoded(pixels)), Preprocessing()).numpy()
    assert (decoded == pixels).all()


@pytest.mark.parametrize("shape", [(424, 424), (423, 423), (200, 331)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_like_pillow(shape, options):
    content = encoded(smooth(*shape), "JPEG", quality=95, **options)
    picture_file = Image.open(io.BytesIO(content))
    if shape == (424, 424):  # a square of 212 pixels, decoded at half its size
        picture_file.draft("RGB", (212, 212))
        assert picture_file.size == (212, 212)
    side = {424: 106, 423: 213, 200: 100}[shape[0]]
    check_jpeg(decode_bytes(tf.constant(content), Preprocessing()).numpy(), np.asarray(picture_file), side)


@pytest.mark.parametrize("size", [424, 428, 768])
def test_jpegs_decoded_at_half_their_size_stay_where_they_are(size):
    pixels = smooth(size, size)
    half = decode_bytes(tf.constant(encoded(pixels, "JPEG", quality=98)), Preprocessing()).numpy()
    whole = decode_bytes(tf.constant(encoded(pixels)), Preprocessing()).numpy()
    assert np.abs(half.astype(int) - whole).max() <= 2


@pytest.mark.parametrize("size", [63, 64, 211, 212, 423, 424])
@pytest.mark.parametrize("fraction", [0.5, 0.7, 1.0])
def test_symmetric_pictures_stay_symmetric(size, fraction):
    pixels = picture(size, size).astype(int)
    pixels = sum(np.rot90(pixels, turn) for turn in range(4)) // 4
    pixels = ((pixels + pixels[:, ::-1]) // 2).astype(np.uint8)
    decoded = decode_bytes(tf.constant(encoded(pixels)), Preprocessing(crop_fraction=fraction)).numpy().astype(int)
    for same in (decoded[:, ::-1], decoded[::-1], np.rot90(decoded)):
        difference = np.abs(decoded - same)
        assert difference.max() <= 1  # sums in another order, at the edge of rounding
        assert (difference > 0).mean() < 0.01


def test_grey_becomes_colour_and_colour_grey():
    grey = picture(100, 100, 1)
    decoded = decode_bytes(tf.constant(encoded(grey)), Preprocessing()).numpy()
    assert (decoded == decoded[..., :1]).all()
    one = decode_bytes(tf.constant(encoded(grey)), Preprocessing(channels=1)).numpy()
    np.testing.assert_array_equal(one, decoded[..., :1])
    colour = np.full((100, 100, 3), (200, 100, 50), np.uint8)
    luminance = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    for kind in ("PNG", "JPEG"):
        one = decode_bytes(tf.constant(encoded(colour, kind)), Preprocessing(channels=1)).numpy()
        assert one.shape == (64, 64, 1)
        assert np.abs(one - luminance).max() <= 2


def test_alpha_is_dropped_and_palettes_are_looked_up():
    pixels = picture(128, 128)
    expected = decode_bytes(tf.constant(encoded(pixels)), Preprocessing()).numpy()
    alpha = np.dstack([pixels, picture(128, 128, 1, seed=1)])
    np.testing.assert_array_equal(decode_bytes(tf.constant(encoded(alpha)), Preprocessing()), expected)
    buffer = io.BytesIO()
    few = Image.fromarray(pixels // 128 * 255)
    few.convert("P", palette=Image.Palette.ADAPTIVE, colors=8).save(buffer, "PNG")
    expected = decode_bytes(tf.constant(encoded(np.asarray(few))), Preprocessing()).numpy()
    np.testing.assert_array_equal(decode_bytes(tf.constant(buffer.getvalue()), Preprocessing()), expected)


def test_sixteen_bits_give_their_upper_eight():
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64)).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    decoded = decode_bytes(tf.constant(buffer.getvalue()), Preprocessing(channels=1, crop_fraction=1.0)).numpy()
    np.testing.assert_array_equal(decoded[..., 0], deep >> 8)


def test_array_file_and_graph_agree(tmp_path):
    settings = Preprocessing(image_size=32, crop_fraction=0.6)
    pixels = picture(90, 121)
    path = tmp_path / "a.PNG"
    path.write_bytes(encoded(pixels))
    expected = decode_bytes(tf.constant(encoded(pixels)), settings).numpy()
    np.testing.assert_array_equal(read_image(path, settings), expected)
    np.testing.assert_array_equal(prepare_array(pixels, settings), expected)
    mapped = tf.map_fn(
        lambda content: decode_bytes(content, settings),
        tf.constant([encoded(pixels)] * 2),
        fn_output_signature=tf.uint8,
    )
    np.testing.assert_array_equal(mapped[1], expected)


def test_bytes_behind_the_end_of_a_jpeg_are_harmless(tmp_path):
    content = encoded(smooth(200, 200), "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(content + b"appended by a camera")
    expected = decode_bytes(tf.constant(content), Preprocessing()).numpy().astype(int)
    assert np.abs(read_image(path, Preprocessing()) - expected).max() <= 2


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def jpeg_claiming(width, height):
    content = encoded(smooth(64, 64), "JPEG")
    frame = content.index(b"\xff\xc0") + 5
    return content[:frame] + struct.pack(">HH", height, width) + content[frame + 4 :]


JPEG, PNG = encoded(picture(200, 200), "JPEG"), encoded(picture(200, 200))
WHOLE = "must be a whole image, not 'a truncated or damaged file'"
LARGE = "must have at most 67,108,864 pixels, not "
BAD_FILES = {
    "empty": (b"", "must be an image, not 'an empty file'"),
    "one byte": (b"\xff", "must be a JPEG, PNG or FITS image"),
    "text": (b"<html>404 Not Found</html>", "must be a JPEG, PNG or FITS image, not b'<html>404"),
    "gif": (b"GIF89a" + bytes(99), "must be a JPEG, PNG or FITS image, not b'GIF89a"),
    **{f"jpeg cut at {part}": (JPEG[: int(part * len(JPEG))], WHOLE) for part in (0.1, 0.5, 0.8, 0.9, 0.99)},
    "jpeg start": (JPEG[:3], WHOLE),
    "jpeg without end": (JPEG[:-2], WHOLE),
    **{f"png cut at {part}": (PNG[: int(part * len(PNG))], WHOLE) for part in (0.1, 0.5, 0.99)},
    "png start": (PNG[:8], WHOLE),
    "png header": (PNG[:22], WHOLE),
    "png without pixels": (png_claiming(0, 10), WHOLE),
    "large png": (png_claiming(100_000, 100_000), LARGE + "'100000 x 100000'"),
    "png above 31 bits": (png_claiming(2**32 - 1, 2**32 - 1), WHOLE),
    "large jpeg": (jpeg_claiming(60_000, 60_000), LARGE + "'60000 x 60000'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    content, words = BAD_FILES[name]
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_image(path, Preprocessing())
    assert f"{path} {words}" in str(caught.value)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_bytes(tf.constant(content), Preprocessing())


@pytest.mark.parametrize(("claim", "decoder"), [(png_claiming, "DecodePng"), (jpeg_claiming, "DecodeAndCropJpeg")])
def test_large_pictures_are_refused_before_they_are_decoded(claim, decoder):
    decode = tf.function(decode_bytes)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(claim(50_000, 50_000)), Preprocessing())
    assert "assertion failed" in str(caught.value)
    assert f"node: {{{{node cond/{decoder}" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"absent.jpg must be a readable file, not 'No such file or directory'"):
        read_image(tmp_path / "absent.jpg", Preprocessing())
    with pytest.raises(InputError, match=r"must be a readable file, not 'Is a directory'"):
        read_image(tmp_path, Preprocessing())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 8}, "image_size must be at least 16, not 8"),
        ({"channels": 4}, "channels must be 1 or 3, not 4"),
        ({"crop_fraction": 0.0}, r"crop_fraction must lie in \(0, 1\], not 0.0"),
        ({"crop_fraction": 1.5}, r"crop_fraction must lie in \(0, 1\], not 1.5"),
    ],
)
def test_bad_settings(options, words):
    with pytest.raises(InputError, match=words):
        Preprocessing(**options)


@pytest.mark.real
def test_real_galaxies_like_pillow(real_data):
    files = sorted((real_data / "galaxyzoo1" / "images").glob("*.jpg"))[:40]
    files += sorted((real_data / "galaxyzoo2" / "images_training_rev1").glob("*.jpg"))[:40]
    for file in files:
        picture_file = Image.open(file)
        side = {424: 106, 423: 213}[picture_file.size[0]]
        if side == 106:  # a square of 212 pixels, decoded at half its size
            picture_file.draft("RGB", (212, 212))
        check_jpeg(read_image(file, Preprocessing()), np.asarray(picture_file.convert("RGB")), side)
