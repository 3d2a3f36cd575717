"""Light of a galaxy in the bands g, r, i: Sersic bulges and disks, bars, logarithmic arms, rings, dust, tidal tails."""

from __future__ import annotations

import copy
import functools
import math

import numpy as np
from astropy.modeling.models import Sersic1D
from numpy.typing import NDArray

from tfgalaxy.data.simulation.parameters import Galaxy

__all__ = ["Frame", "add_sersic", "colour", "galaxy_light"]

Array = NDArray[np.float32]

# Flux in g, r, i over that in r, of old and of young stars.
_OLD = np.array([0.55, 1.0, 1.28], np.float32)
_YOUNG = np.array([1.18, 1.0, 1.04], np.float32)
_HOT = np.array([1.6, 1.0, 0.98], np.float32)
_EXTINCTION = np.array([1.25, 0.9, 0.68], np.float32)  # optical depth over that in V (Cardelli, Clayton & Mathis 1989)


def colour(redness: float) -> Array:
    """Flux in g, r, i over that in r, from young (0) to old stars (1); [3]."""
    return (1 - redness) * _YOUNG + redness * _OLD


class Frame:
    """A grid of points in half-widths, x right, y down, and the light that falls on it.

    Args:
        size: points along a side; point j stands at (2j + 1) / size - 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.light: Array = np.zeros((3, size, size), np.float32)  # [3, H, W]
        self.x, self.y = _grid(size)  # [1, W], [H, 1]

    def window(self, x: float, y: float, half_width: float) -> Frame:
        """The part of the frame around (x, y), as a frame that writes to the same light; for sources that are small."""
        columns, rows = (
            slice(*(int(np.clip((c + d + 1) * self.size / 2, 0, self.size)) for d in (-half_width, half_width)))
            for c in (x, y)
        )
        part = copy.copy(self)
        part.light, part.x, part.y = self.light[:, rows, columns], self.x[:, columns], self.y[rows]
        return part

    def add(self, light: Array, sed: Array) -> None:
        """Adds `light` [H, W] with the colour `sed` [3]."""
        self.light += sed[:, None, None] * light

    def plane(self, x: float, y: float, angle: float, axis_ratio: float) -> tuple[Array, Array]:
        """Coordinates (u, v) about (x, y), along and across the axis at `angle`; v is divided by the axis ratio."""
        dx, dy = self.x - np.float32(x), self.y - np.float32(y)
        cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        return dx * cosine + dy * sine, (dy * cosine - dx * sine) / np.float32(axis_ratio)


@functools.lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Array, Array]:
    centres = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)
    return centres[None, :], centres[:, None]


def _sersic(radius: Array, amplitude: float, half_light_radius: float, index: float) -> Array:
    # `evaluate`, since making a model object costs more than the profile.
    profile: Array = Sersic1D.evaluate(radius, amplitude, half_light_radius, index)
    return profile.astype(np.float32, copy=False)


def _sersic_flux(half_light_radius: float, index: float) -> float:
    """Light of a circular Sersic profile of amplitude 1 (Graham & Driver 2005, PASA 22, 118, equation 4)."""
    b = 2 * index - 1 / 3 + 0.009876 / index
    return 2 * math.pi * half_light_radius**2 * index * math.exp(b) * b ** (-2 * index) * math.gamma(2 * index)


def add_sersic(
    frame: Frame,
    x: float,
    y: float,
    angle: float,
    axis_ratio: float,
    radius: float,
    index: float,
    peak: float,
    sed: Array,
) -> None:
    """Adds an elliptical Sersic profile with amplitude `peak` at its half-light `radius`."""
    u, v = frame.plane(x, y, angle, axis_ratio)
    frame.add(_sersic(np.hypot(u, v), peak, radius, index), sed)


def galaxy_light(frame: Frame, galaxy: Galaxy, rng: np.random.Generator) -> None:
    """Adds a galaxy to a frame, in units of the noise of the sky.

    Args:
        frame: where the light goes.
        galaxy: what it is.
        rng: for details that are no truth, such as the places of star-forming knots.
    """
    if galaxy.kind == "edge_on":
        _add_edge_on(frame, galaxy)
        return
    u, v = frame.plane(galaxy.centre_x, galaxy.centre_y, galaxy.position_angle, galaxy.axis_ratio)
    radius, theta = np.hypot(u, v), np.arctan2(v, u)
    main = _sersic(radius, galaxy.signal, galaxy.half_light_radius, galaxy.sersic_index)
    main *= 1 + galaxy.asymmetry * np.tanh(radius / galaxy.half_light_radius) * np.cos(
        theta - rng.uniform(0, 2 * math.pi)
    )
    if galaxy.arms:
        _add_arms(frame, galaxy, main, radius, theta, rng)
    else:
        frame.add(main, colour(galaxy.redness))
    if galaxy.bulge_fraction:
        _add_bulge(frame, galaxy)
    if galaxy.bar_strength:
        _add_bar(frame, galaxy, u, v)
    if galaxy.ring_strength:
        ring = np.exp(-0.5 * ((radius - galaxy.ring_radius) / (0.17 * galaxy.ring_radius)) ** 2)
        frame.add(1.3 * galaxy.signal * galaxy.ring_strength * ring, colour(0.5 * galaxy.redness))
    if galaxy.kind == "irregular":
        _add_knots(frame, galaxy, rng)
    if galaxy.companion_flux:
        _add_companion(frame, galaxy)


def _add_bulge(frame: Frame, galaxy: Galaxy) -> None:
    """A de Vaucouleurs-like bulge, less flattened than the disk, with the wanted share of the light."""
    fraction = min(galaxy.bulge_fraction, 0.85)
    radius = galaxy.half_light_radius * (0.2 + 0.35 * fraction)
    axis_ratio = max(galaxy.axis_ratio, 0.75 * math.cos(galaxy.inclination) ** 2 + 0.25 + 0.3 * galaxy.axis_ratio)
    disk = galaxy.signal * _sersic_flux(galaxy.half_light_radius, galaxy.sersic_index) * galaxy.axis_ratio
    peak = disk * fraction / (1 - fraction) / (_sersic_flux(radius, 2.5) * min(axis_ratio, 1))
    place = (galaxy.centre_x, galaxy.centre_y, galaxy.position_angle)
    add_sersic(frame, *place, min(axis_ratio, 1), radius, 2.5, peak, colour(0.6 + 0.4 * galaxy.redness))


def _add_bar(frame: Frame, galaxy: Galaxy, u: Array, v: Array) -> None:
    cosine, sine = math.cos(galaxy.bar_angle), math.sin(galaxy.bar_angle)
    along, across = u * cosine + v * sine, v * cosine - u * sine
    # Isophotes of bars are boxy (Athanassoula et al. 1990): exponent 3.
    radius = (np.abs(along) ** 3 + np.abs(across / 0.27) ** 3) ** (1 / 3)
    bar = _sersic(radius, 2.6 * galaxy.signal * galaxy.bar_strength, 0.62 * galaxy.bar_length, 0.5)
    frame.add(bar, colour(0.45 + 0.45 * galaxy.redness))


def _arm_profile(galaxy: Galaxy, radius: Array, theta: Array, start: float, sharpness: float) -> Array:
    """Logarithmic arms, 1 on the crest and near 0 between arms:

    theta(r) = phase - winding * ln(r / start) / tan(pitch)
    """
    crest = galaxy.arm_phase - galaxy.winding * np.log(np.maximum(radius, 1e-3) / start) / math.tan(galaxy.pitch_angle)
    wave = np.cos(galaxy.arms * (theta - crest))
    if galaxy.arms == 1:
        sharpness *= 0.5
    profile: Array = np.exp(sharpness * (wave - 1))
    return profile


def _add_arms(frame: Frame, galaxy: Galaxy, disk: Array, radius: Array, theta: Array, rng: np.random.Generator) -> None:
    start = galaxy.bar_length or 0.45 * galaxy.half_light_radius
    tails = galaxy.kind == "merger"
    arms = _arm_profile(galaxy, radius, theta, start, sharpness=3.0 if tails else 2.2)
    # Arms set in where the bar or bulge ends; no galaxy's are even: a slow wave along them stands for that.
    inside = 1 / (1 + np.exp(-(radius - 0.8 * start) / (0.15 * start)))
    unevenness = 1 + 0.25 * np.sin(rng.integers(3, 8) * theta + rng.uniform(0, 6.3)) * np.sin(
        rng.uniform(8, 14) * np.log(radius + 1e-3) + rng.uniform(0, 6.3)
    )
    strength = galaxy.arm_strength * inside
    frame.add(disk * (1 - 0.6 * strength), colour(galaxy.redness))
    if tails:
        extended = _sersic(radius, 0.5 * galaxy.signal, 2.2 * galaxy.half_light_radius, 0.8)
        frame.add(extended * strength * arms, colour(0.8 * galaxy.redness))
    else:
        extended = _sersic(radius, 1.25 * galaxy.signal, 1.15 * galaxy.half_light_radius, 0.8)
        frame.add(1.35 * extended * strength * arms * unevenness, 0.7 * colour(0.6 * galaxy.redness) + 0.3 * _HOT)


def _add_knots(frame: Frame, galaxy: Galaxy, rng: np.random.Generator) -> None:
    """Star-forming regions of an irregular galaxy."""
    for _ in range(rng.integers(4, 10)):
        distance = galaxy.half_light_radius * rng.uniform(0.1, 1.5)
        angle = rng.uniform(0, 2 * math.pi)
        x = galaxy.centre_x + distance * math.cos(angle)
        y = galaxy.centre_y + distance * math.sin(angle)
        size = galaxy.half_light_radius * rng.uniform(0.12, 0.35)
        peak = galaxy.signal * rng.uniform(0.4, 1.8)
        shape = (rng.uniform(0, math.pi), rng.uniform(0.5, 1), size)
        add_sersic(frame.window(x, y, 5 * size), x, y, *shape, 0.7, peak, 0.5 * colour(0) + 0.5 * _HOT)


def _add_companion(frame: Frame, galaxy: Galaxy) -> None:
    radius = galaxy.half_light_radius * math.sqrt(galaxy.companion_flux) * 0.8
    x = galaxy.centre_x + galaxy.companion_distance * math.cos(galaxy.companion_angle)
    y = galaxy.centre_y + galaxy.companion_distance * math.sin(galaxy.companion_angle)
    shape = (galaxy.companion_position_angle, galaxy.companion_axis_ratio)
    add_sersic(frame, x, y, *shape, radius, 2.0, 1.3 * galaxy.signal, colour(0.3 + 0.6 * galaxy.redness))


def _add_edge_on(frame: Frame, galaxy: Galaxy) -> None:
    """A disk seen from its side, exponential along and sech^2 across it, its bulge, and a dust lane before both."""
    u, v = frame.plane(galaxy.centre_x, galaxy.centre_y, galaxy.position_angle, 1.0)
    length = galaxy.half_light_radius / 1.2
    height = galaxy.axis_ratio * galaxy.half_light_radius
    # hypot() rounds the crease that exp(-|u|) has at the centre.
    along = np.exp(1 - np.hypot(u, 0.25 * length) / length)
    disk = 2.2 * galaxy.signal * along / np.cosh(np.minimum(np.abs(v) / height, 20)) ** 2
    scene = Frame(frame.size)
    scene.add(disk, colour(galaxy.redness))
    if galaxy.bulge_fraction:
        exponent = 2 + 2 * galaxy.bulge_boxiness
        radius = (np.abs(u) ** exponent + np.abs(v / 0.75) ** exponent) ** (1 / exponent)
        size = galaxy.half_light_radius * (0.16 + 0.35 * galaxy.bulge_fraction)
        bulge = _sersic(radius, 2.4 * galaxy.signal, size, 1.0 if galaxy.bulge_boxiness else 2.0)
        scene.add(bulge, colour(0.5 + 0.5 * galaxy.redness))
    if galaxy.dust_strength:
        lane = np.exp(-0.5 * (v / (0.35 * height)) ** 2 - 0.5 * (u / (1.3 * galaxy.half_light_radius)) ** 2)
        scene.light *= np.exp(-_EXTINCTION[:, None, None] * galaxy.dust_strength * lane)
    frame.light += scene.light
