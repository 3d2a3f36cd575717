"""The run in words and tables: what was trained on what, how well it does, and with which settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfgalaxy.evaluation.label_efficiency.measurements import DIRECTIONS
from tfgalaxy.evaluation.table import format_number

if TYPE_CHECKING:
    from tfgalaxy.evaluation.evaluate import Evaluation, Score
    from tfgalaxy.evaluation.report.material import ReportMaterial, RunRecord

__all__ = ["ScoreCell", "ScoreRow", "judgement_sentence", "run_sentence", "score_rows", "settings"]


@dataclasses.dataclass(frozen=True)
class ScoreCell:
    """A score as text, with its interval, the class means' score, and "better", "worse" or "" against them."""

    value: str
    interval: str
    baseline: str
    verdict: str


@dataclasses.dataclass(frozen=True)
class ScoreRow:
    """A question's scores."""

    name: str
    galaxies: int
    cells: tuple[ScoreCell, ...]


def run_sentence(material: ReportMaterial) -> str:
    """What was trained, on what, for how long."""
    run, questions = material.run, material.questions
    model, training = run.config.model, run.config.training
    pool = run.parts.get("unlabelled", 0)
    more = f" and {pool:,} images without votes" if pool else ""
    pose = " then ".join(name.replace("_", " and ") for name in model.transformations)
    view = f"takes the {pose} off each galaxy" if pose else "takes galaxies as they are"
    taught = f", after {training.simulated_galaxies:,} simulated ones," if training.simulated_start else ""
    tree = "1 question" if questions.num_questions == 1 else f"the {questions.num_questions} questions"
    return (
        f"A variational autoencoder that {view} and predicts volunteers' votes on {tree} of"
        f" {questions.name}, trained in the {training.regime} regime on {run.parts.get('train', 0):,} labelled"
        f" galaxies{more}{taught} at {model.image_size} pixels, {len(run.history):,} epochs in {_duration(run)}, seed"
        f" {training.seed}."
    )


def _duration(run: RunRecord) -> str:
    if "seconds" not in run.history:
        return "unknown time"
    minutes = float(run.history["seconds"].sum()) / 60
    if minutes < 1.5:
        return f"{60 * minutes:.0f} seconds"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def judgement_sentence(material: ReportMaterial) -> str:
    """How well its first question is answered, against the class means."""
    judged, questions = material.judged, material.questions
    question = questions.questions[questions.order[0]].name
    score = judged.evaluation.score("accuracy", question)
    seen = "that it has not seen" if judged.part == "unseen" else f"of the part {judged.part}"
    start = f"On {len(judged):,} galaxies {seen}, its favourite answer to “{question}” is the volunteers’ for"
    if score.value is None:
        return f"{len(judged):,} galaxies {seen} were judged; nobody was asked “{question}”."
    interval = "" if score.interval is None else f" (90 % interval {' to '.join(map(_percent, score.interval))})"
    means = None if judged.baseline is None else judged.baseline.score("accuracy", question).value
    against = "" if means is None else f", where the class means reach {_percent(means)}"
    return f"{start} {_percent(score.value)}{interval}{against}."


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def score_rows(evaluation: Evaluation, baseline: Evaluation | None, metrics: tuple[str, ...]) -> list[ScoreRow]:
    """All questions together first, then each, with a cell per metric."""
    rows = []
    for index, question in enumerate((None, *evaluation.question_names)):
        cells = tuple(_cell(evaluation, baseline, metric, question) for metric in metrics)
        rows.append(ScoreRow(question or "all questions", evaluation.galaxies[index], cells))
    return rows


def _cell(evaluation: Evaluation, baseline: Evaluation | None, metric: str, question: str | None) -> ScoreCell:
    score = evaluation.score(metric, question)
    interval = "" if score.interval is None else " to ".join(map(format_number, score.interval))
    against = baseline.score(metric, question) if baseline is not None and metric in baseline.scores else None
    means = "" if against is None or against.value is None else format_number(against.value)
    return ScoreCell(format_number(score.value), interval, means, _verdict(metric, score, against))


def _verdict(metric: str, score: Score, against: Score | None) -> str:
    """ "better" or "worse" where the class means lie outside of the interval."""
    direction = DIRECTIONS[metric]
    if not direction or against is None or against.value is None or score.interval is None:
        return ""
    low, high = sorted(bound * direction for bound in score.interval)
    value = against.value * direction
    return "better" if value < low else "worse" if value > high else ""


def settings(run: RunRecord) -> dict[str, dict[str, str]]:
    """Configuration, sources and versions as text, under a heading each."""
    config = {name.capitalize(): _flat(values) for name, values in run.config.to_dict().items()}
    sources = {name: "none" if value is None else str(value) for name, value in run.sources.items()}
    versions = {name: "not installed" if value is None else value for name, value in run.versions.items()}
    parts = {
        name: f"{count:,} images" if name == "unlabelled" else f"{count:,} galaxies"
        for name, count in run.parts.items()
    }
    return {"Split": parts, **config, "Sources": sources, "Versions": versions}


def _flat(values: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(values, dict):
        found: dict[str, str] = {}
        for name, value in values.items():
            found.update(_flat(value, f"{prefix}.{name}" if prefix else name))
        return found
    if isinstance(values, list):
        return {prefix: ", ".join(map(str, values)) or "none"}
    words = {None: "default", True: "yes", False: "no"}
    return {prefix: words[values] if values is None or isinstance(values, bool) else str(values)}
