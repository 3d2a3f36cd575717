"""The experiment's report: tables, paired differences, labels saved in words, and curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfgalaxy.evaluation.figures import save_figure
from tfgalaxy.evaluation.label_efficiency.curve import draw_curve
from tfgalaxy.evaluation.label_efficiency.measurements import Difference, Measurements
from tfgalaxy.evaluation.label_efficiency.statistics import SCOPES, Scores
from tfgalaxy.evaluation.metrics import METRICS
from tfgalaxy.evaluation.table import format_number
from tfgalaxy.files import atomic_file

__all__ = ["write_report"]

REFERENCE = "supervised"
UNITS = {
    "rmse": "lower is better",
    "cumulative_rmse": "of shares of all people, as in Kaggle's challenge; lower is better",
    "total_absolute_error": "0 to 2, lower is better; the poster calls this RMSE",
    "accuracy": "higher is better",
    "log_likelihood": "nats per galaxy, higher is better",
    "calibration_error": "lower is better",
    "interval_coverage": "of the 90 % intervals of vote fractions; 0.9 is right",
}
# By which labels are counted: the calibration error hardly depends on them.
SAVING_METRICS = ("rmse", "total_absolute_error", "accuracy", "log_likelihood")


def write_report(measured: Measurements) -> None:
    """Writes `table.csv`, `table.md`, `differences.csv`, `differences.md`, `curve.png` and `curve.svg`, from what is
    finished.
    """
    path = measured.store.path
    differences = list(measured.differences())
    _write_frame(path / "table.csv", _cell_rows(measured))
    _write_frame(path / "differences.csv", [row for item in differences for row in _difference_rows(item)])
    _write_text(path / "table.md", _table(measured))
    _write_text(path / "differences.md", _differences(measured, differences))
    figure = draw_curve(measured)
    for suffix in ("png", "svg"):
        save_figure(figure, path / f"curve.{suffix}")


def _write_frame(path: Any, rows: list[dict[str, Any]]) -> None:
    with atomic_file(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _write_text(path: Any, lines: Iterable[str]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell_rows(measured: Measurements) -> list[dict[str, Any]]:
    """A row per finished cell: `<metric>` of the first question, `all_<metric>`, and both for validation galaxies."""
    rows = []
    for cell, record in measured.records.items():
        row: dict[str, Any] = {"cell": cell.name, "method": cell.series, "labels": cell.labels, "seed": cell.seed}
        row.update({"fold": cell.fold, "seconds": record["seconds"], "commit": record["commit"]})
        for part, prefix in (("test", ""), ("validation", "validation_")):
            row[f"{prefix}galaxies"] = record.get(part, {}).get("galaxies", 0)
            values = measured.values(cell, part)
            for (scope, scoped), (column, metric) in _product(("", "all_"), METRICS):
                row[f"{prefix}{scoped}{metric}"] = np.nan if values is None else values[scope, column]
        rows.append(row)
    return rows


def _product(first: Sequence[str], second: Sequence[str]) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    return [(left, right) for left in enumerate(first) for right in enumerate(second)]


def _difference_rows(item: Difference) -> list[dict[str, Any]]:
    low, high = item.scores.interval
    return [
        {
            "method": item.series,
            "reference": item.reference,
            "labels": item.labels,
            "cells": item.cells,
            "scope": SCOPES[scope],
            "metric": metric,
            "difference": item.scores.values[scope, column],
            "low": low[scope, column],
            "high": high[scope, column],
            "verdict": item.verdict(scope, metric),
        }
        for (scope, _), (column, metric) in _product(SCOPES, METRICS)
    ]


def _scopes(measured: Measurements) -> list[tuple[int, str]]:
    """Both scopes with their headings; one where the tree has a single question."""
    questions = measured.manifest.questions
    named = [
        (0, f"First question, {questions.questions[0].name}"),
        (1, f"All {questions.num_answers} answers together"),
    ]
    return named[: min(2, questions.num_questions)]


def _cell_text(scores: Scores, scope: int, column: int, signed: bool = False) -> str:
    low, high = scores.interval
    numbers = [float(array[scope, column]) for array in (scores.values, low, high)]
    texts = [format_number(number if np.isfinite(number) else None) for number in numbers]
    if signed and np.isfinite(numbers[0]) and numbers[0] > 0:
        texts[0] = f"+{texts[0]}"
    return f"{texts[0]} ({texts[1]} to {texts[2]})" if np.isfinite(numbers[0]) else "-"


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _table(measured: Measurements) -> list[str]:
    lines = ["# Label efficiency", "", *_summary(measured)]
    for scope, heading in _scopes(measured):
        lines += ["", f"## {heading}"]
        for column, metric in enumerate(METRICS):
            lines += ["", f"**{metric}** ({UNITS[metric]})", "", *_metric_table(measured, scope, column)]
    lines += ["", "## Labels saved", "", *_saved_lines(measured)]
    if measured.manifest.plan.more_unlabelled:
        lines += ["", "## The second folder of unlabelled images", "", *_second_pool_lines(measured)]
    return lines


def _summary(measured: Measurements) -> list[str]:
    plan, records = measured.manifest.plan, measured.records
    minutes = sum(measured.seconds().values()) / 60
    time = f"{minutes / 60:.1f} hours" if minutes >= 60 else f"{minutes:.0f} minutes"
    judged = f"{plan.folds} folds" if plan.folds else "one split"
    seeds = "1 seed: intervals hold the spread of galaxies only" if plan.seeds == 1 else f"{plan.seeds} seeds"
    commits = sorted({str(record["commit"]) for record in records.values()})
    packages = sorted({str(record["versions"]["tensorflow"]) for record in records.values()})
    return [
        f"{len(records)} of {len(plan.cells())} cells are finished: {judged}, {seeds}, {measured.galaxies:,} galaxies"
        f" to judge by; {time} of computing. Commit {', '.join(commits)}; TensorFlow {', '.join(packages)}.",
        "",
        "Means over seeds, in brackets 90 % intervals over seeds and galaxies. A number of cells in square brackets"
        " marks what is not finished.",
    ]


def _metric_table(measured: Measurements, scope: int, column: int) -> list[str]:
    plan = measured.manifest.plan
    labels = sorted(plan.labels)
    whole = plan.seeds * (plan.folds or 1)

    def text(series: str, count: int) -> str:
        cells = len(measured.cells(series, count))
        if not cells:
            return "-"
        shown = _cell_text(measured.scores(series, count), scope, column)
        return shown if cells == whole else f"{shown} [{cells} of {whole}]"

    rows = [[series, *(text(series, count) for count in labels)] for series in plan.series]
    return _rows(["labels", *(f"{count:,}" for count in labels)], rows)


def _saved_lines(measured: Measurements) -> list[str]:
    """A sentence per regime, number of labels and score, by the first question."""
    plan = measured.manifest.plan
    others = [series for series in plan.series if series not in (REFERENCE, *plan.baselines)]
    if len(measured.points(REFERENCE)) < 2:
        return [f"Cannot be said: {REFERENCE} has finished cells at fewer than two numbers of labels."]
    lines = [
        f"By the first question, on the curve of {REFERENCE}, linear in the logarithm of the number of labels. A",
        "saving is claimed where the whole 90 % interval lies above the regime's own number.",
        "",
    ]
    for series in others:
        for count in measured.points(series):
            found = [(metric, measured.saved(series, count, metric, 0, REFERENCE)) for metric in SAVING_METRICS]
            words = "; ".join(saved.words(metric) for metric, saved in found if saved)
            unknown = "cannot be said, for no seed has all cells that it takes"
            known = f"scores like {REFERENCE} with {words}"
            lines.append(f"- {series} with {count:,} labels {known if words else unknown}")
    return lines


def _second_pool_lines(measured: Measurements) -> list[str]:
    words = {"better": "helps", "worse": "harms", "not shown": "neither help nor harm is shown"}
    lines = ["With it less without it, by the first question; in brackets 90 % intervals of paired differences.", ""]
    found = list(measured.second_pool())
    for item in found:
        changes = [
            f"{metric} {_cell_text(item.scores, 0, column, signed=True)}: {words[verdict]}"
            for column, metric in enumerate(METRICS)
            if (verdict := item.verdict(0, metric))
        ]
        lines.append(f"- {item.reference} with {item.labels:,} labels: {'; '.join(changes)}")
    return lines if found else ["Cannot be said yet: no regime has finished cells with and without it."]


def _differences(measured: Measurements, differences: Sequence[Difference]) -> list[str]:
    plan = measured.manifest.plan
    lines = [
        "# Paired differences at equal labels",
        "",
        "First less second, over the same seeds, folds and galaxies; in brackets 90 % intervals. Bold where the",
        "interval leaves out zero. Pairs with a baseline are in differences.csv too.",
    ]
    chosen = [item for item in differences if item.reference not in plan.baselines]
    for scope, heading in _scopes(measured):
        rows = [
            [f"{item.series} - {item.reference}", f"{item.labels:,}", *(_bold(item, scope, m) for m in METRICS)]
            for item in chosen
        ]
        lines += ["", f"## {heading}", "", *_rows(["pair", "labels", *METRICS], rows)]
    return lines


def _bold(item: Difference, scope: int, metric: str) -> str:
    text = _cell_text(item.scores, scope, METRICS.index(metric), signed=True)
    verdict = item.verdict(scope, metric)
    return f"**{text} {verdict}**" if verdict in ("better", "worse") else text
