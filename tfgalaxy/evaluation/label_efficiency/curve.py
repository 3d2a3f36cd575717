"""The figure: scores against the number of labels, a line per regime with its interval."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, MARKERS, legend_below, own_axes
from tfgalaxy.evaluation.label_efficiency.measurements import Measurements
from tfgalaxy.evaluation.label_efficiency.plan import BASELINES, MORE_UNLABELLED, REGIMES
from tfgalaxy.evaluation.label_efficiency.statistics import LEVEL
from tfgalaxy.evaluation.metrics import METRICS

__all__ = ["CURVES", "draw_curve", "label_curve"]

# Each has a colour and a marker, whatever an experiment compares.
METHODS = (*REGIMES, *BASELINES)
# Of the first question, which everybody is asked, the rmse of all people's shares is the rmse.
CURVES = tuple(metric for metric in METRICS if metric != "cumulative_rmse")


def draw_curve(measured: Measurements, scope: int = 0) -> Figure:
    """One panel per score over the number of labels (logarithmic); bands are 90 % intervals.

    Baselines are dashed; regimes with the second folder of unlabelled images are dotted.

    Args:
        measured: what is finished; methods without finished cells have no line.
        scope: 0 for the first question, 1 for all.
    """
    questions = measured.manifest.questions
    heading = questions.questions[0].name if scope == 0 else "all questions"
    figure = Figure(figsize=(11.5, 6.6), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).ravel()
    for column, (axes, metric) in enumerate(zip(panels, CURVES, strict=True)):
        _draw_panel(axes, measured, metric, scope)
        axes.set_xlabel("labelled galaxies" if column >= 3 else "")
    handles, texts = panels[0].get_legend_handles_labels()
    if texts:
        figure.legend(handles, texts, loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"{heading}: {measured.galaxies:,} galaxies", fontsize=11, x=0.01, ha="left")
    return figure


def label_curve(measured: Measurements, metric: str, scope: int = 0, axes: Axes | None = None) -> Axes:
    """One panel of `draw_curve`, with a legend.

    Args:
        measured, scope: as for `draw_curve`.
        metric: one of `METRICS`.
        axes: where to draw; a new figure otherwise.

    Raises:
        InputError: an unknown metric.
    """
    check(metric in METRICS, "metric", f"must be one of {', '.join(METRICS)}", metric, "Choose one.")
    axes = own_axes(axes, 4.4, 4.0)
    _draw_panel(axes, measured, metric, scope)
    axes.set_xlabel("labelled galaxies")
    legend_below(axes)
    return axes


def _draw_panel(axes: Axes, measured: Measurements, metric: str, scope: int) -> None:
    for series in measured.manifest.plan.series:
        _draw_series(axes, measured, series, scope, METRICS.index(metric))
    axes.set_title(metric.replace("_", " "), fontsize=10)
    _label_axis(axes, sorted(measured.manifest.plan.labels))
    if metric == "interval_coverage":
        axes.axhline(LEVEL, color="0.6", linewidth=1, zorder=1)


def _draw_series(axes: Axes, measured: Measurements, series: str, scope: int, column: int) -> None:
    labels = measured.points(series)
    if not labels:
        return
    scores = [measured.scores(series, count) for count in labels]
    values = np.array([item.values[scope, column] for item in scores])
    low, high = (np.array([item.interval[side][scope, column] for item in scores]) for side in (0, 1))
    baseline, with_more = series in BASELINES, series.endswith(MORE_UNLABELLED)
    order = METHODS.index(series.removesuffix(MORE_UNLABELLED))
    colour = COLOURS[order]
    style = {"color": colour, "marker": MARKERS[order], "linestyle": "--" if baseline else ":" if with_more else "-"}
    axes.plot(labels, values, linewidth=1.3, markersize=4, label=series, **style)
    if not baseline:
        axes.fill_between(labels, low, high, color=colour, alpha=0.15, linewidth=0)


def _label_axis(axes: Axes, labels: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(labels, [f"{count:,}" for count in labels])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
