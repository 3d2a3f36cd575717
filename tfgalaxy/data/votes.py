"""From the numbers in a table to vote counts: missing values, checks, fractions with a stated number of voters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = [
    "ROUNDING",
    "conditional_fractions",
    "find_bad_votes",
    "fractions_to_votes",
    "question_sums",
    "unmark_missing",
]

ROUNDING = 0.005
"""How far off a fraction may be, since releases round to two decimals or more; a question, by this for each answer."""

Kind = Literal["counts", "fractions", "cumulative"]


def question_sums(values: NDArray[Any], questions: Questions) -> NDArray[Any]:
    """Sum over the answers of each question, [..., A] -> [..., Q]."""
    return np.add.reduceat(values, [part.start for part in questions.slices], axis=-1)


def unmark_missing(
    values: NDArray[np.float32], questions: Questions, missing_values: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sets questions that were not asked to 0.

    NaN, or one of `missing_values`, in all answers of a question means that nobody was asked. In some answers only, it
    is a fault, which the mask reports.

    Args:
        values: [N, A], as the table gives them.
        questions: the decision tree.
        missing_values: numbers that stand for 'missing', such as 999.

    Returns:
        The values [N, A], 0 in missing questions, NaN where they are faulty; and the faulty ones as a mask [N, A].
    """
    missing = np.isnan(values)
    for number in missing_values:
        missing |= values == np.float32(number)
    if not missing.any():
        return values, missing
    values = values.copy()
    for part in questions.slices:
        whole = missing[:, part].all(axis=-1, keepdims=True)  # [N, 1]
        values[:, part] = np.where(whole, 0, np.where(missing[:, part], np.nan, values[:, part]))
        missing[:, part] &= ~whole
    return values, missing


def _gates(values: NDArray[Any], questions: Questions, ungated: Sequence[str]) -> NDArray[Any]:
    """What each question's cumulative fractions should sum to: its parents' values, or 1; [N, A] -> [N, Q]."""
    gates = np.ones((*values.shape[:-1], questions.num_questions), values.dtype)
    for index, (question, parents) in enumerate(zip(questions.questions, questions.parents, strict=True)):
        if parents and question.name not in ungated:
            gates[..., index] = values[..., list(parents)].sum(axis=-1)
    return gates


def find_bad_votes(
    values: NDArray[np.float32],
    partial: NDArray[np.bool_],
    questions: Questions,
    kind: Kind,
    columns: Sequence[str],
    totals: NDArray[np.float32] | None = None,
    ungated: Sequence[str] = (),
) -> dict[int, str]:
    """The first fault of each faulty row.

    A vote must be finite and not negative. Counts of a question must sum to its total, if the table has one, to half a
    person or 1 % (fractions times totals give broken counts). Fractions must lie in 0 to 1 and sum to 1, or to the
    parents' share if they are cumulative, to 0.005 for each answer, for releases round to two decimals or better; a sum
    of 0 means 'not asked'.

    Args:
        values: [N, A], from `unmark_missing`.
        partial: [N, A], answers that are missing while others of their question are there.
        questions: the decision tree.
        kind: what the values are.
        columns: [A] column names, for the reasons.
        totals: [N, Q] people asked each question, or [N, 1] people who saw the galaxy.
        ungated: for cumulative fractions, questions that sum to 1 whoever was asked.

    Returns:
        {row: reason}, rows from 0.
    """
    reasons: dict[int, str] = {}

    def add(faults: NDArray[np.bool_], names: Sequence[str], reason: str, shown: NDArray[Any]) -> None:
        for row in np.flatnonzero(faults.any(axis=-1)):
            first = int(np.argmax(faults[row]))
            reasons.setdefault(int(row), reason.format(name=names[first], value=f"{shown[row, first]:.6g}"))

    add(partial, columns, "column {name} is missing while other answers of its question are there", values)
    add(np.isinf(values), columns, "column {name} is no finite number", values)
    add(values < 0, columns, "column {name} is negative ({value})", values)
    names = [question.name for question in questions.questions]
    sums = question_sums(values, questions)  # [N, Q]
    if totals is not None:
        voted = sums != 0 if totals.shape[1] == len(names) else (sums != 0).any(axis=-1, keepdims=True)
        bad = voted & ~(np.isfinite(totals) & (totals >= 0))
        add(bad, names, "the number of voters of {name} is {value}", totals)
    tolerance = ROUNDING * np.array([len(question.answers) for question in questions.questions])
    if kind != "counts":
        add(values > 1 + ROUNDING, columns, "column {name} is a fraction above 1 ({value})", values)
        gates = _gates(values, questions, ungated) if kind == "cumulative" else np.ones_like(sums)
        # All zeros: a galaxy without votes. Zeros in one question: it was not asked, unless its parents' share says
        # otherwise.
        asked = sums.any(axis=-1, keepdims=True) if kind == "cumulative" else sums > tolerance
        off = asked & (np.abs(sums - gates) > tolerance)
        rule = "the share of its parents" if kind == "cumulative" else "1"
        add(off, names, f"the answers of {{name}} do not sum to {rule} but to {{value}}", sums)
    elif totals is not None and totals.shape[1] == sums.shape[1]:
        off = np.abs(sums - totals) > 0.5 + 0.01 * totals
        add(off, names, "the answers of {name} do not sum to its total but to {value}", sums)
    return reasons


def conditional_fractions(cumulative: ArrayLike, questions: Questions) -> NDArray[Any]:
    """Fractions of those asked each question, from fractions of all people (Kaggle's).

        fraction[a] = cumulative[a] / sum over the answers b of a's question of cumulative[b]

    The sum is the share that reached the question, or 1 where the table left the question ungated, so that one rule
    fits both.

    Args:
        cumulative: [..., A].
        questions: the decision tree.

    Returns:
        [..., A]; a question sums to 1, or is all 0 where nobody was asked.
    """
    values = np.asarray(cumulative)
    sums = question_sums(values, questions)[..., questions.question_index]  # [..., A]
    return np.divide(values, sums, out=np.zeros_like(values), where=sums > 0)


def fractions_to_votes(fractions: ArrayLike, questions: Questions, voters: ArrayLike) -> NDArray[np.float32]:
    """Votes of each answer, from fractions of those asked its question and the number of people who saw the galaxy.

        votes[a] = voters * asked[question of a] * fraction[a]

    with `asked` from `Questions.asked_probability`. The votes of a question then sum to the number of people who
    reached it. They are not whole numbers.

    Args:
        fractions: [N, A]; a question sums to 1, or to 0 where nobody was asked.
        questions: the decision tree.
        voters: people who saw the galaxy, a number or [N]; or [N, Q], the people who were asked each question.

    Returns:
        [N, A] float32.
    """
    values = np.asarray(fractions, np.float32)
    asked = question_sums(values, questions) > 0.5  # [N, Q]; a sum is about 1, or about 0
    shares = conditional_fractions(values, questions) * asked[:, questions.question_index]
    people = np.asarray(voters, np.float32)
    if people.ndim < 2:
        people = people.reshape(-1, 1) * questions.asked_probability(shares)  # [N, Q]
    return np.asarray(people[:, questions.question_index] * shares, np.float32)
