"""The report's figures by name: what the page shows and what `--figures` writes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tfgalaxy.evaluation.label_efficiency.curve import CURVES, label_curve
from tfgalaxy.evaluation.learning_curves import learning_curve, quantities_of
from tfgalaxy.evaluation.score_figures import compare_evaluations, interval_coverage
from tfgalaxy.evaluation.table import format_number
from tfgalaxy.evaluation.vote_figures import confusion_counts, confusion_matrix, reliability_diagram
from tfgalaxy.training.clocks import CLOCKS, MONITOR

if TYPE_CHECKING:
    from tfgalaxy.evaluation.report.material import ReportMaterial, RunRecord

__all__ = ["COMPARED", "Panel", "all_panels", "best_epoch", "file_name", "learning_panels"]

# Metrics that the class means can be compared by.
COMPARED = ("rmse", "total_absolute_error", "accuracy", "log_likelihood")


@dataclasses.dataclass(frozen=True)
class Panel:
    """A figure of one axes.

    Attributes:
        name: of its file, without suffix.
        description: what it says, in words.
        draw: makes it.
    """

    name: str
    description: str
    draw: Callable[[], Axes]


def file_name(*parts: str) -> str:
    """A file's name of letters, digits and hyphens.

    Example:
        >>> file_name("reliability", "smooth or featured?")
        'reliability-smooth-or-featured'
    """
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)


def best_epoch(run: RunRecord) -> float | None:
    """The epoch whose weights the run kept: the best by `MONITOR` while the classifier's clock ran."""
    history = run.history
    if MONITOR not in history or "log_likelihood" not in history:
        return None
    scores = history.loc[np.isfinite(history["log_likelihood"]), ["epoch", MONITOR]].dropna()
    return None if scores.empty else float(scores["epoch"][scores[MONITOR].idxmax()])


def learning_panels(run: RunRecord) -> dict[str, list[Panel]]:
    """For each clock, a learning curve of each quantity that it reports."""
    known, best = quantities_of(run.history), best_epoch(run)

    def panel(quantity: str) -> Panel:
        def draw() -> Axes:
            axes = learning_curve(run.history, quantity, best_epoch=best)
            axes.figure.set_size_inches(4.3, 2.8)
            axes.legend(loc="best", frameon=False, fontsize=8)
            return axes

        return Panel(file_name("learning-curve", quantity), _curve_words(run, quantity), draw)

    panels = {clock: [panel(name) for name in names if name in known] for clock, names in CLOCKS.items()}
    return {clock: found for clock, found in panels.items() if found}


def _curve_words(run: RunRecord, quantity: str) -> str:
    words = f"{quantity.replace('_', ' ')} over {len(run.history)} epochs"
    for column, name in ((quantity, "training"), (f"val_{quantity}", "validation")):
        values = run.history[column].dropna() if column in run.history else pd.Series(dtype=float)
        if len(values):
            words += f"; {name} from {values.iloc[0]:,.4g} to {values.iloc[-1]:,.4g}"
    return words


def all_panels(material: ReportMaterial) -> dict[str, list[Panel]]:
    """Every section's figures."""
    return {
        **{f"learning-{clock}": panels for clock, panels in learning_panels(material.run).items()},
        "scores": _score_panels(material),
        "reliability": _question_panels(material, "reliability"),
        "coverage": _coverage_panels(material),
        "confusion": _question_panels(material, "confusion"),
        "label-efficiency": _label_panels(material),
    }


def _score_panels(material: ReportMaterial) -> list[Panel]:
    judged = material.judged
    named = {"model": judged.evaluation}
    if judged.baseline is not None:
        named["class means"] = judged.baseline

    def panel(metric: str) -> Panel:
        def draw() -> Axes:
            axes = compare_evaluations(named, metric)
            axes.figure.set_size_inches(4.4, 1.2 + 0.42 * (1 + material.questions.num_questions))
            return axes

        values = [f"{name} {format_number(item.score(metric).value)}" for name, item in named.items()]
        words = f"{metric.replace('_', ' ')} of all questions together: {', '.join(values)}; the table has all numbers"
        return Panel(file_name("score", metric), words, draw)

    return [panel(metric) for metric in COMPARED]


def _coverage_panels(material: ReportMaterial) -> list[Panel]:
    evaluation = material.judged.evaluation
    if "interval_coverage" not in evaluation.scores:
        return []
    value = format_number(evaluation.score("interval_coverage").value)
    words = f"Share of volunteers' fractions within the predicted 90 % intervals: {value} over all questions"
    return [Panel("interval-coverage", words, lambda: interval_coverage(evaluation))]


def _question_panels(material: ReportMaterial, kind: str) -> list[Panel]:
    questions, votes = material.questions, material.judged.votes
    fraction = material.judged.predictions["fraction"]

    def panel(question: str) -> Panel:
        given = (questions, votes, fraction, question)
        if kind == "reliability":
            error = format_number(material.judged.evaluation.score("calibration_error", question).value)
            words = f"Reliability of {question}: calibration error {error}"
            return Panel(file_name(kind, question), words, lambda: reliability_diagram(*given))
        counts = confusion_counts(*given)
        share = f"{np.trace(counts) / counts.sum():.0%}" if counts.sum() else "none"
        words = f"Confusion of {question}: {share} of {counts.sum():,.0f} galaxies on the diagonal"
        return Panel(file_name(kind, question), words, lambda: confusion_matrix(*given))

    return [panel(question.name) for question in questions.questions]


def _label_panels(material: ReportMaterial) -> list[Panel]:
    measured = material.label_efficiency
    if measured is None:
        return []

    def panel(metric: str) -> Panel:
        words = f"{metric.replace('_', ' ')} against the number of labelled galaxies"
        return Panel(file_name("label-efficiency", metric), words, lambda: label_curve(measured, metric))

    return [panel(metric) for metric in CURVES]
