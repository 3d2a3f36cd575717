"""FITS cut-outs: the stretch by hand-worked numbers, orientation, bands, missing pixels, and files without an image."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from tfgalaxy.data.fits_images import asinh_stretch, read_fits
from tfgalaxy.data.images import is_fits, prepare_array, read_image
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError


def galaxy(size=60, sky=5.0):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return sky + 1000.0 * np.exp(-np.hypot(x, y) / 4)


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.fits"):
        path = tmp_path / name
        fits.PrimaryHDU(data).writeto(path)
        return path

    return write


def test_stretch_by_hand():
    flux = np.full((7, 7, 1), 10.0)
    flux[3, 3], flux[3, 2], flux[2, 3], flux[4, 3] = 110.0, 20.0, 60.0, -90.0
    # asinh(10) = 2.998223, asinh(5) = 2.312438, asinh(1) = 0.881374: times 255 / 2.998223
    result = asinh_stretch(flux, softening=0.1, brightest=100.0)[..., 0]
    assert result[3, 3] == 255
    assert result[2, 3] == 197  # 196.67
    assert result[3, 2] == 75  # 74.96
    assert result[4, 3] == 0
    assert result[0, 0] == 0


def test_channels_share_one_scale_but_not_the_sky():
    flux = np.stack([galaxy(sky=5.0), galaxy(sky=50.0), 5.0 + 0.5 * (galaxy() - 5.0)], -1)
    result = asinh_stretch(flux).astype(int)
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    assert 200 < result[30, 30, 2] < 0.95 * result[30, 30, 0]


def test_first_row_is_the_bottom(write):
    data = galaxy()
    data[5, 30] = 900.0
    result = read_fits(write(data))
    assert result.shape == (60, 60, 1)
    assert result[54, 30, 0] > 200
    assert result[5, 30, 0] < 100


@pytest.mark.parametrize("bands", [3, 4, 5])
@pytest.mark.parametrize("last", [False, True])
def test_bluest_band_first_becomes_blue(write, bands, last):
    cube = np.stack([(band + 1) * galaxy(sky=0) for band in range(bands)], -1 if last else 0)
    result = read_fits(write(cube)).astype(int)
    assert result.shape == (60, 60, 3)
    red, green, blue = result[30, 38]
    assert red > green > blue > 0


def test_other_numbers_and_places(tmp_path, write):
    expected = read_fits(write(galaxy()))
    np.testing.assert_array_equal(read_fits(write(galaxy()[np.newaxis], "cube.fits")), expected)
    np.testing.assert_array_equal(read_fits(write(galaxy()[np.newaxis, np.newaxis], "deep.fits")), expected)
    np.testing.assert_allclose(read_fits(write(galaxy().astype(">f4"), "float.fit")), expected, atol=1)
    counts = np.round(galaxy() * 30).astype(np.uint16)
    np.testing.assert_allclose(read_fits(write(counts, "counts.fits")).astype(int), expected, atol=2)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    units = fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(galaxy()), fits.ImageHDU(np.zeros((9, 9)))])
    units.writeto(tmp_path / "second.fits")
    np.testing.assert_array_equal(read_fits(tmp_path / "second.fits"), expected)
    packed = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(counts.astype(np.int32))])
    packed.writeto(tmp_path / "packed.fits.fz")
    np.testing.assert_allclose(read_fits(tmp_path / "packed.fits.fz").astype(int), expected, atol=2)


def test_gzip(tmp_path, write):
    plain = write(galaxy())
    packed = tmp_path / "b.FITS.GZ"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert is_fits(packed)
    np.testing.assert_array_equal(read_fits(packed), read_fits(plain))


def test_missing_pixels_become_sky(write):
    data = np.stack([galaxy(sky=sky) for sky in (5.0, 50.0, 500.0)])
    expected = read_fits(write(data))
    data[:, 30:33, 40:44] = np.nan
    data[0, :20] = np.nan  # a third of the edge
    data[1, 2, 3] = np.inf
    result = read_fits(write(data, "missing.fits"))
    assert (result[27:30, 40:44] == 0).all()
    assert (result[40:, :, 2] == 0).all()
    assert result[57, 3, 1] == 0
    np.testing.assert_allclose(result[25, 20:38].astype(int), expected[25, 20:38], atol=1)


def test_missing_edges_take_the_sky_of_the_rest(write):
    data = galaxy(sky=100.0)
    data[[0, -1]] = data[:, [0, -1]] = np.nan
    result = read_fits(write(data))
    assert (result[[0, -1]] == 0).all()
    assert result[30, 30, 0] == 255


def test_one_missing_band_is_dark(write):
    data = np.stack([galaxy(), np.full((60, 60), np.nan), galaxy()])
    result = read_fits(write(data))
    assert (result[..., 1] == 0).all()
    assert result[30, 30, 0] == 255


def test_flat_picture_is_black(write):
    assert (read_fits(write(np.full((20, 20), 7.0))) == 0).all()


def test_prepared_like_other_pictures(write):
    path = write(galaxy(61))
    result = read_image(path, Preprocessing(image_size=16))
    assert result.shape == (16, 16, 3)
    np.testing.assert_array_equal(result, prepare_array(read_fits(path), Preprocessing(image_size=16)))
    np.testing.assert_allclose(result.astype(int), result[:, ::-1].astype(int), atol=1)
    assert read_image(path, Preprocessing(image_size=16, channels=1)).shape == (16, 16, 1)
    cube = write(np.stack([galaxy()] * 3), "cube.fits")
    assert read_image(cube, Preprocessing(image_size=16, channels=1)).shape == (16, 16, 1)


def refuse(path, words):
    with pytest.raises(InputError) as caught:
        read_fits(path)
    assert f"{path} {words}" in str(caught.value)


def test_files_without_an_image(tmp_path, write):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    table.writeto(tmp_path / "table.fits")
    for path in (tmp_path / "table.fits", write(None, "none.fits"), write(np.arange(9.0), "spectrum.fits")):
        refuse(path, "must hold an image, not 'a FITS file without one'")


@pytest.mark.parametrize("shape", [(2, 30, 30), (30, 30, 30), (2, 3, 30, 30)])
def test_wrong_shapes(write, shape):
    refuse(write(np.ones(shape)), "must hold an image [H, W] or a cube of 3 to 5 bands, not (")


def test_no_finite_pixel(write):
    refuse(write(np.full((30, 30), np.nan)), "must have finite pixels, not 'none'")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("name", ["cut.fits", "cut.fits.gz"])
@pytest.mark.filterwarnings("error")
def test_truncated(tmp_path, write, part, name):
    content = write(galaxy(100)).read_bytes()
    content = gzip.compress(content) if name.endswith(".gz") else content
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    refuse(tmp_path / name, "must be a whole FITS file, not ")


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 a JPEG by another name", bytes(6000)])
def test_no_fits_file(tmp_path, content):
    (tmp_path / "no.fits").write_bytes(content)
    refuse(tmp_path / "no.fits", "must be a whole FITS file, not ")


def test_missing_file(tmp_path):
    refuse(tmp_path / "absent.fits", "must be a readable file, not 'No such file or directory'")


@pytest.mark.parametrize("axes", [(100_000, 100_000), (20_000, 20_000, 3)])
def test_absurd_size_is_refused_before_it_is_read(tmp_path, axes):
    cards = ["SIMPLE  =                    T", "BITPIX  =                  -64", f"NAXIS   = {len(axes):20d}"]
    cards += [f"NAXIS{axis + 1}  = {length:20d}" for axis, length in enumerate(axes)] + ["END"]
    (tmp_path / "large.fits").write_bytes("".join(f"{card:80}" for card in cards).ljust(2880).encode() + bytes(2880))
    refuse(tmp_path / "large.fits", "must have at most 67,108,864 pixels in all bands, not (")
