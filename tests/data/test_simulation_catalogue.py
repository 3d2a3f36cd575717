"""Simulated catalogues: reproducible, whole, and readable."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.simulation import KINDS, draw_galaxy, simulate, simulate_arrays
from tfgalaxy.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("simulated") / "galaxies"
    simulate(60, directory, seed=3, image_size=64, voters=30)
    return directory


def winding_of(image):
    """+1 or -1: how the phase of the second harmonic turns with the radius, whatever the truth says."""
    grey = image.astype(np.float32).mean(axis=-1)
    centre = (grey.shape[0] - 1) / 2
    radius = np.exp(np.linspace(np.log(0.06), np.log(0.32), 24))[:, None] * grey.shape[0] / 2
    theta = 2 * np.pi * np.arange(64) / 64
    polar = map_coordinates(grey, [centre + radius * np.sin(theta), centre + radius * np.cos(theta)], order=1)
    harmonic = (polar / (polar.mean(axis=1, keepdims=True) + 1) * np.exp(-2j * theta)).mean(axis=1)
    return np.sign((harmonic[1:] * harmonic[:-1].conj()).imag.sum())


def test_catalogue_is_read_by_the_loader(folder):
    galaxies = load_catalogue(folder / "catalogue.csv", images=folder, questions="gz2")
    assert len(galaxies) == 60
    assert not galaxies.excluded
    assert len(galaxies.unlabelled_files) == 0
    assert galaxies.ids[12] == "sim3-000012"
    images, votes, truth = simulate_arrays(60, seed=3, image_size=64, voters=30)
    np.testing.assert_array_equal(galaxies.votes, votes)
    np.testing.assert_array_equal(galaxies.ids, truth["id"])
    written = np.asarray(Image.open(galaxies.files[12])).astype(float)
    assert np.abs(written - images[12]).mean() < 2.0  # JPEG


def test_catalogue_is_read_from_its_image_folder(folder):
    assert len(load_catalogue(folder / "catalogue.csv", images=folder / "images", questions="gz2")) == 60


def test_truth_is_in_the_catalogue_and_taken_for_no_votes(folder):
    table = pd.read_csv(folder / "catalogue.csv", keep_default_na=False)
    expected = draw_galaxy(3, 7)
    assert table["truth_position_angle"][7] == pytest.approx(expected.position_angle)
    assert table["truth_kind"][7] == expected.kind
    assert table["truth_winding"][7] == expected.winding
    galaxies = load_catalogue(folder / "catalogue.csv", images=folder, questions="gz2")
    assert {name for name in table if name.startswith("truth_")} <= set(galaxies.ignored_columns)
    probabilities = table[[f"truth_{label}" for label in galaxies.questions.answer_labels]].to_numpy()
    asked = galaxies.questions.asked_probability(probabilities)[:, galaxies.questions.question_index]
    # 60 galaxies of 30 people: the votes' sums are those that the truth expects, within their scatter.
    np.testing.assert_allclose(galaxies.votes.sum(0), 30 * (asked * probabilities).sum(0), atol=120)


def test_gz1_catalogue_tells_the_handedness(tmp_path):
    path = simulate(60, tmp_path / "gz1", image_size=32, questions="gz1")
    galaxies = load_catalogue(path, images=tmp_path / "gz1", questions="gz1")
    winding = pd.read_csv(path)["truth_winding"].to_numpy()
    more_clockwise = galaxies.votes[:, 5] > galaxies.votes[:, 6]
    assert (more_clockwise[winding == 1]).mean() > (more_clockwise[winding == -1]).mean() + 0.3


@pytest.mark.slow
def test_processes_change_nothing(folder, tmp_path):
    calls = []
    other = tmp_path / "other"
    simulate(60, other, seed=3, image_size=64, voters=30, processes=2, progress=lambda *done: calls.append(done))
    assert (other / "catalogue.csv").read_bytes() == (folder / "catalogue.csv").read_bytes()
    for path in sorted((folder / "images").iterdir()):
        assert (other / "images" / path.name).read_bytes() == path.read_bytes()
    assert calls == [(50, 60), (60, 60)]


def test_the_count_changes_nothing():
    few, few_votes, few_truth = simulate_arrays(3, seed=9, image_size=32)
    many, many_votes, many_truth = simulate_arrays(6, seed=9, image_size=32)
    np.testing.assert_array_equal(few, many[:3])
    np.testing.assert_array_equal(few_votes, many_votes[:3])
    pd.testing.assert_frame_equal(few_truth, many_truth[:3])


def test_the_size_changes_only_the_sampling():
    small, small_votes, small_truth = simulate_arrays(8, seed=2, image_size=32)
    large, large_votes, large_truth = simulate_arrays(8, seed=2, image_size=64)
    pd.testing.assert_frame_equal(small_truth, large_truth)
    np.testing.assert_array_equal(small_votes, large_votes)
    binned = large.reshape(8, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    for one, other in zip(small.astype(float), binned, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_seeds_differ():
    assert not np.array_equal(
        simulate_arrays(1, seed=0, image_size=32)[0], simulate_arrays(1, seed=1, image_size=32)[0]
    )


def test_all_kinds_come_in_their_shares():
    kinds = pd.Series([draw_galaxy(0, index).kind for index in range(4000)])
    shares = kinds.value_counts(normalize=True)
    for kind, share in KINDS.items():
        assert shares[kind] == pytest.approx(share, abs=0.025)


def test_galaxies_fill_part_of_the_central_half():
    images, _, truth = simulate_arrays(40, seed=4, image_size=64)
    usual = ~truth["truth_kind"].isin(["artefact"])
    light = images[usual].astype(float).mean(axis=-1)
    inner, outer = light[:, 16:48, 16:48].mean(axis=(1, 2)), light.mean(axis=(1, 2))
    assert np.median(inner / outer) > 2
    assert np.median(light[:, 30:34, 30:34].mean(axis=(1, 2))) > 80  # bright in the middle
    assert np.median(light) < 15  # on a dark sky


def test_clockwise_arms_are_wound_clockwise():
    images, _, truth = simulate_arrays(150, seed=0, image_size=64)
    spiral = (truth["truth_kind"] == "spiral") & (truth["truth_arms"] == 2) & (truth["truth_axis_ratio"] > 0.4)
    found = np.array([winding_of(image) for image in images[spiral]])
    assert np.mean(found == truth["truth_winding"][spiral]) > 0.75


@pytest.mark.real
@pytest.mark.slow
def test_clockwise_means_what_it_means_in_galaxy_zoo_1(real_data):
    folder = real_data / "galaxyzoo1"
    with (folder / "labels.csv").open() as file:
        labels = {row["dr7objid"]: row["label"] for row in csv.DictReader(file)}
    for label, sign in (("spiral_clockwise", 1), ("spiral_anticlockwise", -1)):
        ids = sorted(identifier for identifier, other in labels.items() if other == label)[:150]
        found = [winding_of(np.asarray(Image.open(folder / "images" / f"{name}.jpg").convert("RGB"))) for name in ids]
        assert sign * np.mean(found) > 0.15


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 0}, "count must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"image_size": 8}, "image_size must be from 16 to 1024 pixels, not 8"),
        ({"voters": 0}, "voters must be at least 1, not 0"),
        ({"processes": 0}, "processes must be at least 1, not 0"),
        ({"questions": "decals"}, "questions must be one of gz2, gz1 for simulated galaxies, not 'decals'"),
        ({"questions": "gz3"}, "questions must be a preset"),
    ],
)
def test_bad_settings_are_named(tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        simulate(**{"count": 2, "directory": tmp_path / "out", **settings})
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(folder):
    with pytest.raises(InputError, match="output must not exist yet"):
        simulate(2, folder, image_size=32)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(done, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(2, tmp_path / "out", image_size=32, progress=fail)
    assert list(tmp_path.iterdir()) == []
