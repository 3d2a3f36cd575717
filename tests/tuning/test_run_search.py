"""Whole searches: their files, that they go on after a kill, and what they never see."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_search import CONFIG, SPACE, kept_score, open_galaxies, write_galaxies

from tfgalaxy.errors import InputError
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run import train
from tfgalaxy.tuning import SearchSpace, search
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.space import NOTHING

SCORE = "val_log_likelihood"


@pytest.fixture(scope="module")
def votes_file(tmp_path_factory):
    return write_galaxies(tmp_path_factory.mktemp("data"))


def table(directory):
    return list(csv.DictReader(directory.table_file.open()))


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_the_best_configuration_trains_to_the_trial_s_score(votes_file, tmp_path):
    galaxies = open_galaxies(votes_file)
    outcome = search(tmp_path / "search", galaxies, CONFIG, SPACE, algorithm="random", trials=3, quiet=True)
    directory = outcome.directory
    rows = table(directory)
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert float(rows[0]["dropout"]) == CONFIG.model.dropout
    assert float(outcome.best.score) == max(float(row[SCORE]) for row in rows)
    names = {path.name for path in directory.path.iterdir()}
    files = {"search.json", "best.json", "trials.csv", "trials.png", "trials.svg"}
    assert names == files | {"oracle", "trials", "curves", "cache"}
    config = RunConfig.from_json(directory.best_file)
    again = train(config, galaxies, tmp_path / "again", quiet=True)
    assert kept_score(again) == pytest.approx(outcome.best.score, abs=0)
    assert directory.run(outcome.best.trial).finished
    assert sum(directory.run(row["trial"]).finished for row in rows) == 1


@pytest.mark.usefixtures("eagerly")
def test_trials_of_several_seeds_are_judged_by_their_mean(votes_file, tmp_path):
    galaxies = open_galaxies(votes_file)
    outcome = search(tmp_path / "search", galaxies, CONFIG, SPACE, algorithm="random", trials=2, seeds=2, quiet=True)
    first = outcome.rows[0]
    assert first.score == pytest.approx(np.mean(first.scores))
    for repeat, score in enumerate(first.scores):
        config = CONFIG.replace(training=CONFIG.training.replace(seed=CONFIG.training.seed + repeat))
        run = train(config, galaxies, tmp_path / f"seed{repeat}", quiet=True)
        assert kept_score(run) == pytest.approx(score, abs=0)
    assert RunConfig.from_json(outcome.directory.best_file).training.seed == CONFIG.training.seed
    assert outcome.directory.run(outcome.best.trial).finished
    with pytest.raises(InputError, match="must hold a search with seeds = 3"):
        search(tmp_path / "search", galaxies, CONFIG, SPACE, algorithm="random", trials=2, seeds=3, quiet=True)


@pytest.mark.usefixtures("eagerly")
def test_a_search_never_sees_the_test_part(votes_file, tmp_path, monkeypatch):
    galaxies = open_galaxies(votes_file)
    _, _, unseen = galaxies.split(CONFIG.data.split_seed, CONFIG.data.split_fractions)
    assert len(unseen) > 3
    hidden = set(unseen.ids)
    votes = np.where([[name in hidden] for name in galaxies.ids], np.nan, galaxies.votes)
    poisoned = dataclasses.replace(galaxies, votes=votes.astype(np.float32))
    opened = []
    import tfgalaxy.tuning.run_search as module

    original = module.load_pixels

    def spy(files, *arguments, **settings):
        opened.extend(files)
        return original(files, *arguments, **settings)

    monkeypatch.setattr(module, "load_pixels", spy)
    monkeypatch.setattr("tfgalaxy.training.run_data.load_pixels", lambda *_, **__: pytest.fail("decodes for itself"))
    scores = []
    for name, catalogue in (("whole", galaxies), ("poisoned", poisoned)):
        outcome = search(tmp_path / name, catalogue, CONFIG, SPACE, algorithm="random", trials=2, quiet=True)
        scores.append([row.score for row in outcome.rows])
    assert opened
    assert not set(opened) & set(unseen.files)
    assert scores[0] == scores[1]
    assert np.isfinite(scores).all()


@pytest.mark.slow
@pytest.mark.core
def test_a_killed_search_goes_on(votes_file, tmp_path):
    folder, script = tmp_path / "killed", Path(__file__).with_name("small_search.py")
    command = [sys.executable, str(script), str(votes_file), str(folder)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    directory = SearchDirectory(folder)
    deadline = time.monotonic() + 300
    while not directory.run("1").history_file.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in directory.run("0").path.rglob("*") if path.is_file()}
    record = json.loads((directory.oracle / "oracle.json").read_text())
    assert record["end_order"] == ["0"]
    assert record["start_order"] == ["0", "1"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    rows = table(directory)
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert len({row["dropout"] for row in rows}) == 3
    best = RunConfig.from_json(directory.best_file)
    if best != directory.run("0").config:
        assert {path: path.stat().st_mtime_ns for path in kept} == kept
    # The trial that was killed went on within its run: its history is that of four epochs, each once.
    history = list(csv.DictReader(directory.run("1").history_file.open()))
    assert [row["epoch"] for row in history] == ["0", "1", "2", "3"]


@pytest.mark.usefixtures("eagerly")
def test_hyperband_goes_on_with_the_best_of_a_rung(votes_file, tmp_path):
    config = CONFIG.replace(training=CONFIG.training.replace(epochs=3))
    outcome = search(
        tmp_path / "search", open_galaxies(votes_file), config, SPACE, algorithm="hyperband", trials=20, quiet=True
    )
    # Three epochs and a factor of 3: trials of one epoch, the best of which go on to three, and trials of three.
    assert {(row.status, row.epochs) for row in outcome.rows} == {("stopped early", 1), ("completed", 3)}
    first = {row.hyperparameters["dropout"]: row for row in outcome.rows if row.epochs == 1}
    promoted = [row for row in outcome.rows if row.epochs == 3 and row.hyperparameters["dropout"] in first]
    ranked = sorted(first.values(), key=lambda row: row.score, reverse=True)
    chosen = {row.hyperparameters["dropout"] for row in promoted}
    assert chosen == {row.hyperparameters["dropout"] for row in ranked[: len(promoted)]}
    assert outcome.best.epochs == 3
    assert outcome.directory.run(outcome.best.trial).finished
    for row in promoted:
        history = list(csv.DictReader(outcome.directory.run(row.trial).history_file.open()))
        before = first[row.hyperparameters["dropout"]].trial
        (earlier,) = csv.DictReader(outcome.directory.run(before).history_file.open())
        assert history[0] == earlier


@pytest.mark.usefixtures("eagerly")
def test_trials_that_fail_are_told_with_the_reason(votes_file, tmp_path):
    galaxies = open_galaxies(votes_file)
    impossible = SearchSpace(**{**NOTHING, "encoder_filters": ((8,) * 4, (8,) * 5, (8,) * 6)})
    config = CONFIG.replace(model=CONFIG.model.replace(radii=8, angles=8, encoder_filters=(8, 8)))
    with pytest.raises(
        InputError, match=r"space must hold no more than 2 configurations in a row that fail, not 'radii"
    ):
        search(tmp_path / "search", galaxies, config, impossible, algorithm="random", trials=5, quiet=True)
    rows = table(SearchDirectory(tmp_path / "search"))
    assert [row["status"] for row in rows] == ["failed"] * 3
    assert all("must be a positive multiple of" in row["reason"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"algorithm": "grid"}, r"algorithm must be one of random, bayesian, hyperband, not 'grid'. .*GridSearch"),
        ({"algorithm": "evolution"}, "algorithm must be one of"),
        ({"objective": "accuracy"}, r"objective must be one of val_log_likelihood, .*, not 'accuracy'"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"workers": -1}, "workers must not be negative"),
        ({"seeds": 0}, "seeds must be at least 1"),
    ],
)
def test_what_a_search_refuses_before_it_begins(votes_file, tmp_path, arguments, words):
    with pytest.raises(InputError, match=words):
        search(tmp_path / "search", open_galaxies(votes_file), CONFIG, SPACE, quiet=True, **arguments)
    assert not (tmp_path / "search").exists()


def test_data_that_trials_cannot_be_judged_by(votes_file, tmp_path):
    galaxies = open_galaxies(votes_file)
    for changes, words in (
        ({"split_fractions": (0.8, 0.0, 0.2)}, "catalogue must have galaxies in the validation part"),
        ({"labels": 4000}, "labels must be between 1"),
    ):
        config = CONFIG.replace(data=CONFIG.data.replace(**changes))
        with pytest.raises(InputError, match=words):
            search(tmp_path / "-".join(changes), galaxies, config, SPACE, quiet=True)


def test_another_search_is_not_gone_on_with(votes_file, tmp_path, monkeypatch):
    galaxies = open_galaxies(votes_file)
    monkeypatch.setattr("tfgalaxy.tuning.run_search.Search.run_here", lambda self: self._prepare_oracle())
    folder = tmp_path / "search"
    search(folder, galaxies, CONFIG, SPACE, quiet=True)
    with pytest.raises(InputError, match=r"must hold a search with algorithm = 'random', not 'bayesian'"):
        search(folder, galaxies, CONFIG, SPACE, algorithm="random", quiet=True)
    other = SPACE.replace(dropout=(0.1, 0.2))
    with pytest.raises(InputError, match=r"must hold a search with space.dropout = \[0.1, 0.2\]"):
        search(folder, galaxies, CONFIG, other, quiet=True)
    with pytest.raises(InputError, match="must hold a search with galaxies"):
        search(folder, galaxies.subset(np.arange(len(galaxies)) > 0), CONFIG, SPACE, quiet=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="output must not exist yet, be empty, or hold a search"):
        search(tmp_path / "full", galaxies, CONFIG, SPACE, quiet=True)
    assert not list((tmp_path / "full").glob("*/"))
