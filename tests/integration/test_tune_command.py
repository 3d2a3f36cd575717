"""`tfgalaxy tune` from a catalogue to a configuration that `tfgalaxy train` takes."""

import json

import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.data.simulation import simulate
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.training.run_directory import RunDirectory

CONFIG = RunConfig(
    data=DataConfig(questions="gz1"),
    model=SMALL.replace(prediction_views=1, vote_likelihood="multinomial"),
    training=TrainingConfig(regime="supervised", batch_size=4, steps_per_epoch=1, epochs=1),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("galaxies")
    simulate(40, folder, questions="gz1", image_size=48)
    CONFIG.to_json(folder / "config.json")
    (folder / "space.json").write_text(json.dumps({"dropout": [0.0, 0.6]}))
    return folder


def tfgalaxy(place, command, *arguments):
    sources = ("--catalogue", place / "catalogue.csv", "--images", place, "--quiet")
    return CliRunner().invoke(main, [command, *map(str, (*sources, *arguments))])


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_from_a_catalogue_to_the_best_run(place, tmp_path):
    output, settings = tmp_path / "search", ("--config", place / "config.json", "--space", place / "space.json")
    few = (*settings, "--labels", 12, "--seed", 3, "--algorithm", "random", "--output", output)
    result = tfgalaxy(place, "tune", *few, "--trials", 1)
    assert result.exit_code == 0, result.output
    # The same command goes on with more trials, and without the configuration, which the search remembers.
    more = ("--space", place / "space.json", "--algorithm", "random", "--output", output, "--trials", 2)
    result = tfgalaxy(place, "tune", *more)
    assert result.exit_code == 0, result.output
    assert "2 trials, best first" in result.output
    assert "the configuration that the search began with" in result.output
    assert f"configuration: {output / 'best.json'}" in result.output
    best = RunConfig.from_json(output / "best.json")
    assert (best.data.labels, best.training.seed, best.model.precision) == (12, 3, "float32")
    run = tmp_path / "run"
    assert tfgalaxy(place, "train", "--config", output / "best.json", "--output", run).exit_code == 0
    histories = {path.parent.name: path.read_text() for path in output.glob("trials/*/history.csv")}
    scores = {name: column(text, "val_log_likelihood") for name, text in histories.items()}
    assert column(RunDirectory(run).history_file.read_text(), "val_log_likelihood") == max(scores.values())


def column(text, name):
    header, row = (line.split(",") for line in text.splitlines())
    return float(row[header.index(name)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--algorithm", "grid"), "algorithm must be one of random, bayesian, hyperband, not 'grid'"),
        (("--objective", "accuracy"), "objective must be one of val_log_likelihood"),
        (("--space", "everything"), "everything must be a readable JSON file"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(place, tmp_path, arguments, words):
    result = tfgalaxy(place, "tune", "--config", place / "config.json", "--output", tmp_path / "search", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "search").exists()
