"""Names of questions and answers as people read them."""

from __future__ import annotations

import re

from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError

__all__ = ["readable", "readable_questions"]


def readable(name: str) -> str:
    """A column's name without its number, underscores and hyphens.

    Example:
        >>> readable("t01_smooth_or_features"), readable("a36_more_than_4"), readable("disk-edge-on"), readable("1")
        ('smooth or features', 'more than 4', 'disk edge on', '1')
    """
    words = re.sub(r"^[at]\d\d_", "", name).replace("_", " ").replace("-", " ")
    return " ".join(words.split()) or name


def readable_questions(questions: Questions) -> Questions:
    """The same tree with readable names, for figures and tables; as it is where two names would become one."""
    answers = [{answer: readable(answer) for answer in question.answers} for question in questions.questions]
    names = {question.name: readable(question.name) for question in questions.questions}
    by_name = dict(zip(names, answers, strict=True))
    renamed = [
        question.replace(
            name=names[question.name],
            answers=tuple(new[answer] for answer in question.answers),
            asked_after=tuple((names[parent], by_name[parent][answer]) for parent, answer in question.asked_after),
        )
        for question, new in zip(questions.questions, answers, strict=True)
        if len(set(new.values())) == len(new)
    ]
    try:
        return Questions(questions.name, tuple(renamed)) if len(renamed) == len(answers) else questions
    except InputError:
        return questions
