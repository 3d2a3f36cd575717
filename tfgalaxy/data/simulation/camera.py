"""From light to a colour JPEG: point spread function, noise of sky and photons, asinh colour composite."""

from __future__ import annotations

import functools

import numpy as np
from astropy.convolution import Moffat2DKernel
from astropy.visualization import make_lupton_rgb
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from tfgalaxy.data.simulation.field import add_artefact, add_field
from tfgalaxy.data.simulation.light import Frame, galaxy_light
from tfgalaxy.data.simulation.parameters import Galaxy, random_generator

__all__ = ["render"]

_SKY_ELECTRONS = 900.0  # per pixel of a 128-pixel frame: the unit of light, the noise of the sky there, is 30 electrons
_REFERENCE_SIZE = 128
_MOFFAT_POWER = 3.5  # of the SDSS point spread function (Xin et al. 2018, AJ 156, 222, find 3 to 3.5)


def render(galaxy: Galaxy, seed: int, index: int, image_size: int) -> NDArray[np.uint8]:
    """The picture of a galaxy as Galaxy Zoo would show it.

    Args:
        galaxy: what it is.
        seed, index: which random stars and noise it gets; those of the catalogue it belongs to.
        image_size: width and height in pixels; the field of view does not depend on it.

    Returns:
        uint8 [H, W, 3], red (band i), green (r), blue (g).
    """
    frame = Frame(2 * image_size)  # two points a pixel along each axis, for the cusps of bulges
    rng = random_generator(seed, index, "field")
    galaxy_light(frame, galaxy, rng)
    add_field(frame, rng, galaxy.seeing)
    if galaxy.artefact:
        add_artefact(frame, galaxy, rng)
    light = _average_pairs(frame.light)
    light = fftconvolve(light, _point_spread(round(galaxy.seeing, 3), image_size)[None], mode="same", axes=(1, 2))
    return _develop(_add_noise(light, random_generator(seed, index, "noise")))


def _average_pairs(light: NDArray[np.float32]) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = light[:, ::2] + light[:, 1::2]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


@functools.lru_cache(maxsize=64)
def _point_spread(seeing: float, image_size: int) -> NDArray[np.float32]:
    """Moffat kernel of this full width at half maximum (half-widths); sums to 1."""
    pixels = seeing * image_size / 2
    gamma = max(pixels, 0.5) / (2 * np.sqrt(2 ** (1 / _MOFFAT_POWER) - 1))
    size = 2 * int(np.ceil(3 * max(pixels, 1.0))) + 1
    kernel = Moffat2DKernel(gamma, _MOFFAT_POWER, x_size=size, y_size=size).array
    return (kernel / kernel.sum()).astype(np.float32)


def _add_noise(light: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of the photons of sky and source, whose counts are so high that Poisson is Normal; sky subtracted."""
    # A smaller frame has larger pixels: more electrons of sky and source in each.
    electrons_per_pixel = _SKY_ELECTRONS * (_REFERENCE_SIZE / light.shape[-1]) ** 2
    signal = light / np.sqrt(_SKY_ELECTRONS)  # in units of the sky's electrons
    variance = np.maximum(1 + signal, 0.1) / electrons_per_pixel
    noise = rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(variance)
    noisy: NDArray[np.float32] = (signal + noise) * np.sqrt(_SKY_ELECTRONS)
    return noisy


def _develop(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colour composite of SDSS (Lupton et al. 2004, PASP 116, 133), i, r and g as red, green and blue."""
    green, red, infrared = light
    with np.errstate(invalid="ignore"):  # astropy divides 0 by 0 where no band is above the sky, and then sets 0
        picture: NDArray[np.uint8] = make_lupton_rgb(infrared, red, green, minimum=0.0, stretch=28.0, Q=6.0)
    return picture
