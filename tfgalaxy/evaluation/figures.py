"""What all figures share: colours, axes of their own, and files. Drawn without pyplot: no window, no global state,
safe in threads and servers.

A function of a figure draws into the `axes` that it is given, or makes a `Figure` with axes of its own, and returns
the axes.
"""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfgalaxy.configuration import check
from tfgalaxy.files import atomic_file

__all__ = ["COLOURS", "MARKERS", "check_figure_path", "legend_below", "own_axes", "save_figure", "tidy"]

# Okabe and Ito's palette: told apart by readers with any colour vision, and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def save_figure(figure: Figure | Axes, path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """Writes a figure, or the figure of some axes, in one step, in the format of the path's suffix; returns the path.

    The same figure gives the same bytes: no dates, no random names.

    Raises:
        InputError: a suffix that matplotlib can't write.
    """
    path = check_figure_path(path)
    if isinstance(figure, Axes):
        figure = figure.figure.figure  # the figure itself where the axes stand in a subfigure
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
    # The same figure is the same file: SVG's names are otherwise random.
    with atomic_file(path) as temporary, rc_context({"svg.hashsalt": "tfgalaxy"}):
        figure.savefig(temporary, dpi=dpi, metadata=undated)
    return path


def check_figure_path(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """The path, for those who want to know before a long computation that its suffix can be written.

    Raises:
        InputError: a suffix that matplotlib can't write.
    """
    path = Path(path)
    known = FigureCanvasAgg.get_supported_filetypes()
    suffix = path.suffix[1:].lower()
    check(suffix in known, argument, f"must end in one of {', '.join(sorted(known))}", str(path), "Use .png or .pdf.")
    return path


def own_axes(axes: Axes | None, width: float, height: float) -> Axes:
    """The axes that were given, or those of a new figure of that size in inches."""
    if axes is not None:
        return axes
    axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return axes


def tidy(axes: Axes) -> None:
    """A frame of two sides and a faint grid behind what is drawn."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def legend_below(axes: Axes, columns: int = 2) -> None:
    """A legend below the axes, where there is anything to tell apart."""
    if axes.get_legend_handles_labels()[1]:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        axes.legend(ncols=columns, frameon=False, fontsize=9, **place)
