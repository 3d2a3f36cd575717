"""The rules that a decision tree must obey; each error names the question or answer that breaks one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Question, Questions

__all__ = ["check_question", "check_questions", "sort_questions"]


def check_name(argument: str, name: str) -> None:
    """Raises `InputError` unless a name fits on a line of `labels.txt` and in a column name."""
    fits = name != "" and name == name.strip() and name.isprintable()
    check(fits, argument, "must be printable text without blanks at its ends", name, "Correct the name.")


def _duplicate(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def check_question(question: Question) -> None:
    """Raises `InputError` for a bad name, fewer than two answers, or a duplicate answer."""
    check_name("question", question.name)
    argument = f"question '{question.name}'"
    for answer in question.answers:
        check_name(f"answer of {argument}", answer)
    check(len(question.answers) >= 2, argument, "must have at least two answers", question.answers, "Add answers.")
    twice = _duplicate(question.answers)
    check(twice is None, argument, "must not have a duplicate answer", twice, "Rename or drop one of them.")
    pair = _duplicate(f"{parent}: {answer}" for parent, answer in question.asked_after)
    check(pair is None, argument, "must not list the same way to it twice", pair, "Drop one of them.")


def check_questions(questions: Questions) -> None:
    """Raises `InputError` for duplicates, unknown parents, unreachable questions, cycles, bad flip swaps or columns."""
    check_name("name", questions.name)
    _check_names(questions)
    _check_parents(questions)
    _check_reachable(questions)
    _check_flip_swaps(questions)
    _check_columns(questions)


def _check_names(questions: Questions) -> None:
    check(len(questions.questions) > 0, "questions", "must hold at least one question", (), "Add a question.")
    twice = _duplicate(question.name for question in questions.questions)
    check(twice is None, "questions", "must not hold a duplicate question", twice, "Rename or drop one of them.")
    label = _duplicate(questions.answer_labels)
    rule = "must give every answer its own label '<question>_<answer>'"
    check(label is None, "questions", rule, f"'{label}' for two answers", "Rename a question or an answer.")


def _answers(questions: Questions) -> dict[str, tuple[str, ...]]:
    return {question.name: question.answers for question in questions.questions}


def _check_parents(questions: Questions) -> None:
    answers = _answers(questions)
    for question in questions.questions:
        for parent, answer in question.asked_after:
            argument = f"asked_after of question '{question.name}'"
            rule = f"must name known questions ({', '.join(answers)})"
            check(parent in answers, argument, rule, parent, "Correct the parent question's name.")
            rule = f"must name an answer of '{parent}' ({', '.join(answers[parent])})"
            check(answer in answers[parent], argument, rule, answer, "Correct the parent answer's name.")


def sort_questions(parents: dict[str, set[str]]) -> tuple[list[str], dict[str, set[str]]]:
    """Questions with parents first, and what is left because it stands on, or hangs on, a cycle."""
    order: list[str] = []
    left = {name: set(names) for name, names in parents.items()}
    while ready := [name for name, names in left.items() if not names]:
        order += ready
        left = {name: names - set(ready) for name, names in left.items() if names}
    return order, left


def _find_cycle(left: dict[str, set[str]]) -> list[str]:
    """A cycle as a list that starts and ends with the same question; every question left has a parent left."""
    walk = [next(iter(left))]
    while walk[-1] not in walk[:-1]:
        walk.append(sorted(left[walk[-1]])[0])
    return walk[walk.index(walk[-1]) :][::-1]


def _check_reachable(questions: Questions) -> None:
    parents = {question.name: {parent for parent, _ in question.asked_after} for question in questions.questions}
    reached: set[str] = set()
    while new := {name for name, above in parents.items() if name not in reached and (not above or above & reached)}:
        reached |= new
    _, left = sort_questions(parents)
    if not left:
        return
    cycle = _find_cycle(left)
    hanging = [name for name in left if name not in reached and not _leads_to(name, {name}, parents)]
    if hanging:
        rule = "must be reachable from a question that is asked of all"
        value = f"unreachable behind the cycle {' -> '.join(cycle)}"
        raise InputError(f"question '{hanging[0]}'", rule, value, "Correct asked_after.")
    rule = "must not hold a cycle of questions that lead to each other"
    raise InputError("questions", rule, " -> ".join(cycle), "Correct asked_after of one of them.")


def _leads_to(name: str, goal: set[str], parents: dict[str, set[str]]) -> bool:
    """Whether a question is among its own ancestors, that is, stands on a cycle."""
    seen: set[str] = set()
    front = set(parents[name])
    while front - seen:
        seen |= front
        front = set().union(*(parents[ancestor] for ancestor in front))
    return bool(seen & goal)


def _check_flip_swaps(questions: Questions) -> None:
    answers = _answers(questions)
    for question, first, second in questions.flip_swaps:
        check(question in answers, "flip_swaps", "must name a known question", question, "Correct the name.")
        for answer in (first, second):
            rule = f"must name answers of '{question}' ({', '.join(answers[question])})"
            check(answer in answers[question], "flip_swaps", rule, answer, "Correct the name.")
        check(first != second, "flip_swaps", "must exchange two different answers", first, "Drop this swap.")
    twice = _duplicate(f"{swap[0]}: {answer}" for swap in questions.flip_swaps for answer in swap[1:])
    check(twice is None, "flip_swaps", "must exchange an answer only once", twice, "Drop one of the swaps.")


def _check_columns(questions: Questions) -> None:
    answers = _answers(questions)
    for votes in questions.columns.votes:
        fits = not votes.sums or len(votes.sums) == questions.num_answers
        rule = f"must have an entry for each of the {questions.num_answers} answers"
        check(fits, "columns.votes.sums", rule, len(votes.sums), "List the columns of each answer, in order.")
        for name in votes.ungated:
            check(name in answers, "columns.votes.ungated", "must name known questions", name, "Correct the name.")
