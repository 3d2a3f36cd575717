"""The decision tree that volunteers walk through, as data: questions, answers, and what leads to which question."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfgalaxy.configuration import Configuration, check
from tfgalaxy.data.columns import ColumnConvention
from tfgalaxy.data.question_rules import check_question, check_questions, sort_questions
from tfgalaxy.errors import InputError

__all__ = ["PRESETS", "Question", "Questions", "load_questions"]

PRESETS = ("gz1", "gz2", "gz2-kaggle", "decals")

_C = TypeVar("_C", bound="_Tree")


@dataclasses.dataclass(frozen=True)
class _Tree(Configuration):
    """A configuration with required keys, whose absence from a JSON object is an `InputError`."""

    @classmethod
    def from_dict(cls: type[_C], values: Mapping[str, Any], argument: str = "questions") -> _C:
        """The inverse of `to_dict`; optional keys take their defaults."""
        if isinstance(values, Mapping):
            required = (f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING)
            lacking = [name for name in required if name not in values]
            check(not lacking, argument, "must have all required keys", f"without {', '.join(lacking)}", "Add them.")
        return super().from_dict(values, argument)


@dataclasses.dataclass(frozen=True)
class Question(_Tree):
    """One question.

    Args:
        name: the question's name, unique in the tree.
        answers: names of the answers, at least two; the order is the order of all [A] axes.
        asked_after: pairs (question, answer): whoever gives one of these answers is asked this question next or later.
            Empty: everybody is asked.
    """

    name: str
    answers: tuple[str, ...]
    asked_after: tuple[tuple[str, str], ...] = ()

    def validate(self) -> None:
        check_question(self)


@dataclasses.dataclass(frozen=True)
class Questions(_Tree):
    """A decision tree of Q questions with A answers in all; immutable, hashable, and JSON in and out.

    Args:
        name: a name for the tree.
        questions: the questions; their order is the order of all [Q] and [A] axes, parents may stand after children.
        flip_swaps: triples (question, answer, answer): answers that a mirror flip of the image exchanges.
        columns: how tables hold these votes; by default counts in columns `<question>_<answer>`.
        description: where the tree comes from, for people.

    Raises:
        InputError: a duplicate, an unknown parent, a cycle, an unreachable question, or a bad flip swap, by name.

    Example:
        >>> tree = Questions("small", (
        ...     Question("smooth", ("yes", "no")),
        ...     Question("spiral", ("clockwise", "anticlockwise"), asked_after=(("smooth", "no"),)),
        ... ), flip_swaps=(("spiral", "clockwise", "anticlockwise"),))
        >>> tree.answer_labels[2]
        'spiral_clockwise'
        >>> tree.flip_permutation.tolist()
        [0, 1, 3, 2]
        >>> tree.asked_probability([0.75, 0.25, 0.5, 0.5]).tolist()
        [1.0, 0.25]
    """

    name: str
    questions: tuple[Question, ...]
    flip_swaps: tuple[tuple[str, str, str], ...] = ()
    columns: ColumnConvention = ColumnConvention()  # noqa: RUF009 - immutable
    description: str = ""

    def validate(self) -> None:
        check_questions(self)

    @classmethod
    def preset(cls, name: str) -> Questions:
        """A tree of a Galaxy Zoo release: `gz1`, `gz2`, `gz2-kaggle` or `decals`.

        Raises:
            InputError: another name.
        """
        close = difflib.get_close_matches(str(name), PRESETS, n=1)
        remedy = f"Did you mean '{close[0]}'?" if close else "Choose one, or give the path of a JSON file."
        check(name in PRESETS, "questions", f"must be a preset ({', '.join(PRESETS)}) or a JSON file", name, remedy)
        return cls.from_json(Path(__file__).parent / "presets" / f"{name}.json")

    @property
    def num_questions(self) -> int:
        """Q."""
        return len(self.questions)

    @property
    def num_answers(self) -> int:
        """A, the answers of all questions together."""
        return sum(len(question.answers) for question in self.questions)

    @functools.cached_property
    def answer_labels(self) -> tuple[str, ...]:
        """`<question>_<answer>` of each of the A answers."""
        return tuple(f"{question.name}_{answer}" for question in self.questions for answer in question.answers)

    @functools.cached_property
    def slices(self) -> tuple[slice, ...]:
        """For each of the Q questions, where its answers stand on an [A] axis."""
        ends = itertools.accumulate(len(question.answers) for question in self.questions)
        return tuple(slice(end - len(q.answers), end) for q, end in zip(self.questions, ends, strict=True))

    @functools.cached_property
    def question_index(self) -> NDArray[np.int64]:
        """For each of the A answers, the index of its question."""
        return _read_only(np.repeat(np.arange(self.num_questions), [len(q.answers) for q in self.questions]))

    @functools.cached_property
    def _answer_index(self) -> dict[tuple[str, str], int]:
        pairs = ((question.name, answer) for question in self.questions for answer in question.answers)
        return {pair: index for index, pair in enumerate(pairs)}

    @functools.cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """For each of the Q questions, the indices into the A answers that lead to it; () if it is asked of all."""
        return tuple(tuple(self._answer_index[pair] for pair in q.asked_after) for q in self.questions)

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """The Q question indices in an order in which a question stands after all those that lead to it."""
        index = {question.name: number for number, question in enumerate(self.questions)}
        above = {question.name: {parent for parent, _ in question.asked_after} for question in self.questions}
        return tuple(index[name] for name in sort_questions(above)[0])

    @functools.cached_property
    def flip_permutation(self) -> NDArray[np.int64]:
        """Index array [A]: `votes[..., flip_permutation]` are the votes of the mirrored galaxy; its own inverse."""
        permutation = np.arange(self.num_answers)
        for question, first, second in self.flip_swaps:
            pair = [self._answer_index[question, first], self._answer_index[question, second]]
            permutation[pair] = pair[::-1]
        return _read_only(permutation)

    def asked_probability(self, fractions: ArrayLike) -> NDArray[np.floating[Any]]:
        """The share of people who reach each question.

            asked[q] = 1                                                     for a question asked of all
            asked[q] = min(1, sum over parent answers a of asked[question of a] * fraction[a])   otherwise

        Args:
            fractions: [..., A], of those asked each question; a question's answers sum to 1.

        Returns:
            [..., Q], between 0 and 1, in the precision of `fractions` (float64 for integers).
        """
        fractions = np.asarray(fractions)
        if not np.issubdtype(fractions.dtype, np.floating):
            fractions = fractions.astype(np.float64)
        check(
            fractions.ndim > 0 and fractions.shape[-1] == self.num_answers,
            "fractions",
            f"must have {self.num_answers} answers on its last axis",
            fractions.shape,
            "Give one fraction for each answer.",
        )
        asked = np.ones((*fractions.shape[:-1], self.num_questions), fractions.dtype)  # [..., Q]
        for question in self.order:
            if parents := self.parents[question]:
                # [..., P], P answers that lead here
                reached = asked[..., self.question_index[list(parents)]] * fractions[..., list(parents)]
                asked[..., question] = np.clip(reached.sum(axis=-1), 0, 1)
        return asked


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def load_questions(questions: str | os.PathLike[str] | Questions) -> Questions:
    """Questions from a preset's name, the path of a JSON file, or as they are.

    Raises:
        InputError: neither a preset nor a readable JSON file, or the file breaks a rule of `Questions`.

    Example:
        >>> load_questions("gz2").num_answers
        37
    """
    if isinstance(questions, Questions):
        return questions
    check(
        isinstance(questions, str | os.PathLike),
        "questions",
        "must be a preset, a JSON file or Questions",
        questions,
        f"Choose one of {', '.join(PRESETS)}, or give a path.",
    )
    path = Path(questions)
    if str(questions) in PRESETS or (path.suffix.lower() != ".json" and not path.is_file()):
        return Questions.preset(str(questions))
    try:
        return Questions.from_json(path)
    except InputError as error:
        if error.argument.startswith(str(path)):
            raise
        raise InputError(f"{path}: {error.argument}", error.rule, error.value, error.remedy) from error
