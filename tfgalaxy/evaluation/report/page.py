"""The report's page: material in, HTML out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from tfgalaxy.evaluation.metrics import METRICS
from tfgalaxy.evaluation.readable_names import readable_questions
from tfgalaxy.evaluation.report.gallery_cards import Picture, make_card
from tfgalaxy.evaluation.report.latent_points import map_rows, pack_map
from tfgalaxy.evaluation.report.panels import Panel, all_panels
from tfgalaxy.evaluation.report.pictures import data_uri
from tfgalaxy.evaluation.report.selection import POSES
from tfgalaxy.evaluation.report.summary import judgement_sentence, run_sentence, score_rows, settings
from tfgalaxy.evaluation.report.svg import inline_svg

if TYPE_CHECKING:
    from tfgalaxy.evaluation.evaluate import Evaluation
    from tfgalaxy.evaluation.report.material import ReportMaterial

__all__ = ["report_page", "with_readable_names"]

# Images left out that are listed one by one.
LISTED_EXCLUSIONS = 200
Progress = Callable[[int, int], None]


def with_readable_names(material: ReportMaterial) -> ReportMaterial:
    """The same material with the questions' and answers' names as people read them."""
    questions = readable_questions(material.questions)
    names = tuple(question.name for question in questions.questions)

    def renamed(evaluation: Evaluation) -> Evaluation:
        return dataclasses.replace(evaluation, question_names=names)

    judged = material.judged
    baseline = None if judged.baseline is None else renamed(judged.baseline)
    judged = dataclasses.replace(judged, evaluation=renamed(judged.evaluation), baseline=baseline)
    return dataclasses.replace(material, questions=questions, judged=judged)


def report_page(material: ReportMaterial, progress: Progress | None = None) -> str:
    """The whole page, in one piece: it asks for nothing from anywhere.

    Args:
        material: of the report.
        progress: called with the numbers of figures drawn and to be drawn.
    """
    material = with_readable_names(material)
    folder = resources.files("tfgalaxy.evaluation.report") / "templates"
    sources = {name: (folder / name).read_text("utf-8") for name in ("report.html.j2", "report.css", "report.js")}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(
        run=material.run,
        judged=material.judged,
        questions=material.questions,
        sentences=(run_sentence(material), judgement_sentence(material)),
        metrics=[metric for metric in METRICS if metric in material.judged.evaluation.scores],
        settings=settings(material.run),
        excluded=material.run.excluded[:LISTED_EXCLUSIONS],
        css=sources["report.css"],
        script=sources["report.js"],
        figures=_figures(material, progress),
        **_tables(material),
        **_pictures(material),
    )


def _figures(material: ReportMaterial, progress: Progress | None) -> dict[str, list[dict[str, str]]]:
    sections = all_panels(material)
    total, done = sum(len(panels) for panels in sections.values()), 0
    drawn: dict[str, list[dict[str, str]]] = {}
    for section, panels in sections.items():
        drawn[section] = []
        for panel in panels:
            drawn[section].append(_figure(panel))
            done += 1
            if progress is not None:
                progress(done, total)
    return drawn


def _figure(panel: Panel) -> dict[str, str]:
    return {"svg": inline_svg(panel.draw(), panel.name, panel.description), "description": panel.description}


def _tables(material: ReportMaterial) -> dict[str, Any]:
    judged = material.judged
    metrics = tuple(metric for metric in METRICS if metric in judged.evaluation.scores)
    median = f"{np.median(judged.votes.sum(axis=1)):,.0f}"
    return {"rows": score_rows(judged.evaluation, judged.baseline, metrics), "median_votes": median}


def _pictures(material: ReportMaterial) -> dict[str, Any]:
    groups = material.shown.groups
    gallery = {name: [make_card(material, int(row)) for row in rows] for name, rows in groups.items() if name != POSES}
    poses = [make_card(material, int(row), views=False) for row in groups.get(POSES, ())]
    samples = [] if material.prior_samples is None else list(material.prior_samples)
    prior = [
        Picture("", data_uri(np.sqrt(np.clip(sample, 0, 1))), f"Sample {number} from the prior")
        for number, sample in enumerate(samples, 1)
    ]
    packed, sheet = None, None
    rows = map_rows(len(material.judged))
    if material.run.has_vae and len(rows) >= 2:
        packed, sheet = pack_map(material, rows)
    return {"gallery": gallery, "poses": poses, "prior": prior, "map": packed, "sheet": sheet, "mapped": len(rows)}
