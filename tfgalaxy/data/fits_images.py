"""FITS cut-outs as pictures, by the asinh stretch."""

from __future__ import annotations

import math
import os
import warnings

import numpy as np

from tfgalaxy.data.preprocessing import MAXIMUM_PIXELS
from tfgalaxy.data.untrusted_files import check_packed
from tfgalaxy.errors import InputError

__all__ = ["FITS_SUFFIXES", "asinh_stretch", "read_fits"]

FITS_SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz")


def _median_of(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def _sky(channel: np.ndarray) -> float:
    """Median of the outermost pixels; of all pixels where those are missing; 0 where all are."""
    edges = np.concatenate([channel[0], channel[-1], channel[:, 0], channel[:, -1]])
    for values in (edges, channel):
        if np.isfinite(level := _median_of(values)):
            return level
    return 0.0


def asinh_stretch(flux: np.ndarray, softening: float = 0.1, brightest: float = 99.9) -> np.ndarray:
    """Pictures of linear flux: asinh(f / a) / asinh(1 / a) with f = (flux - sky) / (bright - sky), as uint8.

    Args:
        flux: [H, W, C]. Missing pixels (NaN or infinite) become sky.
        softening: a; the stretch is linear well below it and logarithmic above.
        brightest: percentile over all channels that becomes white. The sky is the median of the outermost pixels of
            each channel; all channels share one scale, so that colours stay.

    Reference: Lupton et al. 2004 (PASP 116, 133).
    """
    above = flux - np.array([_sky(flux[..., channel]) for channel in range(flux.shape[-1])])
    finite = np.isfinite(above)
    scale = max(float(np.percentile(above[finite], brightest)), np.finfo(np.float32).tiny) if finite.any() else 1.0
    stretched = np.arcsinh(np.where(finite, above, 0.0) / scale / softening) / np.arcsinh(1.0 / softening)
    return np.round(255.0 * np.clip(stretched, 0.0, 1.0)).astype(np.uint8)


def _planes(data: np.ndarray, path: str) -> np.ndarray:
    """[H, W, C] with one or three channels, red first, from an image or a cube of bands with the bluest first.

    Of four or five bands the three bluest are taken, as g, r, i of g, r, i, z.
    """
    data = np.squeeze(data)
    if data.ndim == 2:
        return data[..., np.newaxis]
    if data.ndim == 3 and data.shape[0] <= 5:
        data = np.moveaxis(data, 0, -1)
    if data.ndim == 3 and data.shape[-1] == 1:
        return data
    if data.ndim == 3 and 3 <= data.shape[-1] <= 5:
        return data[..., 2::-1]
    rule = "must hold an image [H, W] or a cube of 3 to 5 bands"
    raise InputError(path, rule, data.shape, "Write one cut-out per file, the bluest band first.")


def read_fits(path: str | os.PathLike[str]) -> np.ndarray:
    """The first image of a FITS file as uint8 [H, W, C], C = 1 or 3; y points down, as in pictures.

    FITS counts rows from the bottom, so they are flipped. Missing pixels (NaN) become sky. A cube of bands has the
    bluest first and is shown with the third as red.

    Raises:
        InputError: an unreadable file, one without an image, of a wrong shape, too large, or without a finite pixel.
    """
    try:
        data = _first_image(path)
    except InputError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise InputError(str(path), "must be a readable file", error.strerror, "Check path and permissions.") from error
    except Exception as error:  # of damaged files, astropy raises errors of many classes
        raise InputError(str(path), "must be a whole FITS file", str(error), "Replace the file.") from error
    flux = _planes(data, str(path))[::-1]
    if not np.isfinite(flux).any():
        raise InputError(str(path), "must have finite pixels", "none", "Replace the file.")
    return asinh_stretch(flux)


def _first_image(path: str | os.PathLike[str]) -> np.ndarray:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # a cut file is an error below
        check_packed(path)
        with fits.open(path, memmap=False) as units:
            image = next((unit for unit in units if unit.is_image and unit.header.get("NAXIS", 0) >= 2), None)
            if image is None:
                raise InputError(str(path), "must hold an image", "a FITS file without one", "Write the cut-out to it.")
            shape = image.shape
            if math.prod(shape) > MAXIMUM_PIXELS:
                rule = f"must have at most {MAXIMUM_PIXELS:,} pixels in all bands"
                raise InputError(str(path), rule, shape, "Cut the galaxy out of it.")
            return np.asarray(image.data, np.float64)
