"""Which columns of a table hold ids, files and votes: a convention as data, and its match with the columns of a table.

Columns are always derived from the questions and looked up; a column's name is never split into a question and an
answer, because tails such as `_fraction`, `_debiased` or `_total-votes` look like answers.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import re
import string
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from tfgalaxy.configuration import Configuration, check
from tfgalaxy.errors import InputError

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["ColumnConvention", "ColumnMatch", "VoteColumns", "match_columns", "match_names"]


@dataclasses.dataclass(frozen=True)
class VoteColumns(Configuration):
    """One way in which a table can hold the votes.

    Args:
        kind: `counts` (people per answer), `fractions` (of the people asked that question; a question sums to 1), or
            `cumulative` (fractions of all people; a question sums to the share that reached it).
        pattern: the column of an answer, with the fields `{question}`, `{answer}`, `{question_number}`,
            `{answer_number}` (numbers from 1).
        sums: instead of a pattern, for each of the A answers the columns whose values are added.
        total: column with the number of people: per question if it holds `{question}`, else the people who saw the
            galaxy.
        like: regular expression of a whole column name that only a vote column has; one that matches and names no known
            answer is an error.
        ungated: for `cumulative`, questions that sum to 1 in the table although only some people reached them.
    """

    kind: Literal["counts", "fractions", "cumulative"] = "counts"
    pattern: str = "{question}_{answer}"
    sums: tuple[tuple[str, ...], ...] = ()
    total: str | None = None
    like: str | None = None
    ungated: tuple[str, ...] = ()

    def validate(self) -> None:
        remedy = "Use the fields {question}, {answer}, {question_number}, {answer_number}."
        _check_pattern("pattern", self.pattern, ("question", "answer", "question_number", "answer_number"))
        _check_pattern("total", self.total or "", ("question", "question_number"))
        rule = "must tell answers apart by {answer} or {answer_number}"
        check(self._fill("q", "a", 1, 1) != self._fill("q", "b", 1, 2), "pattern", rule, self.pattern, remedy)
        try:
            re.compile(self.like or "")
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError("like", "must be a regular expression", self.like, "Correct it.") from error

    def answer_columns(self, questions: Questions) -> tuple[tuple[str, ...], ...]:
        """For each of the A answers, the columns whose values are added."""
        if self.sums:
            return self.sums
        return tuple(
            (self._fill(question.name, answer, number, answer_number),)
            for number, question in enumerate(questions.questions, start=1)
            for answer_number, answer in enumerate(question.answers, start=1)
        )

    def total_columns(self, questions: Questions) -> tuple[str, ...]:
        """No column, one for the galaxy, or one for each of the Q questions."""
        if self.total is None:
            return ()
        if self.total.format(question="", answer="", question_number=0, answer_number=0) == self.total:
            return (self.total,)
        return tuple(
            self.total.format(question=q.name, question_number=n) for n, q in enumerate(questions.questions, 1)
        )

    def _fill(self, question: str, answer: str, question_number: int, answer_number: int) -> str:
        return self.pattern.format(
            question=question, answer=answer, question_number=question_number, answer_number=answer_number
        )

    def is_stray(self, column: str, questions: Questions) -> bool:
        """Whether a column that is not expected looks like the votes of an answer that the questions lack."""
        if self.like is not None:
            return re.fullmatch(self.like, column) is not None
        if self.sums:
            return False
        column = _normal(column)
        # A mark that no name holds stands for 'any answer'; a known answer with a tail (`smooth_debiased`) is no stray.
        for number, question in enumerate(questions.questions, start=1):
            before, _, after = _normal(self._fill(question.name, "\0", number, 0)).partition("\0")
            if column.startswith(before) and column.endswith(after) and len(column) > len(before) + len(after):
                tail = column[len(before) : len(column) - len(after)]
                return not any(tail.startswith(_normal(answer) + "_") for answer in question.answers)
        return False


def _check_pattern(argument: str, pattern: str, fields: Sequence[str]) -> None:
    """Raises `InputError` unless a pattern holds only these fields; at most a number's width, as `{answer_number:02d}`
    does, since a format could as well ask for gigabytes of blanks, or for an attribute.
    """
    try:
        parts = list(string.Formatter().parse(pattern))
        known = all(
            field is None or (field in fields and conversion is None and re.fullmatch(r"(0?\d{1,2}d)?", width or ""))
            for _, field, width, conversion in parts
        )
        if known:
            pattern.format(question="q", answer="a", question_number=1, answer_number=1)
    except ValueError as error:
        raise InputError(argument, "must be a pattern", f"'{pattern}' ({error})", "Correct its brackets.") from error
    rule = f"must be a pattern of known fields ({', '.join(f'{{{name}}}' for name in fields)})"
    check(known, argument, rule, pattern, "Correct the field's name.")


_KIND_NAMES = {"counts": "counts", "fractions": "fractions", "cumulative": "cumulative fractions"}
_IDS = ("id", "id_str", "galaxy_id", "galaxyid", "iauname", "dr7objid", "objid", "objectid", "asset_id", "name")
_FILES = ("file", "file_loc", "filename", "file_name", "image")
_NO_VOTES = (
    *("*_fraction", "*_debiased", "*_weight", "*_flag", "*_frac", "*_prob", "*-lower", "*-upper", "*_lower", "*_upper"),
    *("*_total", "*_total[-_]votes", "*_total[-_]count", "*_proportion*", "*_concentration*", "*_asked*", "*_count"),
)


@dataclasses.dataclass(frozen=True)
class ColumnConvention(Configuration):
    """How the tables of a release are laid out. Names match exactly, else without case and with `-`, `.`, blank as `_`.

    Args:
        id: possible names of the id column, best first.
        file: possible names of the file column, best first; a table may lack one.
        votes: the ways in which votes may be held, best first (counts before fractions).
        voters: people per galaxy where the table holds fractions and no totals, if the release states it.
        missing_values: numbers that stand for 'not asked', besides an empty cell and NaN. They count only when all
            answers of a question hold one; a question that is missing in part is an error of its row.
        ignore: shell patterns of columns that look like votes of an answer and are none.
    """

    id: tuple[str, ...] = _IDS
    file: tuple[str, ...] = _FILES
    votes: tuple[VoteColumns, ...] = (
        VoteColumns(total="{question}_total-votes"),
        VoteColumns("fractions", "{question}_{answer}_fraction", total="{question}_total-votes"),
    )
    voters: float | None = None
    missing_values: tuple[float, ...] = (999.0,)
    ignore: tuple[str, ...] = _NO_VOTES

    def validate(self) -> None:
        check(len(self.id) > 0, "id", "must name at least one column", self.id, "Name the id column.")
        check(len(self.votes) > 0, "votes", "must hold at least one way to read votes", self.votes, "Add one.")
        check(
            self.voters is None or self.voters > 0, "voters", "must be above 0", self.voters, "Give a number of people."
        )


@dataclasses.dataclass(frozen=True)
class ColumnMatch:
    """The columns of one table, by what they hold.

    Args:
        votes: the way in which this table holds its votes.
        id: the id column.
        file: the file column, or None.
        answers: for each of the A answers, the columns whose values are added.
        totals: no column, one for the galaxy, or one for each of the Q questions.
        ignored: all other columns.
    """

    votes: VoteColumns
    id: str
    file: str | None
    answers: tuple[tuple[str, ...], ...]
    totals: tuple[str, ...]
    ignored: tuple[str, ...]


def _normal(column: str) -> str:
    return re.sub(r"[-. ]", "_", column.strip().casefold())


class _Lookup:
    """Finds columns exactly, else by a normal form, since FITS and VOTable writers change case and punctuation."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._exact = set(columns)
        self._normal: dict[str, list[str]] = {}
        for column in columns:
            self._normal.setdefault(_normal(column), []).append(column)

    def find(self, name: str) -> str | None:
        if name in self._exact:
            return self._once(name)
        candidates = self._normal.get(_normal(name), [])
        remedy = "Rename or drop the others."
        check(len(candidates) <= 1, f"column '{name}'", "must be there once", candidates, remedy)
        return candidates[0] if candidates else None

    def _once(self, name: str) -> str:
        count = self.columns.count(name)
        check(count == 1, f"column '{name}'", "must be there once", f"{count} times", "Rename or drop the others.")
        return name


def _first(lookup: _Lookup, names: Iterable[str]) -> str | None:
    return next((column for column in map(lookup.find, names) if column is not None), None)


def _suggest(name: str, columns: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, columns, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"The columns are: {', '.join(columns[:12])}."


def _find_named(lookup: _Lookup, argument: str, name: str) -> str:
    column = lookup.find(name)
    if column is None:
        raise InputError(argument, "must be a column of the table", name, _suggest(name, lookup.columns))
    return column


def _find_id(lookup: _Lookup, convention: ColumnConvention) -> str:
    column = _first(lookup, convention.id)
    if column is None:
        rule = f"must hold an id column ({', '.join(convention.id)})"
        raise InputError("catalogue", rule, list(lookup.columns[:8]), "Rename the column, or name it with id_column.")
    return column


def _missing(lookup: _Lookup, columns: tuple[tuple[str, ...], ...]) -> list[str]:
    return [name for group in columns for name in group if lookup.find(name) is None]


def _number_lacking(item: tuple[VoteColumns, list[str]]) -> int:
    return len(item[1])


def _choose_votes(lookup: _Lookup, questions: Questions) -> VoteColumns:
    """The first way whose columns are all there; else an error about the way that lacks the fewest.

    A way that has most of its columns is meant: another is not tried, since it would hide a misspelt column.
    """
    lacking = {}
    for votes in questions.columns.votes:
        lacking[votes] = _missing(lookup, votes.answer_columns(questions))
        if not lacking[votes]:
            return votes
        if 2 * len(lacking[votes]) < questions.num_answers:
            break
    votes, names = min(lacking.items(), key=_number_lacking)
    rule = f"must be there, since questions '{questions.name}' need {_KIND_NAMES[votes.kind]} in such columns"
    value = f"absent ({len(names)} columns are missing in all)" if len(names) > 1 else "absent"
    remedy = _suggest(names[0], lookup.columns) + " Correct the column's name or choose other questions."
    raise InputError(f"column '{names[0]}'", rule, value, remedy)


def _refuse_strays(others: Sequence[str], votes: VoteColumns, questions: Questions) -> None:
    known = [name for group in votes.answer_columns(questions) for name in group]
    for column in others:
        if any(fnmatch.fnmatchcase(column, pattern) for pattern in questions.columns.ignore):
            continue
        if votes.is_stray(column, questions):
            rule = f"must hold the votes of an answer that questions '{questions.name}' know"
            close = difflib.get_close_matches(column, known, n=1, cutoff=0.0)
            remedy = (
                f"The closest is '{close[0]}'. Correct the name or the questions, or list it in their columns.ignore."
            )
            raise InputError(f"column '{column}'", rule, "an unknown one", remedy)


def match_names(
    convention: ColumnConvention, columns: Sequence[str], id_column: str | None = None, file_column: str | None = None
) -> tuple[str, str | None]:
    """The id column and the file column, which a table may lack; see `match_columns`."""
    lookup = _Lookup(columns)
    id_name = _find_named(lookup, "id_column", id_column) if id_column else _find_id(lookup, convention)
    file_name = _find_named(lookup, "file_column", file_column) if file_column else _first(lookup, convention.file)
    return id_name, file_name


def match_columns(
    questions: Questions, columns: Sequence[str], id_column: str | None = None, file_column: str | None = None
) -> ColumnMatch:
    """Finds the columns that the questions' convention asks for.

    Args:
        questions: the decision tree with its convention.
        columns: the names of all columns of a table.
        id_column: name of the id column; by default the first of the convention's that is there.
        file_column: the same for the file column.

    Raises:
        InputError: no id column, an answer without a column (a close name is suggested), a column that is there twice,
            or one that looks like votes and names no known answer.

    Example:
        >>> from tfgalaxy.data.questions import Question, Questions
        >>> questions = Questions("mine", (Question("bar", ("yes", "no")),))
        >>> match_columns(questions, ["id", "bar_yes", "bar_no", "redshift"]).ignored
        ('redshift',)
    """
    lookup = _Lookup(columns)
    id_name, file_name = match_names(questions.columns, columns, id_column, file_column)
    votes = _choose_votes(lookup, questions)
    answers = tuple(
        tuple(_find_named(lookup, "column", name) for name in group) for group in votes.answer_columns(questions)
    )
    totals = tuple(lookup.find(name) or "" for name in votes.total_columns(questions))
    totals = totals if all(totals) else ()
    used = {id_name, file_name, *totals, *(name for group in answers for name in group)}
    others = tuple(column for column in columns if column not in used)
    _refuse_strays(others, votes, questions)
    return ColumnMatch(votes, id_name, file_name, answers, totals, others)
