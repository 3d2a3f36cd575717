"""Table, best trial and picture of a search."""

import csv
import io

import numpy as np
import pytest
from oracle_loop import end, open_oracle
from rich.console import Console

from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.tuning.objectives import objective
from tfgalaxy.tuning.parallel_coordinates import UNUSED, draw_trials, write_picture
from tfgalaxy.tuning.results import TrialRow, best_row, read_rows, results_table, write_results
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.tuner import failure_reason

ROWS = [
    TrialRow("0", "completed", -0.9, 12, 30.0, {"regime": "alternating", "kl_weight": 1.0, "dropout": 0.5}),
    TrialRow("1", "stopped early", -0.7, 4, 10.0, {"regime": "supervised", "dropout": 0.3}),
    TrialRow("2", "failed", None, 0, 0.0, {"regime": "two-step", "kl_weight": 0.1, "dropout": 0.1}, "too large"),
    TrialRow("3", "completed", -0.8, 12, 30.0, {"regime": "two-step", "kl_weight": 0.01, "dropout": 0.7}),
]


def test_the_best_trial_is_one_that_came_to_its_end():
    assert best_row(ROWS, objective("val_log_likelihood")).trial == "3"
    assert best_row(ROWS, objective("val_loss")).trial == "0"
    assert best_row(ROWS[1:3], objective("val_log_likelihood")).trial == "1"
    assert best_row(ROWS[2:3], objective("val_log_likelihood")) is None


def test_rows_are_read_from_the_oracle_and_written(tmp_path):
    oracle, directory = open_oracle(tmp_path, trials=4), SearchDirectory(tmp_path)
    first, second, third = (oracle.create_trial(name) for name in ("a", "b", "c"))
    end(oracle, first)
    directory.failure_file("1").parent.mkdir(parents=True)
    directory.failure_file("1").write_text("it is too large\n")
    end(oracle, second, "FAILED")
    RunDirectory(directory.run("0").path).create(RunConfig(), {})
    rows = read_rows(oracle, directory)
    assert [row.status for row in rows] == ["completed", "failed", "running"]
    assert rows[0].score == pytest.approx(-(0.2**2))
    assert rows[1].reason == "it is too large"
    assert rows[2].hyperparameters == third.hyperparameters.values
    assert write_results(rows, directory, "val_log_likelihood").trial == "0"
    assert RunConfig.from_json(directory.best_file) == RunConfig()
    table = list(csv.DictReader(directory.table_file.open()))
    assert [row["reason"] for row in table] == ["", "it is too large", ""]
    assert float(table[0]["val_log_likelihood"]) == rows[0].score
    assert set(table[0]) >= {"dropout", "batch_size", "fine_tuning_learning_rate", "epochs", "seconds"}


def test_the_table_for_people():
    screen = Console(file=io.StringIO(), width=120)
    screen.print(results_table(ROWS, "val_log_likelihood"))
    lines = [line for line in screen.file.getvalue().splitlines() if line[:1] in "│"]
    assert [line.split()[1] for line in lines] == ["1", "3", "0", "2"]
    assert "too large" in lines[3]
    assert "regime supervised, dropout 0.3" in lines[0]


def test_trials_of_several_runs(tmp_path):
    rows = [
        TrialRow("0", "completed", -0.55, 24, 60.0, {"dropout": 0.5}, scores=(-0.5, -0.6)),
        TrialRow("1", "stopped early", -0.7, 4, 10.0, {"dropout": 0.3}, scores=(-0.7,)),
        TrialRow("2", "completed", -0.5, 24, 60.0, {"dropout": 0.4}, scores=(-0.48, -0.52)),
    ]
    directory = SearchDirectory(tmp_path)
    for row in rows:
        RunDirectory(directory.run(row.trial).path).create(RunConfig(), {})
    assert write_results(rows, directory, "val_log_likelihood").trial == "2"
    table = list(csv.DictReader(directory.table_file.open()))
    runs = [[row[f"val_log_likelihood_run{repeat}"] for repeat in range(2)] for row in table]
    assert runs == [["-0.5", "-0.6"], ["-0.7", ""], ["-0.48", "-0.52"]]
    np.testing.assert_allclose(rows[2].gain_over(rows[0]), [0.02, 0.08])
    assert len(rows[1].gain_over(rows[0])) == 1
    screen = Console(file=io.StringIO(), width=120)
    screen.print(results_table(rows, "val_log_likelihood"))
    # Standard error of two values 0.04 apart: 0.02.
    assert "-0.5000 ± 0.0200" in screen.file.getvalue()


def test_the_reason_of_a_failure():
    message = "Traceback (most recent call last):\n  File x\nkeras_tuner.src.errors.FailedTrialError: radii: too few\n"
    assert failure_reason(message) == "radii: too few"
    assert failure_reason("Traceback\nZeroDivisionError: division by zero\n") == "ZeroDivisionError: division by zero"


def test_the_picture_puts_each_trial_where_its_values_are(tmp_path):
    figure = draw_trials(ROWS, "val_log_likelihood")
    (axes,) = figure.axes
    names = [label.get_text().replace("\n", "_") for label in axes.get_xticklabels()]
    assert names == ["regime", "kl_weight", "dropout", "val_log_likelihood"]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 4]
    assert len(lines) == 3
    heights = {row: line.get_ydata() for row, line in zip((0, 1, 3), lines, strict=True)}
    # Regimes in three equal parts of the axis; the weight on a log scale from 0.01 to 1; dropout from 0.3 to 0.7.
    np.testing.assert_allclose(heights[0], [1 / 6, 1.0, 0.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(heights[1], [3 / 6, UNUSED, 0.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(heights[3], [5 / 6, 0.0, 1.0, 0.5], atol=1e-9)
    assert [line.get_linewidth() for line in lines].index(3.0) == 2
    write_picture(ROWS, "val_log_likelihood", [tmp_path / "trials.png", tmp_path / "trials.svg"])
    assert (tmp_path / "trials.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in (tmp_path / "trials.svg").read_bytes()[:1000]


def test_a_picture_of_trials_that_are_all_alike():
    alike = [TrialRow(str(number), "completed", -0.5, 1, 1.0, {"dropout": 0.5}) for number in range(2)]
    lines = [
        line for line in draw_trials(alike, "val_log_likelihood").axes[0].get_lines() if len(line.get_xdata()) == 2
    ]
    assert [list(line.get_ydata()) for line in lines[:2]] == [[0.5, 0.5]] * 2
