"""The report's figures one by one, as PNG and SVG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfgalaxy.evaluation.figures import save_figure
from tfgalaxy.evaluation.gallery import gallery
from tfgalaxy.evaluation.latent_map import latent_map, project_latent, projections
from tfgalaxy.evaluation.picture_figures import picture_grid
from tfgalaxy.evaluation.report.latent_points import map_rows
from tfgalaxy.evaluation.report.page import with_readable_names
from tfgalaxy.evaluation.report.panels import all_panels, file_name
from tfgalaxy.evaluation.report.selection import POSES
from tfgalaxy.evaluation.vote_tree import vote_tree

if TYPE_CHECKING:
    from tfgalaxy.evaluation.report.material import ReportMaterial

__all__ = ["SUFFIXES", "write_figures"]

SUFFIXES = (".png", ".svg")
Drawn = tuple[str, Callable[[], Axes | Figure]]


def write_figures(
    material: ReportMaterial, folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Writes each figure of the report as `<name>.png` and `<name>.svg`, each file in one step; returns their paths.

    Files of the same names are replaced, others are left alone.

    Args:
        material: of the report.
        folder: made where it does not exist.
        progress: called with the numbers of figures written and to be written.
    """
    material = with_readable_names(material)
    drawn = list(_figures(material))
    paths = []
    for done, (name, draw) in enumerate(drawn, start=1):
        figure = draw()
        paths += [save_figure(figure, Path(folder) / f"{name}{suffix}") for suffix in SUFFIXES]
        if progress is not None:
            progress(done, len(drawn))
    return paths


def _figures(material: ReportMaterial) -> Iterator[Drawn]:
    for panels in all_panels(material).values():
        for panel in panels:
            yield panel.name, panel.draw
    yield from _galaxy_figures(material)
    samples = material.prior_samples
    if samples is not None:
        yield "prior-samples", lambda: picture_grid(np.sqrt(np.clip(samples, 0, 1)))
    rows = map_rows(len(material.judged))
    if material.run.has_vae and len(rows) >= 2:
        for projection in projections():
            yield _map_figure(material, rows, projection)


def _galaxy_figures(material: ReportMaterial) -> Iterator[Drawn]:
    shown = material.shown
    for group, rows in shown.groups.items():
        places = np.array([shown.position(row) for row in rows], np.int64)
        if group == POSES:
            yield _pose_figure(material, rows, places)
            continue
        yield _group_figure(material, group, rows, places)
        for row in rows:
            yield _tree_figure(material, group, row)


def _pose_figure(material: ReportMaterial, rows: np.ndarray, places: np.ndarray) -> Drawn:
    matrices = material.judged.pose_matrix
    chosen = None if matrices is None else matrices[rows]
    return "poses", lambda: picture_grid(material.shown.images[places] / 255.0, matrices=chosen)


def _group_figure(material: ReportMaterial, group: str, rows: np.ndarray, places: np.ndarray) -> Drawn:
    judged, shown, questions = material.judged, material.shown, material.questions
    first = questions.questions[questions.order[0]].name

    def draw() -> Figure:
        return gallery(
            questions,
            shown.images[places] / 255.0,
            judged.votes[rows],
            judged.predictions["fraction"][rows],
            first,
            shown.canonical_views[places],
            None if shown.reconstructions is None else shown.reconstructions[places],
            list(judged.ids[rows]),
        )

    return file_name("gallery", group.lower()), draw


def _tree_figure(material: ReportMaterial, group: str, row: int) -> Drawn:
    judged, predictions = material.judged, material.judged.predictions
    fraction = predictions["fraction"][row]
    bounds = [predictions[name][row] if name in predictions else None for name in ("fraction_lower", "fraction_upper")]

    def draw() -> Axes:
        return vote_tree(material.questions, judged.votes[row], fraction, bounds[0], bounds[1])

    return file_name("votes", group.lower(), str(judged.ids[row])), draw


def _map_figure(material: ReportMaterial, rows: np.ndarray, projection: str) -> Drawn:
    questions = material.questions
    first = questions.order[0]
    answer = material.judged.predictions["fraction"][rows][:, questions.slices[first]].argmax(axis=1)

    def draw() -> Axes:
        points = project_latent(material.judged.latent[rows], projection)
        return latent_map(points, answer, questions.questions[first].answers, projection=projection)

    return file_name("latent-map", projection), draw
