"""Trials as runs: ended early, gone on with, and what makes them fail."""

import keras_tuner
import numpy as np
import pytest
from small_search import CONFIG, kept_score

from tfgalaxy.training.run import train
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.trial_run import finish_trial, read_history, run_trial

pytestmark = pytest.mark.usefixtures("eagerly")
SCORE = "val_log_likelihood"


def longer(**changes):
    return CONFIG.replace(training=CONFIG.training.replace(**{"epochs": 4, **changes}))


def without_seconds(run):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_history(run)]


@pytest.mark.core
def test_rungs_together_are_the_whole_run(data, tmp_path):
    directory = SearchDirectory(tmp_path / "search")
    config = longer()
    seen = []
    first = run_trial("0000", config, data, directory, SCORE, epochs=2, progress=seen.append)
    assert (first.epochs, first.is_whole, seen) == (2, False, [1, 2])
    second = run_trial("0005", config, data, directory, SCORE, epochs=4, promoted="0000")
    assert (second.epochs, second.is_whole) == (4, True)
    whole = train(config, data.catalogue, tmp_path / "run", quiet=True)
    assert without_seconds(directory.run("0005")) == without_seconds(whole)
    assert second.score == kept_score(whole)
    assert not directory.run("0005").finished
    finished = finish_trial("0005", data, directory)
    for ours, theirs in zip(finished.load_model().weights, whole.load_model().weights, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def test_a_trial_worse_than_the_median_is_stopped(data, tmp_path):
    directory = SearchDirectory(tmp_path)
    directory.curves.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (directory.curves / f"{name}.json").write_text("[1.0, 1.0, 1.0, 1.0]")
    result = run_trial("3", longer(), data, directory, SCORE, stop_by_median=True)
    assert (result.epochs, result.is_whole) == (3, False)
    assert (directory.curves / "3.json").is_file()


def test_a_run_s_own_patience_ends_a_whole_trial(data, tmp_path):
    config = longer(epochs=8, patience=1, classifier_learning_rate=0.5)
    result = run_trial("0", config, data, SearchDirectory(tmp_path), SCORE)
    assert result.is_whole
    assert result.epochs < 8


def test_a_trial_that_had_ended_is_not_trained_again(data, tmp_path, monkeypatch):
    directory = SearchDirectory(tmp_path)
    first = run_trial("0", CONFIG, data, directory, SCORE)
    monkeypatch.setattr("tfgalaxy.tuning.trial_run.train", lambda *_, **__: pytest.fail("trained again"))
    assert run_trial("0", CONFIG, data, directory, SCORE) == first


def test_a_trial_without_patience_left_is_not_trained_again(data, tmp_path, monkeypatch):
    directory, config = SearchDirectory(tmp_path), longer(epochs=8, patience=1, classifier_learning_rate=0.5)
    first = run_trial("0", config, data, directory, SCORE)
    monkeypatch.setattr("tfgalaxy.tuning.trial_run.train", lambda *_, **__: pytest.fail("trained again"))
    assert run_trial("0", config, data, directory, SCORE) == first


def test_a_configuration_that_is_refused_fails_with_the_reason(data, tmp_path):
    config = CONFIG.replace(model=CONFIG.model.replace(transformations=("rotate",)))
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"transformation must be one of .*, not 'rotate'"):
        run_trial("0", config, data, SearchDirectory(tmp_path), SCORE)


def test_a_trial_that_diverges_fails_at_once(data, tmp_path):
    directory = SearchDirectory(tmp_path)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"training must have finite terms"):
        run_trial("0", longer(classifier_learning_rate=1e38), data, directory, SCORE)
