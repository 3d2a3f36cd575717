"""The experiment from simulated galaxies to its tables: run, killed, resumed, spread and refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy import commands
from tfgalaxy.cli import main
from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.simulation import simulate
from tfgalaxy.evaluation.label_efficiency import Cell, Plan
from tfgalaxy.evaluation.label_efficiency.cell_lock import hold_cell
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore
from tfgalaxy.evaluation.label_efficiency.experiment import Outcome, run_experiment
from tfgalaxy.evaluation.label_efficiency.galaxies import ExperimentGalaxies
from tfgalaxy.evaluation.metrics import baseline_fractions
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

CONFIG = RunConfig(
    data=DataConfig(questions="gz1"),
    model=SMALL.replace(prediction_views=1),
    training=TrainingConfig(
        batch_size=8, steps_per_epoch=2, epochs=1, unlabelled_epochs=1, simulated_galaxies=0, teachers=0
    ),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Simulated galaxies, and more without votes."""
    folder = tmp_path_factory.mktemp("galaxies")
    simulate(40, folder / "sim", questions="gz1", image_size=64)
    simulate(6, folder / "more", seed=1, questions="gz1", image_size=64)
    for path in sorted((folder / "more/images").iterdir()):
        path.rename(path.with_name(f"more-{path.name}"))
    return folder


def command(place, output, *arguments):
    sources = ("--catalogue", place / "sim/catalogue.csv", "--images", place / "sim", "--output", output, "--quiet")
    return ["label-efficiency", *map(str, (*sources, *arguments))]


def read(place):
    return load_catalogue(place / "sim/catalogue.csv", place / "sim", "gz1")


def children(process):
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_running(process):
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def wait_for(condition, process):
    deadline = time.monotonic() + 300
    while not condition() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert condition()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds child processes as Linux shows them")
def test_a_killed_experiment_goes_on_inside_its_cell(place, tmp_path):
    config = CONFIG.replace(training=CONFIG.training.replace(epochs=12, steps_per_epoch=4))
    config.to_json(tmp_path / "config.json")
    output = tmp_path / "experiment"
    arguments = ("--labels", 6, 12, "--regimes", "supervised", "--baselines", "class-means", "--seeds", 1)
    chosen = ("--only", "supervised-12-*", "--config", tmp_path / "config.json")
    program = [sys.executable, "-m", "tfgalaxy.cli", *command(place, output, *arguments, *chosen)]
    history = output / "cells/supervised-12-seed0/history.csv"
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(history.exists, process)
    below = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 60
    while any(map(is_running, below)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, below))  # what it started ends with it
    before = list(csv.DictReader(history.open()))
    assert 0 < len(before) < 12
    assert not (history.parent / "scores.json").exists()
    plan, galaxies = Plan((6, 12), ("supervised",), ("class-means",), seeds=1), ExperimentGalaxies(read(place))
    outcome = run_experiment(output, plan, config, galaxies, only=chosen[1:2], quiet=True, cells_per_process=None)
    assert outcome == Outcome(cells=4, finished=1, elsewhere=0)
    after = list(csv.DictReader(history.open()))
    assert len(after) == 12
    assert after[: len(before)] == before  # seconds included: no epoch was run twice
    assert sorted(path.name for path in (output / "cells").iterdir()) == ["supervised-12-seed0"]
    assert not list((output / "locks").glob("*.lock"))


@pytest.mark.usefixtures("eagerly")
def test_cells_are_judged_by_folds_and_run_once(place, tmp_path):
    catalogue = read(place)
    galaxies = ExperimentGalaxies(catalogue, catalogue.with_unlabelled(place / "more"))
    plan = Plan((8,), ("two-step",), ("class-means",), seeds=1, folds=2, more_unlabelled=True)
    chosen = ("class-means-*", "two-step*-fold0")
    settings = {"only": chosen, "quiet": True, "cells_per_process": None}
    store = CellStore(tmp_path / "experiment")
    killed = store.cell_path(Cell("two-step", 8, 0, 0))  # by someone, before it had begun
    killed.mkdir(parents=True)
    (killed / ".partial-0-run.json").touch()
    with hold_cell(store.lock_file(Cell("class-means", 8, 0, 1))):
        outcome = run_experiment(store.path, plan, CONFIG, galaxies, **settings)
    assert outcome == Outcome(cells=6, finished=3, elsewhere=1)
    assert not list(killed.glob(".partial*"))
    stamps = {path: path.stat().st_mtime_ns for path in store.path.glob("cells/*/scores.json")}
    assert run_experiment(store.path, plan, CONFIG, galaxies, **settings) == Outcome(6, 4, 0)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())

    tested = [store.read_predictions(Cell("class-means", 8, 0, fold))["test"] for fold in (0, 1)]
    assert sorted(name for part in tested for name in part.ids) == sorted(catalogue.ids)
    # The class means are those of the very galaxies that the regime's run has learnt from.
    split = pd.read_csv(store.cell_path(Cell("two-step", 8, 0, 0)) / "split.csv", dtype=str)
    learnt = catalogue.subset(np.isin(catalogue.ids, split.id[split.part == "train"]))
    assert len(learnt) == 8
    means = tested[0].predictions["fraction"]
    assert store.read_predictions(Cell("two-step", 8, 0, 0))["test"].ids.tolist() == tested[0].ids.tolist()
    np.testing.assert_allclose(
        means, np.tile(baseline_fractions(learnt.votes, catalogue.questions), (20, 1)), rtol=1e-6
    )
    assert not set(split.id) & set(tested[0].ids)
    # The second folder is in the one pool and not in the other.
    more = pd.read_csv(store.cell_path(Cell("two-step", 8, 0, 0, True)) / "split.csv", dtype=str)
    assert set(more.id) - set(split.id) == {path.stem for path in (place / "more/images").iterdir()}

    table = pd.read_csv(store.path / "table.csv").set_index("cell")
    scores = json.loads((store.cell_path(Cell("two-step", 8, 0, 0)) / "scores.json").read_text())
    row = table.loc["two-step-8-seed0-fold0"]
    assert row["rmse"] == pytest.approx(scores["test"]["questions"]["smooth-or-featured"]["rmse"])
    assert row["all_rmse"] == pytest.approx(scores["test"]["rmse"])
    assert 0 < row["interval_coverage"] <= 1
    reports = {"table.csv", "table.md", "differences.csv", "differences.md", "curve.png", "curve.svg"}
    assert {path.name for path in store.path.iterdir()} == {
        *reports,
        "experiment.json",
        "cells",
        "locks",
        "cache",
        "starts",
    }


def test_the_command_takes_several_values_and_refuses_what_it_cannot_do(place, tmp_path, monkeypatch):
    CONFIG.to_json(tmp_path / "config.json")
    given = {}

    def run_nothing(*arguments, **options):
        given.update(options, plan=arguments[1])
        return Outcome(2, 0, 0)

    def invoke(*arguments):
        return CliRunner().invoke(main, command(place, tmp_path / "out", *arguments), catch_exceptions=False)

    path = "tfgalaxy.evaluation.label_efficiency.experiment.run_experiment"
    arguments = ("--labels", 8, 12, "--baselines", "none", "--seeds", 2, "--config", tmp_path / "config.json")
    with monkeypatch.context() as patch:
        patch.setattr(path, run_nothing)
        result = invoke(*arguments, "--only", "*-8-*", "*-seed1", "--regimes", "two-step", "supervised", "--folds", 3)
    assert result.exit_code == 0, result.output
    assert given["plan"] == Plan((8, 12), ("two-step", "supervised"), (), seeds=2, folds=3)
    assert given["only"] == ("*-8-*", "*-seed1")
    assert "0 of 2 cells finished" in result.output

    for options, words in (
        (("--labels", 8, 400, "--config", tmp_path / "config.json"), "labels must be at most"),
        ((*arguments, "--only", "nothing"), "only must be a cell's name or a pattern"),
        ((*arguments, "--regimes", "magic"), "'magic' is not one of"),
        (("--labels", "--seeds", 2), "Invalid value for '--labels'"),
    ):
        result = invoke(*options)
        assert result.exit_code == 2
        assert words in result.output
        assert not (tmp_path / "out").exists()


def test_another_configuration_is_refused(place, tmp_path):
    output = tmp_path / "out"
    catalogue = read(place)
    plan = Plan((8,), (), ("class-means",), seeds=1)
    run_experiment(output, plan, CONFIG, ExperimentGalaxies(catalogue), quiet=True, cells_per_process=None)
    changed = CONFIG.replace(training=CONFIG.training.replace(epochs=5))
    changed.to_json(tmp_path / "changed.json")
    arguments = ("--labels", 8, "--regimes", "supervised", "--baselines", "class-means", "--seeds", 1)
    result = CliRunner().invoke(main, command(place, output, *arguments, "--config", tmp_path / "changed.json"))
    assert result.exit_code == 2
    assert "must hold an experiment with config.training.epochs = 5, not 1" in result.output
    # Without --config it goes on with its own; the finished cell is not run again.
    result = CliRunner().invoke(main, command(place, output, *arguments, "--only", "class-means-*"))
    assert result.exit_code == 0, result.output
    assert "1 of 2 cells finished" in result.output


def test_a_stopped_experiment_says_how_to_go_on(place, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfgalaxy.evaluation.label_efficiency.experiment.run_experiment", stop)
    CONFIG.to_json(tmp_path / "config.json")
    options = {"config": str(tmp_path / "config.json"), "questions": None, "voters": None, "image_size": None}
    options |= {"baselines": (), "labels": (8,), "regimes": ("supervised",), "seeds": 1, "folds": None, "only": ()}
    options |= {"unlabelled": None, "cnn_steps": 1, "cache": None, "quiet": True}
    with pytest.raises(SystemExit, match="130"):
        commands.label_efficiency_command(str(place / "sim/catalogue.csv"), str(place / "sim"), tmp_path, **options)
