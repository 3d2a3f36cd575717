"""What the page shows of single galaxies: their pictures, their pose, and their votes along the decision tree."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgalaxy.evaluation.picture_figures import pose_line
from tfgalaxy.evaluation.report.pictures import data_uri
from tfgalaxy.evaluation.vote_tree import Branch, reached_branches

if TYPE_CHECKING:
    from tfgalaxy.evaluation.report.material import ReportMaterial

__all__ = ["AnswerBar", "BranchRows", "Card", "Picture", "make_card"]

# The arrow's head, in half-widths of the image.
HEAD = 0.16


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        caption: below it.
        uri: data URI.
        alt: what it shows, for those who do not see it.
        arrow: SVG path of a pose's arrow, for a view box from -1 to 1; "" for none.
    """

    caption: str
    uri: str
    alt: str
    arrow: str = ""


@dataclasses.dataclass(frozen=True)
class AnswerBar:
    """Fractions of one answer in percent; None where nobody was asked, or where there are no intervals."""

    name: str
    volunteers: float | None
    predicted: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class BranchRows:
    """A question of the tree with its bars."""

    name: str
    depth: int
    asked: str
    answers: tuple[AnswerBar, ...]


@dataclasses.dataclass(frozen=True)
class Card:
    """One galaxy of the page."""

    name: str
    pictures: tuple[Picture, ...]
    branches: tuple[BranchRows, ...]
    concentration: str


def make_card(material: ReportMaterial, row: int, views: bool = True) -> Card:
    """The card of a row of the judged galaxies.

    Args:
        material: which must show that galaxy.
        row: of the judged galaxies.
        views: whether the reconstruction and the votes are shown, and not only the image and its canonical view.
    """
    judged, shown, name = material.judged, material.shown, str(material.judged.ids[row])
    place = shown.position(row)
    arrow = "" if judged.pose_matrix is None else arrow_path(judged.pose_matrix[row])
    posed = ", with the arrow of its pose" if arrow else ""
    pictures = [
        Picture("image", data_uri(shown.images[place]), f"Galaxy {name}{posed}", arrow),
        Picture("canonical view", data_uri(shown.canonical_views[place]), f"Canonical view of galaxy {name}"),
    ]
    if views and shown.reconstructions is not None:
        alt = f"Reconstruction of galaxy {name}"
        pictures.append(Picture("reconstruction", data_uri(shown.reconstructions[place]), alt))
    concentration = ""
    if judged.pose_concentration is not None:
        concentration = f"{judged.pose_concentration[row]:,.3g}"
    return Card(name, tuple(pictures), _branches(material, row) if views else (), concentration)


def arrow_path(matrix: Any) -> str:
    """SVG path of the arrow of a pose [3, 3], with a head of two strokes."""
    tail, head = pose_line(matrix)
    along = (head - tail) / max(float(np.hypot(*(head - tail))), 1e-9)
    across = np.array([-along[1], along[0]])
    sides = [head - HEAD * along + sign * 0.6 * HEAD * across for sign in (1, -1)]
    points = [" ".join(f"{value:.3f}" for value in point) for point in (tail, head, sides[0], head, sides[1])]
    return f"M{points[0]}L{points[1]}M{points[2]}L{points[3]}L{points[4]}"


def _branches(material: ReportMaterial, row: int) -> tuple[BranchRows, ...]:
    predictions = material.judged.predictions
    bounds = [predictions[name][row] if name in predictions else None for name in ("fraction_lower", "fraction_upper")]
    branches = reached_branches(
        material.questions, material.judged.votes[row], predictions["fraction"][row], bounds[0], bounds[1]
    )
    return tuple(_rows(material, branch) for branch in branches)


def _rows(material: ReportMaterial, branch: Branch) -> BranchRows:
    question = material.questions.questions[branch.index]
    answers = []
    for index, answer in enumerate(question.answers):
        low, high = (None, None) if branch.interval is None else _percent(branch.interval[:, index])
        volunteers = None if branch.volunteers is None else _percent(branch.volunteers[[index]])[0]
        answers.append(AnswerBar(answer, volunteers, _percent(branch.predicted[[index]])[0], low, high))
    asked = f"{branch.votes:,.0f} vote{'s' * (round(branch.votes) != 1)}" if branch.votes else "nobody asked"
    expected = f"; model: {100 * branch.reached:.0f} % asked" if branch.depth else ""
    return BranchRows(question.name, branch.depth, asked + expected, tuple(answers))


def _percent(values: Any) -> list[float]:
    return [round(100 * float(value), 1) for value in values]
