"""Draws of galaxies: their types and physical parameters, which are the truth that images and votes follow."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

__all__ = ["KINDS", "Galaxy", "draw_galaxy", "random_generator"]

# Shares near those of the random sample of Galaxy Zoo 2, with the rare kinds raised so that small catalogues hold some.
KINDS = {
    "smooth": 0.34,
    "disk": 0.12,
    "spiral": 0.30,
    "edge_on": 0.12,
    "merger": 0.05,
    "irregular": 0.04,
    "artefact": 0.03,
}
_STREAMS = ("parameters", "field", "noise", "votes")


@dataclasses.dataclass(frozen=True)
class Galaxy:
    """What one simulated galaxy is.

    Lengths are in half-widths of the frame (the frame runs from -1 to 1), x to the right, y down; angles are in radians
    from +x towards +y. Pixels are `length * image_size / 2`.

    Args:
        kind: one of `KINDS`.
        centre_x, centre_y: where the galaxy stands.
        position_angle: of the major axis, in [0, pi).
        inclination: 0 face-on to pi/2 edge-on; 0 for what is no disk.
        axis_ratio: minor over major axis of the isophotes.
        half_light_radius: of the main component, along the major axis.
        sersic_index: of the main component (1 is an exponential disk).
        signal: surface brightness at the half-light radius over the noise of the sky in a pixel of a 128-pixel frame.
        seeing: full width at half maximum of the point spread function.
        bulge_fraction: bulge light over all light.
        bulge_boxiness: 0 elliptical to 1 boxy isophotes of an edge-on disk's bulge.
        bar_strength: 0 (none) to 1.
        bar_length: half-length of the bar, in the disk's plane.
        bar_angle: of the bar in the disk's plane, from the major axis.
        arms: number of spiral arms, 0 for none.
        arm_strength: 0 (none) to 1.
        pitch_angle: between an arm and a circle; large is loosely wound.
        winding: +1 clockwise (like the letter Z: going outwards, the arms turn anticlockwise on the screen, so that a
            disk with trailing arms turns clockwise), -1 anticlockwise (like an S), 0 without arms.
        arm_phase: angle in the disk's plane, from the major axis, of the first arm where it starts.
        ring_strength: 0 (none) to 1.
        ring_radius: in the disk's plane.
        dust_strength: optical depth of the dust lane in an edge-on disk, 0 for none.
        asymmetry: how lopsided the galaxy is, 0 to 1.
        redness: 0 (young and blue) to 1 (old and red).
        companion_distance, companion_angle: of the second galaxy of a merger, from the centre; 0 without one.
        companion_flux: light of the companion over that of the galaxy.
        companion_axis_ratio, companion_position_angle: of the companion's isophotes.
        artefact: `star`, `trail`, `saturation`, or empty.
    """

    kind: str
    centre_x: float
    centre_y: float
    position_angle: float
    inclination: float
    axis_ratio: float
    half_light_radius: float
    sersic_index: float
    signal: float
    seeing: float
    bulge_fraction: float = 0.0
    bulge_boxiness: float = 0.0
    bar_strength: float = 0.0
    bar_length: float = 0.0
    bar_angle: float = 0.0
    arms: int = 0
    arm_strength: float = 0.0
    pitch_angle: float = 0.0
    winding: int = 0
    arm_phase: float = 0.0
    ring_strength: float = 0.0
    ring_radius: float = 0.0
    dust_strength: float = 0.0
    asymmetry: float = 0.0
    redness: float = 0.5
    companion_distance: float = 0.0
    companion_angle: float = 0.0
    companion_flux: float = 0.0
    companion_axis_ratio: float = 1.0
    companion_position_angle: float = 0.0
    artefact: str = ""


def random_generator(seed: int, index: int, stream: str) -> np.random.Generator:
    """The random numbers of one purpose (`parameters`, `field`, `noise` or `votes`) for one galaxy of a catalogue.

    Each galaxy and purpose has its own stream, so that a galaxy is the same whatever the number of galaxies, the number
    of processes, or the size of the image.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, _STREAMS.index(stream))))


def draw_galaxy(seed: int, index: int) -> Galaxy:
    """Galaxy `index` of catalogue `seed`.

    Example:
        >>> draw_galaxy(seed=0, index=3) == draw_galaxy(seed=0, index=3)
        True
    """
    rng = random_generator(seed, index, "parameters")
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    values = _draw_common(rng)
    values.update(_DRAWS[kind](rng, values))
    return Galaxy(kind=kind, **values)


def _log_normal(rng: np.random.Generator, median: float, sigma: float, low: float, high: float) -> float:
    return float(np.clip(median * math.exp(sigma * rng.standard_normal()), low, high))


def _draw_common(rng: np.random.Generator) -> dict:
    """What every kind has; the sizes are those of Galaxy Zoo 2's frames, 8.5 Petrosian radii wide."""
    return {
        "centre_x": float(0.015 * rng.standard_normal()),
        "centre_y": float(0.015 * rng.standard_normal()),
        "position_angle": float(rng.uniform(0, math.pi)),
        "inclination": 0.0,
        "half_light_radius": _log_normal(rng, 0.125, 0.25, 0.07, 0.24),
        "signal": _log_normal(rng, 17.0, 0.5, 4.0, 60.0),
        "seeing": _log_normal(rng, 0.028, 0.2, 0.018, 0.045),
        "redness": float(rng.beta(3, 3)),
        "asymmetry": float(rng.beta(1, 12)),
    }


def _draw_smooth(rng: np.random.Generator, values: dict) -> dict:
    # A round one seen as it is, or one flattened in three dimensions seen at a random angle.
    thickness = rng.beta(5, 2.2)
    cosine = rng.uniform(0, 1)
    return {
        "axis_ratio": float(max(0.22, math.sqrt(thickness**2 + (1 - thickness**2) * cosine**2))),
        "sersic_index": _log_normal(rng, 3.0, 0.35, 1.2, 6.0),
        "half_light_radius": 0.8 * values["half_light_radius"],
        "redness": float(rng.beta(6, 2)),
        "asymmetry": 0.0,
    }


def _draw_inclined_disk(rng: np.random.Generator, max_inclination: float = 1.25) -> dict:
    """A thin disk (its thickness is a tenth of its size) that is not edge-on, equally likely in all directions."""
    inclination = math.acos(rng.uniform(math.cos(max_inclination), 1))
    return {
        "inclination": inclination,
        "axis_ratio": math.sqrt(math.cos(inclination) ** 2 + (0.1 * math.sin(inclination)) ** 2),
        "sersic_index": 1.0,
        "bulge_fraction": float(rng.beta(1.3, 3.5)),
    }


def _draw_bar(rng: np.random.Generator, values: dict, probability: float) -> dict:
    if rng.uniform() >= probability:
        return {}
    return {
        "bar_strength": float(rng.uniform(0.4, 1)),
        "bar_length": float(values["half_light_radius"] * rng.uniform(0.7, 1.15)),
        "bar_angle": float(rng.uniform(0, math.pi)),
    }


def _draw_ring(rng: np.random.Generator, values: dict, probability: float) -> dict:
    if rng.uniform() >= probability:
        return {}
    radius = max(values["half_light_radius"] * rng.uniform(1.0, 1.5), 1.15 * values.get("bar_length", 0.0))
    return {"ring_strength": float(rng.uniform(0.4, 1)), "ring_radius": float(radius)}


def _draw_disk(rng: np.random.Generator, values: dict) -> dict:
    drawn = _draw_inclined_disk(rng)
    drawn.update(_draw_bar(rng, values, probability=0.25))
    drawn.update(_draw_ring(rng, {**values, **drawn}, probability=0.3))
    return drawn


def _draw_spiral(rng: np.random.Generator, values: dict) -> dict:
    drawn = _draw_inclined_disk(rng)
    drawn.update(_draw_bar(rng, values, probability=0.4))
    pitch = float(np.clip(rng.normal(0.35, 0.12), 0.14, 0.7))
    drawn.update(
        # Disks seen against a bar of this size have their arms at its ends; the size grows so that arms are resolved.
        half_light_radius=min(0.26, 1.2 * values["half_light_radius"]),
        arms=int(rng.choice([1, 2, 3, 4, 5], p=[0.06, 0.58, 0.17, 0.11, 0.08])),
        arm_strength=float(rng.uniform(0.35, 1)),
        pitch_angle=pitch,
        winding=int(rng.choice([-1, 1])),
        arm_phase=drawn.get("bar_angle", float(rng.uniform(0, 2 * math.pi))),
        redness=float(rng.beta(2.5, 4)),
        # Loosely wound arms go with small bulges, as along the Hubble sequence.
        bulge_fraction=drawn["bulge_fraction"] * (0.35 / (0.35 + pitch)) * 1.8,
    )
    return drawn


def _draw_edge_on(rng: np.random.Generator, values: dict) -> dict:
    bulge = 0.0 if rng.uniform() < 0.3 else float(rng.beta(2, 4))
    return {
        "inclination": float(rng.uniform(1.45, math.pi / 2)),
        "axis_ratio": float(rng.uniform(0.09, 0.2)),
        "sersic_index": 1.0,
        "half_light_radius": min(0.26, 1.2 * values["half_light_radius"]),
        "bulge_fraction": bulge,
        "bulge_boxiness": float(rng.uniform(0.5, 1)) if bulge and rng.uniform() < 0.15 else 0.0,
        "dust_strength": float(rng.uniform(0.7, 2.5)) if rng.uniform() < 0.35 else 0.0,
    }


def _draw_merger(rng: np.random.Generator, values: dict) -> dict:
    drawn = _draw_inclined_disk(rng, max_inclination=1.0)
    drawn.update(
        sersic_index=float(rng.uniform(1, 2.5)),
        # Tidal tails are two loose, faint arms.
        arms=2,
        arm_strength=float(rng.uniform(0.3, 0.8)),
        pitch_angle=float(rng.uniform(0.6, 0.95)),
        winding=int(rng.choice([-1, 1])),
        arm_phase=float(rng.uniform(0, 2 * math.pi)),
        asymmetry=float(rng.uniform(0.4, 0.9)),
        companion_distance=float(values["half_light_radius"] * rng.uniform(0.9, 2.2)),
        companion_angle=float(rng.uniform(0, 2 * math.pi)),
        companion_flux=float(rng.uniform(0.3, 1)),
        companion_axis_ratio=float(rng.uniform(0.4, 0.9)),
        companion_position_angle=float(rng.uniform(0, math.pi)),
    )
    return drawn


def _draw_irregular(rng: np.random.Generator, values: dict) -> dict:
    return {
        "axis_ratio": float(rng.uniform(0.4, 0.9)),
        "sersic_index": float(rng.uniform(0.6, 1.0)),
        "signal": 0.7 * values["signal"],
        "asymmetry": float(rng.uniform(0.6, 1)),
        "redness": float(rng.beta(1.5, 7)),
    }


def _draw_artefact(rng: np.random.Generator, values: dict) -> dict:
    drawn = _draw_smooth(rng, values)
    drawn.update(
        artefact=str(rng.choice(["star", "trail", "saturation"], p=[0.5, 0.25, 0.25])),
        signal=0.5 * values["signal"],
    )
    return drawn


_DRAWS = {
    "smooth": _draw_smooth,
    "disk": _draw_disk,
    "spiral": _draw_spiral,
    "edge_on": _draw_edge_on,
    "merger": _draw_merger,
    "irregular": _draw_irregular,
    "artefact": _draw_artefact,
}
