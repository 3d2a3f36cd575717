"""`tfgalaxy equivariance` on a run whose model is small and untrained."""

import json

import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.data.simulation import simulate
from tfgalaxy.models.galaxy_vae import GalaxyVAE
from tfgalaxy.training.config import DataConfig, RunConfig
from tfgalaxy.training.run_directory import RunDirectory


def run_command(*arguments):
    return CliRunner().invoke(main, ["equivariance", *map(str, arguments)], catch_exceptions=False)


def write_run(folder, name, galaxies, **changes):
    """A finished run that trained on the first half of the simulated galaxies."""
    config = SMALL.replace(**changes)
    run = RunDirectory(folder / name)
    run.create(RunConfig(data=DataConfig(questions="gz1"), model=config), {})
    ids = [f"sim0-{index:06d}" for index in range(galaxies // 2)]
    rows = [{"id": galaxy, "part": "train", "file": f"{galaxy}.jpg"} for galaxy in ids]
    run.write_table(run.split_file, ["id", "part", "file"], rows)
    GalaxyVAE("gz1", config).save(run.model_file)
    return run.path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    simulate(10, folder / "sim", image_size=64, questions="gz1")
    write_run(folder, "run", 10)
    write_run(folder, "still", 10, transformations=())
    return folder


@pytest.mark.core
def test_a_run_is_judged(place):
    files = ("--json", place / "out/error.json", "--figure", place / "out/error.png", "--quiet")
    result = run_command(place / "run", "--images", place / "sim", "--count", 7, *files)
    assert result.exit_code == 0, result.output
    record = json.loads((place / "out/error.json").read_text())
    pose, answers = record["equivariance"], record["invariance"]
    assert record["unseen"] is True
    assert pose["images"] == answers["images"] == 5  # the other half of the folder was trained on
    assert pose["parameters"][0]["error"]["mean"] < 0.2 < pose["parameters"][0]["control"]["mean"]
    assert f"{pose['parameters'][0]['error']['mean']:.4f}" in result.output
    turned = next(row for row in answers["rows"] if row["change"] == "turned")
    assert turned["prediction"] == "single view"
    assert f"{turned['total']['mean']:.4f}" in result.output
    assert (place / "out/error.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_pose_has_answers_only(place):
    out = place / "still.json"
    result = run_command(place / "still", "--images", place / "sim", "--count", 2, "--json", out, "--quiet")
    assert result.exit_code == 0, result.output
    assert "predicts no pose" in result.output
    assert json.loads(out.read_text())["equivariance"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--images", "nowhere"), "images must be an existing folder"),
        (("nowhere", "--images", "sim"), "RUN must be the directory of a run"),
        (("run", "--images", "sim", "--count", "0"), "count must be at least 1"),
        (("run", "--images", "sim", "--seed", "-1"), "seed must be at least 0"),
        (("run", "--images", "sim", "--figure", "error.doc"), "figure must end in one of"),
    ],
)
def test_bad_input_exits_with_2_and_writes_nothing(place, monkeypatch, arguments, words):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    result = run_command(*arguments, "--json", "new.json", "--quiet")
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(place.iterdir()) == before
