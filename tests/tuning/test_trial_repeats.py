"""Trials of several runs: their mean, where they go on, and that poor ones get no more runs."""

import numpy as np
import pytest
from small_search import CONFIG

from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.trial_repeats import epochs_done, run_repeats
from tfgalaxy.tuning.trial_run import run_trial

pytestmark = pytest.mark.usefixtures("eagerly")
SCORE = "val_log_likelihood"


def of_epochs(epochs):
    return CONFIG.replace(training=CONFIG.training.replace(epochs=epochs))


def test_runs_differ_in_their_seed_only(data, tmp_path):
    directory, seen = SearchDirectory(tmp_path), []
    result = run_repeats("0", CONFIG, data, directory, SCORE, seeds=3, progress=seen.append)
    configs = [directory.run("0", repeat).config for repeat in range(3)]
    seeds = [config.training.seed for config in configs]
    assert seeds == [CONFIG.training.seed + repeat for repeat in range(3)]
    assert {config.replace(training=config.training.replace(seed=0)) for config in configs} == {CONFIG}
    assert len(set(result.scores)) == 3
    assert result.score == pytest.approx(np.mean(result.scores))
    assert (result.epochs, result.is_whole, seen) == (6, True, [1, 2, 3, 4, 5, 6])
    assert epochs_done(directory, "0", 3) == 6


def test_a_killed_trial_goes_on_with_the_run_that_was_running(data, tmp_path, monkeypatch):
    directory, seen = SearchDirectory(tmp_path), []
    first = run_trial("0", CONFIG, data, directory, SCORE)
    history = directory.run("0").history_file.stat().st_mtime_ns
    result = run_repeats("0", CONFIG, data, directory, SCORE, seeds=2, progress=seen.append)
    assert result.scores[0] == first.score
    assert seen == [3, 4]
    assert directory.run("0").history_file.stat().st_mtime_ns == history


@pytest.mark.parametrize("poor", [0, 1])
def test_a_trial_that_one_run_shows_to_be_poor_gets_no_more(data, tmp_path, poor):
    directory = SearchDirectory(tmp_path)
    folder = directory.curves_of(poor)
    folder.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / f"{name}.json").write_text("[1.0, 1.0, 1.0, 1.0]")
    result = run_repeats("0", of_epochs(4), data, directory, SCORE, seeds=3, stop_by_median=True)
    assert len(result.scores) == poor + 1
    assert not result.is_whole
    assert result.epochs == 4 * poor + 3


def test_poor_at_its_last_epoch(data, tmp_path):
    directory = SearchDirectory(tmp_path)
    directory.curves.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (directory.curves / f"{name}.json").write_text("[-100.0, -100.0, 1.0]")
    result = run_repeats("0", of_epochs(3), data, directory, SCORE, seeds=2, stop_by_median=True)
    assert (len(result.scores), result.epochs, result.is_whole) == (1, 3, False)


def test_rungs_go_on_with_every_run(data, tmp_path):
    directory, config = SearchDirectory(tmp_path), of_epochs(4)
    rung = run_repeats("0", config, data, directory, SCORE, seeds=2, epochs=2)
    assert (rung.epochs, rung.is_whole, len(rung.scores)) == (4, False, 2)
    last = run_repeats("1", config, data, directory, SCORE, seeds=2, epochs=4, promoted="0")
    whole = run_repeats("2", config, data, directory, SCORE, seeds=2)
    assert last.is_whole
    assert last.scores == whole.scores
