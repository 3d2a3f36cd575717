"""What else is in a frame: stars, faint galaxies, and the artefacts that volunteers call 'star or artifact'."""

from __future__ import annotations

import math

import numpy as np

from tfgalaxy.data.simulation.light import Frame, add_sersic, colour
from tfgalaxy.data.simulation.parameters import Galaxy

__all__ = ["add_artefact", "add_bright_star", "add_field"]

_STREAK_BANDS = np.eye(3, dtype=np.float32)


def add_field(frame: Frame, rng: np.random.Generator, seeing: float) -> None:
    """Adds stars and background galaxies, few bright and many faint, and now and then a bright star at the edge."""
    for _ in range(rng.poisson(4)):
        x, y = rng.uniform(-1, 1, 2)
        # Counts of stars per flux follow a power law; the draw is its inverse cumulative distribution, cut at the
        # bright end.
        flux = min(5.0 * rng.uniform() ** -0.9, 400.0)
        _add_point(frame, x, y, flux * (seeing / 0.026) ** -2, _star_colour(rng))
    for _ in range(rng.poisson(3)):
        x, y = rng.uniform(-1, 1, 2)
        if np.hypot(x, y) < 0.25:  # no chance neighbours on the galaxy itself: they would be mergers without being it
            continue
        radius = 0.02 + 0.03 * rng.uniform() ** 3
        angle, axis_ratio, peak = rng.uniform(0, math.pi), rng.uniform(0.35, 1), rng.uniform(1, 8)
        window = frame.window(x, y, 5 * radius)
        add_sersic(window, x, y, angle, axis_ratio, radius, 1.0, peak, colour(rng.beta(3, 1.5)))
    if rng.uniform() < 0.05:
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0.7, 1.05)
        add_bright_star(frame, distance * math.cos(angle), distance * math.sin(angle), 10 ** rng.uniform(2.0, 2.8), rng)


def _star_colour(rng: np.random.Generator) -> np.ndarray:
    """From blue (-0.4) to M dwarfs (1.8), further out than galaxies."""
    return np.maximum(colour(rng.uniform(-0.4, 1.8)), 0.1).astype(np.float32)


def _add_point(frame: Frame, x: float, y: float, peak: float, sed: np.ndarray) -> None:
    """A point source as a narrow Gaussian on a small stamp: the point spread function widens it to a star."""
    width = max(0.008, 1.2 / frame.size)
    window = frame.window(x, y, 4 * width)
    gauss = np.exp(-((window.x - np.float32(x)) ** 2 + (window.y - np.float32(y)) ** 2) / (2 * width**2))
    # The point spread function will lower the peak, and a wider Gaussian holds more light.
    window.add(4 * peak * (0.008 / width) ** 2 * gauss, sed)


def add_bright_star(frame: Frame, x: float, y: float, peak: float, rng: np.random.Generator) -> None:
    """A star that outshines the frame: saturated core, coloured halo, and four diffraction spikes."""
    radius = np.hypot(frame.x - np.float32(x), frame.y - np.float32(y))
    # A saturated core is white whatever the star's colour; its scattered light differs in the bands.
    frame.add(6 * peak * np.exp(-0.5 * (radius / 0.03) ** 2), np.ones(3, np.float32))
    glare = rng.dirichlet([4, 2.5, 4]).astype(np.float32)
    frame.add(0.25 * peak * np.exp(-radius / rng.uniform(0.06, 0.2)), glare)
    u, v = frame.plane(x, y, rng.uniform(0, math.pi / 2), 1.0)
    for along, across in ((u, v), (v, u)):
        spike = np.exp(-np.abs(along) / 0.14 - 0.5 * (across / 0.009) ** 2)
        frame.add(0.5 * peak * spike, 0.3 + rng.dirichlet([2, 2, 2]).astype(np.float32))


def add_artefact(frame: Frame, galaxy: Galaxy, rng: np.random.Generator) -> None:
    """A bright star in the centre, the trail of a satellite, or the glare of a star beyond the frame."""
    if galaxy.artefact == "star":
        add_bright_star(frame, galaxy.centre_x, galaxy.centre_y, 10 ** rng.uniform(2.0, 2.9), rng)
    elif galaxy.artefact == "trail":
        # A satellite crosses while one filter is exposed: the trail has one band's colour.
        x, y = rng.uniform(-0.12, 0.12, 2)
        _, across = frame.plane(x, y, rng.uniform(0, math.pi), 1.0)
        frame.add(rng.uniform(30, 120) * np.exp(-0.5 * (across / 0.008) ** 2), _STREAK_BANDS[rng.integers(3)])
    elif galaxy.artefact == "saturation":
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0.6, 1.2)
        x, y = distance * math.cos(angle), distance * math.sin(angle)
        glare = np.exp(-np.hypot(frame.x - np.float32(x), frame.y - np.float32(y)) / 0.6)
        frame.add(rng.uniform(40, 200) * glare, rng.dirichlet([4, 2.5, 4]).astype(np.float32))
        bleeding = np.exp(-0.5 * ((frame.x - np.float32(x)) / 0.02) ** 2) * np.ones_like(frame.y)
        frame.add(80 * bleeding, 0.3 + rng.dirichlet([2, 2, 2]).astype(np.float32))
