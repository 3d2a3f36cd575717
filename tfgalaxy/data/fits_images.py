"""FITS cut-outs as pictures, by the asinh stretch."""

from __future__ import annotations

import os

import numpy as np

from tfgalaxy.data.preprocessing import MAXIMUM_PIXELS
from tfgalaxy.errors import InputError

__all__ = ["FITS_SUFFIXES", "asinh_stretch", "read_fits"]

FITS_SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz")


def asinh_stretch(flux: np.ndarray, softening: float = 0.1, brightest: float = 99.9) -> np.ndarray:
    """Pictures of linear flux: asinh(f / a) / asinh(1 / a) with f = (flux - sky) / (bright - sky), as uint8.

    Args:
        flux: [H, W, C], finite.
        softening: a; the stretch is linear well below it and logarithmic above.
        brightest: percentile over all channels that becomes white. The sky is the median of the outermost pixels of
            each channel; all channels share one scale, so that colours stay.

    Reference: Lupton et al. 2004 (PASP 116, 133).
    """
    edges = np.concatenate([flux[0], flux[-1], flux[:, 0], flux[:, -1]])
    above = flux - np.median(edges, axis=0)
    scale = max(float(np.percentile(above, brightest)), np.finfo(np.float32).tiny)
    stretched = np.arcsinh(above / scale / softening) / np.arcsinh(1.0 / softening)
    return np.round(255.0 * np.clip(stretched, 0.0, 1.0)).astype(np.uint8)


def _planes(data: np.ndarray, path: str) -> np.ndarray:
    """[H, W, C] with one or three channels, red first, from an image or a cube of bands with the bluest first."""
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

    FITS counts rows from the bottom, so they are flipped. Missing pixels (NaN) become sky.

    Raises:
        InputError: an unreadable file, one without an image, of a wrong shape, too large, or without a finite pixel.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as units:
            sizes = [unit for unit in units if unit.header.get("NAXIS", 0) >= 2 and unit.is_image]
            if not sizes:
                raise InputError(str(path), "must hold an image", "a FITS file without one", "Write the cut-out to it.")
            pixels = int(np.prod(sizes[0].shape[-2:]))
            if pixels > MAXIMUM_PIXELS:
                rule = f"must have at most {MAXIMUM_PIXELS:,} pixels"
                raise InputError(str(path), rule, sizes[0].shape, "Cut the galaxy out of it.")
            data = np.asarray(sizes[0].data, np.float64)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), "must be a whole FITS file", str(error), "Replace the file.") from error
    flux = _planes(data, str(path))[::-1]
    finite = np.isfinite(flux)
    if not finite.any():
        raise InputError(str(path), "must have finite pixels", "none", "Replace the file.")
    return asinh_stretch(np.where(finite, flux, np.median(flux[finite])))
