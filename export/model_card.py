"""What an export says about itself: where it comes from, how good it is, and where it should not be trusted."""

from __future__ import annotations

import collections
import csv
import os
from typing import Any

from tfgalaxy.configuration import check, read_json
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.stack import versions
from tfgalaxy.training.clocks import MONITOR
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["model_card", "run_card"]

LIMITS = (
    "Fractions are those of volunteers shown pictures like the ones of the training catalogue: same survey, same "
    "colours and stretch, galaxy in the centre. Other pictures are answered without a warning.",
    "Intervals hold 90 % of the vote fractions of as many volunteers as model.voters says, not of a true morphology.",
    "Galaxies smaller than a few pixels after cropping and averaging look smooth to the model as they do to people.",
    "Pictures may hold at most 64 megapixels; those that cannot be read have valid = 0 and the mean fractions.",
)


def model_card(model: GalaxyVAE, name: str, version: int) -> dict[str, Any]:
    """The entries that a model knows by itself; `run_card` gives what its run adds."""
    return {
        "name": name,
        "version": version,
        "questions": model.questions.name,
        "model": model.config.to_dict(),
        "data": None,
        "votes": {"likelihood": model.config.vote_likelihood, "voters": model.config.voters},
        "metrics": None,
        "limits": list(LIMITS),
        "versions": versions(),
        "seed": model.config.seed,
    }


def run_card(run: RunDirectory, evaluation: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Data, votes, metrics, seed and configuration of a finished run.

    Args:
        run: the run.
        evaluation: what `tfgalaxy evaluate --json` wrote, whose metrics have intervals; without it the card gives the
            validation metrics of the epoch whose weights were kept, which have none.

    Raises:
        InputError: `evaluation` is not such a file.
    """
    record = run.read()
    config = record["config"]
    parts = collections.Counter(row["part"] for row in run.read_split())
    return {
        "run": str(run.path),
        "data": {"sources": record["sources"], "galaxies": dict(sorted(parts.items())), **config["data"]},
        "votes": {
            "likelihood": config["model"]["vote_likelihood"],
            "voters": config["model"]["voters"],
            "galaxies_with_votes_in_training": parts["train"],
        },
        "metrics": _evaluated(evaluation) if evaluation is not None else _validated(run),
        "training": config["training"],
        "trained_with": record["versions"],
        "seed": config["training"]["seed"],
    }


def _evaluated(path: str | os.PathLike[str]) -> dict[str, Any]:
    metrics = read_json(path)
    known = isinstance(metrics, dict) and {"galaxies", "log_likelihood", "questions"} <= metrics.keys()
    rule, remedy = "must be what tfgalaxy evaluate --json writes", "Evaluate the run with --json FILE first."
    check(known, "evaluation", rule, str(path), remedy)
    return {"source": "evaluation", **metrics}


def _validated(run: RunDirectory) -> dict[str, Any] | None:
    """Validation metrics of the best epoch among those in which the classifier's clock ran; None without validation."""
    with run.history_file.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("log_likelihood") and row.get(MONITOR)]
    if not rows:
        return None
    best = max(rows, key=lambda row: float(row[MONITOR]))
    values = {name.removeprefix("val_"): float(text) for name, text in best.items() if name.startswith("val_") and text}
    return {"source": "validation", "epoch": int(best["epoch"]), **values}
