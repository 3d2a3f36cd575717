"""The latent map's points and thumbnails, packed for the page's script."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.evaluation.inputs import FloatArray, volunteer_fractions
from tfgalaxy.evaluation.latent_map import project_latent, projections
from tfgalaxy.evaluation.report.pictures import Sheet, thumbnail_sheet

if TYPE_CHECKING:
    from tfgalaxy.evaluation.report.material import ReportMaterial

__all__ = ["MOST_POINTS", "map_rows", "pack_map"]

# More points would cover each other, and their thumbnails would be too small to tell a galaxy from another.
MOST_POINTS = 5000
LARGEST_PLACE = 65535
NOT_ASKED = 255


def map_rows(count: int, seed: int = 0) -> NDArray[np.int64]:
    """Rows of the judged galaxies that the map shows: all, or `MOST_POINTS` drawn at random."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_POINTS, replace=False))


def pack_map(material: ReportMaterial, rows: NDArray[np.int64]) -> tuple[dict[str, Any], Sheet]:
    """What the page's script draws the map from, as JSON's types, and the galaxies' thumbnails.

    Places are 16-bit numbers and fractions percentages of 8 bits, in base 64: x, y of each galaxy; A of each galaxy,
    255 where nobody was asked.
    """
    judged, questions = material.judged, material.questions
    latent = np.asarray(judged.latent)[rows]
    fractions, totals = volunteer_fractions(questions, judged.votes[rows])
    asked = totals[:, questions.question_index] > 0
    predicted = np.asarray(judged.predictions["fraction"], np.float64)[rows]
    reached = questions.asked_probability(predicted)
    packed = {
        "ids": [str(name) for name in judged.ids[rows]],
        "projections": {name: _pack_places(project_latent(latent, name)) for name in projections()},
        "questions": [{"name": q.name, "answers": list(q.answers)} for q in questions.questions],
        "order": list(questions.order),
        "predicted": _pack_percent(predicted, np.ones_like(asked)),
        "volunteers": _pack_percent(fractions, asked),
        "reached": _pack_percent(reached, np.ones(reached.shape, bool)),
    }
    sheet = thumbnail_sheet(judged.images[rows])
    packed["sheet"] = {"columns": sheet.columns, "rows": sheet.rows, "side": sheet.side}
    return packed, sheet


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _pack_places(points: FloatArray) -> dict[str, Any]:
    """Both axes at one scale, so that distances stay what they are; `height` is that of the map over its width."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    scale = LARGEST_PLACE / max(float(size.max()), 1e-12)
    places = np.rint((points - low) * scale)
    return {"places": _base64(places.astype("<u2")), "extent": [float(item) for item in np.rint(size * scale)]}


def _pack_percent(fractions: FloatArray, known: NDArray[np.bool_]) -> str:
    percent = np.where(known, np.rint(100 * np.clip(fractions, 0, 1)), NOT_ASKED)
    return _base64(percent.astype(np.uint8))
