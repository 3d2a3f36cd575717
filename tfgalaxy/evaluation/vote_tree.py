"""The votes of one galaxy as bars along the decision tree."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, own_axes, tidy
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, check_votes, volunteer_fractions

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["Branch", "reached_branches", "vote_tree"]

# A question that fewer volunteers reach, and that the model expects fewer to reach, is left out.
REACHED = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """A question of the tree with one galaxy's answers.

    Attributes:
        index: of the question.
        depth: number of questions before it, on the shortest way.
        votes: how many volunteers answered.
        reached: predicted share of volunteers who are asked.
        volunteers: fractions [k], or None where nobody was asked.
        predicted: fractions [k].
        interval: of the predicted fractions, [2, k], or None.
    """

    index: int
    depth: int
    votes: float
    reached: float
    volunteers: FloatArray | None
    predicted: FloatArray
    interval: FloatArray | None


def walk_tree(questions: Questions) -> list[tuple[int, int]]:
    """Each question with the number of questions before it on the shortest way, children straight after their parent.

    Example:
        >>> from tfgalaxy.data.questions import load_questions
        >>> tree = load_questions("gz2")
        >>> [(tree.questions[index].name[:3], depth) for index, depth in walk_tree(tree)][:5]
        [('t01', 0), ('t02', 1), ('t03', 2), ('t04', 2), ('t10', 3)]
    """
    depths = [0] * questions.num_questions
    children: dict[int, list[int]] = {index: [] for index in range(questions.num_questions)}
    roots = []
    for question in questions.order:
        above = sorted({int(questions.question_index[answer]) for answer in questions.parents[question]})
        if not above:
            roots.append(question)
            continue
        nearest = min(above, key=lambda parent: depths[parent])
        depths[question] = 1 + depths[nearest]
        children[nearest].append(question)
    walked: list[tuple[int, int]] = []
    waiting = roots[::-1]
    while waiting:
        question = waiting.pop()
        walked.append((question, depths[question]))
        waiting += sorted(children[question], reverse=True)
    return walked


def reached_branches(
    questions: Questions,
    votes: ArrayLike,
    fraction: ArrayLike,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
) -> list[Branch]:
    """The questions that a tenth of the volunteers reached, or are expected to, in the order of the tree.

    Args:
        questions: the decision tree.
        votes: counts [A] of one galaxy.
        fraction: predicted fractions [A].
        lower, upper: bounds of the predicted intervals [A]; both or neither.

    Raises:
        InputError: votes or predictions that the metrics would refuse.
    """
    counts = check_votes(questions, np.asarray(votes)[np.newaxis])
    given = {"fraction": fraction, "fraction_lower": lower, "fraction_upper": upper}
    rows = {name: np.asarray(values)[np.newaxis] for name, values in given.items() if values is not None}
    checked = {name: values[0] for name, values in check_predictions(questions, rows, 1).items()}
    fractions, totals = volunteer_fractions(questions, counts)
    reached = questions.asked_probability(checked["fraction"])
    most = max(float(totals.max()), 1.0)
    branches = []
    for index, depth in walk_tree(questions):
        part, total = questions.slices[index], float(totals[0, index])
        if total / most < REACHED and reached[index] < REACHED:
            continue
        interval = None
        if "fraction_lower" in checked:
            interval = np.stack([checked["fraction_lower"][part], checked["fraction_upper"][part]])
        volunteers = fractions[0, part] if total else None
        predicted = checked["fraction"][part]
        branches.append(Branch(index, depth, total, float(reached[index]), volunteers, predicted, interval))
    return branches


def vote_tree(
    questions: Questions,
    votes: ArrayLike,
    fraction: ArrayLike,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Volunteers' and predicted fractions of one galaxy as bars, question below question, deeper ones further right.

    Args and errors as `reached_branches`; axes: where to draw; a new figure otherwise.
    """
    branches = reached_branches(questions, votes, fraction, lower, upper)
    check(bool(branches), "votes", "must reach a question", votes, "Give the votes of a whole tree.")
    lines = sum(1.6 + len(branch.predicted) for branch in branches)
    axes = own_axes(axes, 5.6, 1.0 + 0.27 * lines)
    place, ticks, names = 0.0, [], []
    for branch in branches:
        question = questions.questions[branch.index]
        indent = "    " * branch.depth
        voted = f"{branch.votes:.0f} votes" if branch.votes else "nobody asked"
        title = f"{indent}{question.name} ({voted}, {branch.reached:.0%} expected)"
        axes.text(0.0, place, title, fontsize=8.5, fontweight="bold", va="center")
        for answer, name in enumerate(question.answers):
            place += 1.0
            _draw_answer(axes, place, branch, answer)
            ticks.append(place)
            names.append(indent + name)
        place += 1.6
    axes.set_yticks(ticks, names, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(place - 0.8, -0.7), xlabel="fraction of those who were asked")
    tidy(axes)
    axes.grid(False, axis="y")
    handles, texts = axes.get_legend_handles_labels()
    known = dict(zip(texts, handles, strict=True))
    axes.legend(known.values(), known.keys(), loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return axes


def _draw_answer(axes: Axes, place: float, branch: Branch, answer: int) -> None:
    if branch.volunteers is not None:
        axes.barh(place - 0.2, branch.volunteers[answer], 0.36, color=COLOURS[0], label="volunteers")
    axes.barh(place + 0.2, branch.predicted[answer], 0.36, color=COLOURS[1], label="predicted")
    if branch.interval is not None:
        axes.hlines(place + 0.2, *branch.interval[:, answer], color="black", linewidth=1.2)
