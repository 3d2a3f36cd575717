"""An evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tfgalaxy.evaluation.evaluate import Evaluation, Score

__all__ = ["TABLE_METRICS", "evaluation_table", "format_number"]

# What fits 80 columns; every metric is in the JSON.
TABLE_METRICS = ("rmse", "total_absolute_error", "accuracy", "log_likelihood")
ALL_QUESTIONS = "all questions"


def format_number(value: float | None) -> str:
    """Three decimals from -1 to 10, three digits beyond; '-' for None. So an interval fits 11 characters.

    Example:
        >>> [format_number(value) for value in (0.21349, 1.0, -6.1289, -23.42, -1234.5, None)]
        ['0.213', '1.000', '-6.13', '-23.4', '-1234', '-']
    """
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:.{3 if -1 < value < 10 else 2 if size < 10 else 1 if size < 100 else 0}f}"


def _format_interval(score: Score) -> str:
    if score.interval is None:
        return "-"
    low, high = (format_number(bound) for bound in score.interval)
    return f"{low}…{high}"


def evaluation_table(
    evaluation: Evaluation, baseline: Evaluation | None = None, metrics: Sequence[str] = TABLE_METRICS
) -> Table:
    """One row per question, after one for all questions together; below each value its interval.

    Args:
        evaluation: what to show.
        baseline: a second evaluation of the same galaxies, whose values are shown in brackets below.
        metrics: columns, names of `METRICS`.

    Returns:
        A table for `rich.console.Console.print`, which honours NO_COLOR.

    Raises:
        InputError: a metric or question that an evaluation doesn't hold.
    """
    title = f"{evaluation.galaxies[0]:,} galaxies, weighted by {evaluation.weighting}"
    table = Table(title=title, caption=_caption(evaluation, baseline), box=SIMPLE_HEAD)
    table.padding = 0
    table.pad_edge = False
    table.add_column("question", overflow="fold")
    table.add_column("galaxies", justify="right", no_wrap=True)
    for metric in metrics:
        table.add_column(metric.replace("_", "\n"), justify="right", no_wrap=True)
    for index, question in enumerate((None, *evaluation.question_names)):
        cells = [_cell(evaluation, baseline, metric, question) for metric in metrics]
        style = "bold" if question is None else ""
        name = Text(question or ALL_QUESTIONS)
        table.add_row(name, f"{evaluation.galaxies[index]:,}", *cells, style=style, end_section=question is None)
    return table


def _cell(evaluation: Evaluation, baseline: Evaluation | None, metric: str, question: str | None) -> Text:
    score = evaluation.score(metric, question)
    text = Text(format_number(score.value))
    if evaluation.resamples and score.value is not None:
        text.append("\n" + _format_interval(score), style="dim")
    if baseline is not None and score.value is not None:
        text.append(f"\n({format_number(baseline.score(metric, question).value)})", style="dim")
    return text


def _caption(evaluation: Evaluation, baseline: Evaluation | None) -> str | None:
    unit = "nats per vote" if evaluation.weighting == "votes" else "nats per galaxy"
    parts = [f"log likelihood in {unit}"]
    if evaluation.resamples:
        parts.append(f"second line: {evaluation.level:.0%} interval")
    if baseline is not None:
        parts.append("in brackets: class means of the training votes")
    return "; ".join(parts)
