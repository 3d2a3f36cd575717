"""The light of simulated galaxies against numbers worked out from their parameters."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import integrate

from tfgalaxy.data.simulation import Galaxy, render
from tfgalaxy.data.simulation.camera import _point_spread
from tfgalaxy.data.simulation.light import Frame, _sersic_flux, add_sersic, colour, galaxy_light

PLAIN = Galaxy(
    kind="disk",
    centre_x=0.0,
    centre_y=0.0,
    position_angle=0.0,
    inclination=0.0,
    axis_ratio=1.0,
    half_light_radius=0.2,
    sersic_index=1.0,
    signal=10.0,
    seeing=0.02,
)


def light_of(galaxy, size=128):
    frame = Frame(size)
    galaxy_light(frame, galaxy, np.random.default_rng(0))
    return frame


def moments(light, frame):
    """Centre, position angle and axis ratio from second moments."""
    total = light.sum()
    x, y = (light * frame.x).sum() / total, (light * frame.y).sum() / total
    dx, dy = frame.x - x, frame.y - y
    xx, yy, xy = ((light * product).sum() / total for product in (dx * dx, dy * dy, dx * dy))
    angle = 0.5 * math.atan2(2 * xy, xx - yy) % math.pi
    spread = math.hypot((xx - yy) / 2, xy)
    return x, y, angle, math.sqrt(((xx + yy) / 2 - spread) / ((xx + yy) / 2 + spread))


def test_the_grid_follows_the_pixel_convention():
    frame = Frame(4)
    np.testing.assert_allclose(frame.x.ravel(), [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(frame.y.ravel(), [-0.75, -0.25, 0.25, 0.75])
    assert frame.x.shape == (1, 4)
    assert frame.y.shape == (4, 1)


@pytest.mark.parametrize("index", [0.5, 1.0, 2.5, 4.0])
def test_half_of_the_light_is_within_the_half_light_radius(index):
    frame = Frame(512)
    add_sersic(frame, 0.0, 0.0, 0.0, 1.0, 0.1, index, 1.0, colour(0.5))
    radius = np.hypot(frame.x, frame.y)
    # The whole light from a quadrature in the radius, since the frame holds only part of it.
    profile = frame.light[1][256, 256:]
    fine = np.linspace(0, 60, 600_001)[1:]
    b = 2 * index - 1 / 3 + 0.009876 / index
    whole = integrate.trapezoid(2 * np.pi * fine * np.exp(-b * ((fine / 0.1) ** (1 / index) - 1)), fine)
    inside = frame.light[1][radius < 0.1].sum() * (2 / 512) ** 2
    assert inside / whole == pytest.approx(0.5, abs=0.01)
    assert _sersic_flux(0.1, index) == pytest.approx(whole, rel=0.01)
    assert profile[25] == pytest.approx(1.0, rel=0.1)  # the amplitude is that at the half-light radius


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.5, 2.8])
def test_pose_of_the_light_is_the_truth(angle):
    inclined = dataclasses.replace(
        PLAIN,
        position_angle=angle,
        axis_ratio=0.6,
        inclination=0.93,
        centre_x=0.1,
        centre_y=-0.2,
        half_light_radius=0.08,
    )
    frame = light_of(inclined)
    x, y, found, axis_ratio = moments(frame.light[1], frame)
    assert x == pytest.approx(0.1, abs=0.01)
    assert y == pytest.approx(-0.2, abs=0.01)
    assert math.sin(found - angle) == pytest.approx(0.0, abs=0.02)
    assert axis_ratio == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("kind", ["edge_on", "bar"])
def test_elongated_parts_point_along_their_angle(kind):
    if kind == "edge_on":
        galaxy = dataclasses.replace(PLAIN, kind="edge_on", axis_ratio=0.1, position_angle=0.7, inclination=1.55)
    else:
        galaxy = dataclasses.replace(PLAIN, bar_strength=1.0, bar_length=0.2, position_angle=0.4, bar_angle=0.3)
    frame = light_of(galaxy)
    assert moments(frame.light[1], frame)[2] == pytest.approx(0.7, abs=0.02)


def crest_angles(galaxy, radii):
    """The angle of the brightest point on circles."""
    frame = light_of(galaxy, size=512)
    theta = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    angles = []
    for radius in radii:
        columns = np.round((radius * np.cos(theta) + 1) * 256 - 0.5).astype(int)
        rows = np.round((radius * np.sin(theta) + 1) * 256 - 0.5).astype(int)
        angles.append(theta[np.argmax(frame.light[1][rows, columns])])
    return np.unwrap(angles)


@pytest.mark.parametrize("winding", [1, -1])
def test_arms_follow_the_logarithmic_spiral(winding):
    pitch = 0.4
    galaxy = dataclasses.replace(PLAIN, kind="spiral", arms=2, arm_strength=1.0, pitch_angle=pitch, winding=winding)
    inner, outer = crest_angles(galaxy, [0.2, 0.4])
    # Clockwise arms turn anticlockwise, to smaller angles, outwards; there are two, half a turn apart.
    expected = -winding * math.log(2) / math.tan(pitch)
    assert math.remainder(outer - inner - expected, math.pi) == pytest.approx(0.0, abs=0.25)


def test_mirrored_galaxies_are_mirror_images():
    galaxy = dataclasses.replace(
        PLAIN, kind="spiral", arms=2, arm_strength=1.0, pitch_angle=0.3, winding=1, arm_phase=0.5, axis_ratio=0.7
    )
    # A mirror turns x into -x, so angles a into pi - a, in the frame and, about the major axis, in the disk.
    galaxy = dataclasses.replace(galaxy, position_angle=0.4)
    mirrored = dataclasses.replace(galaxy, position_angle=math.pi - 0.4, winding=-1, arm_phase=-0.5)
    left, right = light_of(galaxy).light[1], light_of(mirrored).light[1]
    difference = np.abs(left[:, ::-1] - right).mean() / left.mean()
    same_handed = np.abs(left - light_of(dataclasses.replace(galaxy, winding=-1)).light[1]).mean() / left.mean()
    assert difference < 0.12  # arms are uneven at random places
    assert same_handed > 2 * difference


def test_bulge_has_its_share_of_the_light():
    disk = light_of(PLAIN, 256).light[1].sum()
    both = light_of(dataclasses.replace(PLAIN, bulge_fraction=0.4), 256).light[1].sum()
    assert 1 - disk / both == pytest.approx(0.4, abs=0.06)  # what lies beyond the frame differs


def test_dust_dims_blue_more_than_red():
    clean = dataclasses.replace(PLAIN, kind="edge_on", axis_ratio=0.15, inclination=1.55)
    dusty = dataclasses.replace(clean, dust_strength=2.0)
    left = light_of(dusty).light[:, 64, 64] / light_of(clean).light[:, 64, 64]
    assert left[0] < left[1] < left[2] < 0.5


def test_seeing_is_the_width_at_half_maximum():
    kernel = _point_spread(0.2, 128)  # 12.8 pixels wide
    middle = kernel[kernel.shape[0] // 2]
    above = np.flatnonzero(middle >= middle.max() / 2)
    assert len(above) == pytest.approx(12.8, abs=1)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)


def test_noise_of_the_sky_is_that_of_electrons():
    from tfgalaxy.data.simulation.camera import _add_noise

    rng = np.random.default_rng(0)
    sky = _add_noise(np.zeros((3, 128, 128), np.float32), rng)
    bright = _add_noise(np.full((3, 128, 128), 90.0, np.float32), rng)  # 2,700 electrons on a sky of 900
    assert sky.std() == pytest.approx(1.0, rel=0.02)
    assert bright.std() == pytest.approx(2.0, rel=0.02)
    assert bright.mean() == pytest.approx(90.0, rel=0.01)
    assert _add_noise(np.zeros((3, 64, 64), np.float32), rng).std() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("artefact", ["star", "trail", "saturation"])
def test_artefacts_outshine_the_galaxy(artefact):
    faint = dataclasses.replace(PLAIN, kind="artefact", signal=3.0)
    clean = render(faint, seed=0, index=0, image_size=64).astype(float)
    spoilt = render(dataclasses.replace(faint, artefact=artefact), seed=0, index=0, image_size=64).astype(float)
    assert spoilt.mean() > clean.mean() + 1
    assert spoilt.max() > 100
