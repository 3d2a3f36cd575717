"""Votes of a table's rows as counts, whatever the table holds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.columns import ColumnMatch
from tfgalaxy.data.questions import Questions
from tfgalaxy.data.votes import (
    ROUNDING,
    Kind,
    conditional_fractions,
    find_bad_votes,
    fractions_to_votes,
    unmark_missing,
)
from tfgalaxy.errors import InputError

__all__ = ["read_votes"]


def read_votes(
    frame: pd.DataFrame, match: ColumnMatch, questions: Questions, voters: float | None
) -> tuple[NDArray[np.float32], dict[int, str]]:
    """The votes [N, A] of all rows, 0 in faulty ones, and {row: reason} for these.

    Args:
        frame: the table, with the columns of `match` as float32.
        match: which columns hold what.
        questions: the decision tree.
        voters: people who saw each galaxy, for fractions; wins over the table's totals.

    Raises:
        InputError: fractions without a number of voters, counts with one, or faults in more than half of the rows.
    """
    raw = np.empty((len(frame), questions.num_answers), np.float32)
    for answer, names in enumerate(match.answers):
        raw[:, answer] = sum(frame[name].to_numpy() for name in names)
    values, partial = unmark_missing(raw, questions, questions.columns.missing_values)
    kind = _kind(values, match, questions, voters)
    totals = _totals(frame, match, questions, kind, voters)
    columns = [" + ".join(names) for names in match.answers]
    reasons = find_bad_votes(values, partial, questions, kind, columns, totals, match.votes.ungated)
    if 2 * len(reasons) > len(values):
        row, reason = min(reasons.items())
        value = f"faults in {len(reasons)} of {len(values)} (row {row + 1}: {reason})"
        raise InputError("catalogue", "must have sound votes in at least half of its rows", value, "Check the columns.")
    values[list(reasons)] = 0
    if kind == "counts":
        return values, reasons
    if kind == "cumulative":
        values = conditional_fractions(values, questions)
    if totals is None:
        return fractions_to_votes(values, questions, _stated_voters(questions, kind, voters)), reasons
    people = np.where(np.isfinite(totals) & (totals > 0), totals, 0)
    return fractions_to_votes(values, questions, people if people.shape[1] > 1 else people[:, 0]), reasons


def _kind(values: NDArray[np.float32], match: ColumnMatch, questions: Questions, voters: float | None) -> Kind:
    """What the values are: columns of counts may in truth hold fractions, which `voters` then says."""
    if voters is not None:
        sound = isinstance(voters, int | float | np.number) and math.isfinite(voters) and voters > 0
        check(sound, "voters", "must be a number above 0", voters, "Give the people who saw each galaxy, such as 40.")
    if match.votes.kind != "counts":
        return match.votes.kind
    below_one, broken = _below_one(values)
    if voters is not None:
        rule = "must be left out for a table of counts"
        check(below_one, "voters", rule, voters, "The columns hold numbers above 1; drop it.")
        return "fractions"
    name = match.answers[0][0]
    remedy = "Pass voters, the number of people who saw each galaxy."
    check(not broken, f"column '{name}'", "must hold counts", "fractions (no number is above 1)", remedy)
    return "counts"


def _below_one(values: NDArray[np.float32]) -> tuple[bool, bool]:
    """Whether no finite number is above 1, and whether some are broken then; column by column, for tables are large."""
    largest, broken = -np.inf, False
    for answer in range(values.shape[1]):
        finite = values[:, answer][np.isfinite(values[:, answer])]
        largest = max(largest, finite.max(initial=-np.inf))
        broken |= bool(((finite > 0) & (finite != np.round(finite))).any())
    below_one = bool(-np.inf < largest <= 1 + ROUNDING)
    return below_one, below_one and broken


def _totals(
    frame: pd.DataFrame, match: ColumnMatch, questions: Questions, kind: Kind, voters: float | None
) -> NDArray[np.float32] | None:
    if not match.totals or (kind != "counts" and voters is not None):
        return None
    return frame[list(match.totals)].to_numpy(np.float32)


def _stated_voters(questions: Questions, kind: Kind, voters: float | None) -> float:
    people = questions.columns.voters if voters is None else voters
    if people is None:
        rule = f"must be given, since the table holds {kind} without a column of totals"
        raise InputError("voters", rule, None, "Give the number of people who saw each galaxy, such as 40.")
    return people
