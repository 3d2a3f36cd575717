"""The report of an experiment whose scores are known by construction."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.evaluation.label_efficiency import Cell, Plan
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore, Judged
from tfgalaxy.evaluation.label_efficiency.curve import draw_curve
from tfgalaxy.evaluation.label_efficiency.manifest import Manifest, store_manifest
from tfgalaxy.evaluation.label_efficiency.measurements import Measurements
from tfgalaxy.evaluation.label_efficiency.report import write_report
from tfgalaxy.evaluation.metrics import METRICS
from tfgalaxy.training.config import RunConfig

BAR = Questions("bar", (Question("bar", ("yes", "no")),))
TREE = Questions("tree", (*BAR.questions, Question("odd", ("yes", "no"))))
ERROR = METRICS.index("total_absolute_error")
PLAN = Plan((100, 300, 1200), baselines=("class-means",), seeds=2, more_unlabelled=True)
# Total absolute error of each method at 100, 300 and 1,200 labels.
ERRORS = {
    "class-means": (0.6, 0.6, 0.6),
    "supervised": (0.4, 0.3, 0.2),
    "alternating": (0.3, 0.25, 0.1),
    "two-step": (0.5, 0.3, 0.2),
    "alternating+unlabelled": (0.25, 0.25, 0.1),
    "two-step+unlabelled": (0.55, 0.3, 0.2),
}


def judged(error, questions=BAR, count=20):
    """All volunteers say yes, and a predicted fraction misses that by error / 2; other questions are exact."""
    fraction = np.tile([1 - error / 2, error / 2] + [1, 0] * (questions.num_questions - 1), (count, 1))
    votes = np.tile(np.array([4, 0] * questions.num_questions, np.float32), (count, 1))
    return Judged(np.array([f"g{number:02d}" for number in range(count)]), votes, {"fraction": fraction})


def finish(store, cell, error, questions=BAR):
    parts = {"validation": judged(error + 0.05, questions, 5), "test": judged(error, questions)}
    record = {"seconds": 60.0, "commit": "abc", "versions": {"tensorflow": "2.15.1"}}
    scores = {part: {"galaxies": len(item.ids)} for part, item in parts.items()}
    store.write(cell, parts, {**record, **scores})


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A reported experiment of two seeds that are alike, without its last cell."""
    store = CellStore(tmp_path_factory.mktemp("experiment"))
    store_manifest(store.manifest_file, Manifest(PLAN, RunConfig(), BAR, 5, 60, "abc"), {})
    for cell in PLAN.cells()[:-1]:
        finish(store, cell, ERRORS[cell.series][PLAN.labels.index(cell.labels)])
    return report(store)


def report(store):
    measured = Measurements(store)
    measured.refresh()
    write_report(measured)
    return measured


def test_every_cell_has_a_row_with_every_score(measured):
    table = pd.read_csv(measured.store.path / "table.csv").set_index("cell")
    assert len(table) == 35
    row = table.loc["alternating-300-seed1"]
    assert row["total_absolute_error"] == pytest.approx(0.25)
    assert row["all_rmse"] == pytest.approx(0.125)
    assert row["validation_total_absolute_error"] == pytest.approx(0.3)
    assert (row["method"], row["labels"], row["seed"], row["galaxies"]) == ("alternating", 300, 1, 20)
    assert (row["validation_galaxies"], row["seconds"], row["commit"]) == (5, 60, "abc")
    assert np.isnan(row["interval_coverage"])


def test_the_table_in_words_and_numbers(measured):
    text = (measured.store.path / "table.md").read_text()
    assert "35 of 36 cells are finished: one split, 2 seeds, 20 galaxies to judge by; 35 minutes of computing." in text
    assert "| supervised | 0.400 (0.400 to 0.400) | 0.300 (0.300 to 0.300) | 0.200 (0.200 to 0.200) |" in text
    assert "0.100 (0.100 to 0.100) |\n" in text
    assert (
        "| two-step+unlabelled | 0.550 (0.550 to 0.550) | 0.300 (0.300 to 0.300) | 0.200 (0.200 to 0.200) [1 of 2] |"
        in text
    )
    assert "All 2 answers together" not in text  # they are the first question's


def test_labels_saved_are_read_off_the_supervised_curve(measured):
    lines = (measured.store.path / "table.md").read_text().splitlines()
    (first,) = [line for line in lines if line.startswith("- alternating with 100 labels scores")]
    assert "300 (90 %: 300 to 300) by total absolute error, which saves 200" in first
    # Halfway from .3 to .2, and from 300 to 1,200 in logarithms: 600.
    (second,) = [line for line in lines if line.startswith("- alternating with 300 labels scores")]
    assert "600 (90 %: 600 to 600) by total absolute error, which saves 300" in second
    (last,) = [line for line in lines if line.startswith("- alternating with 1,200 labels scores")]
    assert "more than 1,200 (90 %: more than 1,200 to more than 1,200) by rmse, which saves some, but how many" in last
    (worse,) = [line for line in lines if line.startswith("- two-step with 100 labels scores")]
    assert "fewer than 100 (90 %: fewer than 100 to fewer than 100) by rmse, which saves none" in worse
    assert not [line for line in lines if line.startswith(("- class-means", "- supervised"))]


def test_the_second_folder_helps_or_harms(measured):
    lines = (measured.store.path / "table.md").read_text().splitlines()
    (helped,) = [line for line in lines if line.startswith("- alternating with 100 labels: rmse")]
    assert "total_absolute_error -0.050 (-0.050 to -0.050): helps" in helped
    (harmed,) = [line for line in lines if line.startswith("- two-step with 100 labels: rmse")]
    assert "total_absolute_error +0.050 (0.050 to 0.050): harms" in harmed
    (alike,) = [line for line in lines if line.startswith("- two-step with 300 labels: rmse")]
    assert "total_absolute_error 0.000 (0.000 to 0.000): neither help nor harm is shown" in alike


def test_differences_are_the_later_less_the_earlier(measured):
    table = pd.read_csv(measured.store.path / "differences.csv")
    assert len(table) == 15 * 3 * 2 * len(METRICS)  # pairs of six methods, numbers of labels, scopes
    chosen = table[(table.metric == "total_absolute_error") & (table.scope == "first question") & (table.labels == 100)]
    chosen = chosen.set_index(["method", "reference"])
    row = chosen.loc["alternating", "supervised"]
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((-0.1, -0.1, -0.1))
    assert (row["verdict"], row["cells"]) == ("better", 2)
    assert chosen.loc[("two-step", "supervised"), "verdict"] == "worse"
    assert chosen.loc[("supervised", "class-means"), "verdict"] == "better"
    text = (measured.store.path / "differences.md").read_text()
    assert "| alternating - supervised | 100 | **-0.050 (-0.050 to -0.050) better** |" in text
    assert "class-means" not in text


def test_pairs_are_the_cells_that_both_have(tmp_path):
    store = CellStore(tmp_path)
    store_manifest(store.manifest_file, Manifest(PLAN, RunConfig(), BAR, 5, 60, "abc"), {})
    for seed, error in ((0, 0.2), (1, 0.4)):
        finish(store, Cell("two-step", 300, seed), error)
    finish(store, Cell("two-step", 300, 0, None, True), 0.2)
    measured = Measurements(store)
    measured.refresh()
    difference = measured.difference("two-step+unlabelled", "two-step", 300)
    assert difference.cells == 1
    assert difference.scores.values[0, ERROR] == pytest.approx(0)
    finish(store, Cell("two-step", 300, 1, None, True), 0.5)
    measured.refresh()
    difference = measured.difference("two-step+unlabelled", "two-step", 300)
    assert difference.cells == 2
    assert difference.scores.values[0, ERROR] == pytest.approx(0.05)  # the mean of 0 and .1
    assert measured.difference("alternating", "two-step", 300) is None


def test_the_curve_has_a_line_per_method_and_a_panel_per_score(measured):
    assert {path.name for path in measured.store.path.glob("curve.*")} == {"curve.png", "curve.svg"}
    figure = draw_curve(measured)
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes][:2] == ["rmse", "total absolute error"]
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert set(lines) == set(ERRORS)
    for series, line in lines.items():
        np.testing.assert_array_equal(line.get_xdata(), [100, 300, 1200])
        if not series.startswith("two-step+"):
            np.testing.assert_allclose(line.get_ydata(), ERRORS[series])
    assert len({(line.get_color(), line.get_linestyle()) for line in lines.values()}) == len(lines)


def test_what_cannot_be_said_is_said(tmp_path):
    store = CellStore(tmp_path)
    plan = Plan((100, 300), ("supervised", "alternating"), (), seeds=1, more_unlabelled=True)
    store_manifest(store.manifest_file, Manifest(plan, RunConfig(), TREE, 5, 60, "abc"), {})
    report(store)
    assert "0 of 6 cells are finished" in (tmp_path / "table.md").read_text()
    finish(store, Cell("supervised", 100, 0), 0.4, TREE)
    finish(store, Cell("alternating", 300, 0), 0.3, TREE)
    report(store)
    text = (tmp_path / "table.md").read_text()
    assert "1 seed: intervals hold the spread of galaxies only" in text
    assert "Cannot be said: supervised has finished cells at fewer than two numbers of labels." in text
    assert "Cannot be said yet: no regime has finished cells with and without it." in text
    assert "| supervised | 0.400 (0.400 to 0.400) | - |" in text
    # All questions: the second is predicted exactly, so that the mean over galaxies and questions is half.
    assert "| supervised | 0.200 (0.200 to 0.200) | - |" in text.split("## All 4 answers together")[1]


def test_predictions_come_back_as_they_were_written(tmp_path):
    store, cell = CellStore(tmp_path), Cell("svm", 10, 0)
    assert not store.is_finished(cell)
    finish(store, cell, 0.5)
    assert store.is_finished(cell)
    found = store.read_predictions(cell)
    np.testing.assert_array_equal(found["test"].ids, judged(0.5).ids)
    np.testing.assert_array_equal(found["test"].predictions["fraction"], judged(0.5).predictions["fraction"])
    assert store.read_record(cell)["cell"] == cell.to_dict()
    (store.cell_path(cell) / "predictions.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"must hold a cell's predictions.*the cell is then run again"):
        store.read_predictions(cell)
