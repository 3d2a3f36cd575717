"""The columns of a table of predictions: one layout for local predictions and for a server's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.questions import Questions

__all__ = ["CLASSIFY_OUTPUTS", "EMBEDDING_OUTPUTS", "check_voters", "column_names", "column_values", "prediction_table"]

ANSWER_OUTPUTS = ("fraction", "fraction_lower", "fraction_upper", "expected_votes")
QUESTION_OUTPUTS = ("asked_probability", "concentration")
CLASSIFY_OUTPUTS = ("valid", "fraction", "fraction_lower", "fraction_upper", *QUESTION_OUTPUTS)
EMBEDDING_OUTPUTS = ("latent_mean", "latent_stddev", "pose", "pose_concentration")


def column_names(questions: Questions, embedding: Mapping[str, int] | None = None) -> list[str]:
    """Names of the numbers of one prediction, in the order of the table.

    Args:
        questions: the decision tree.
        embedding: number of values of each output of `EMBEDDING_OUTPUTS`, or None for a table without them.

    Returns:
        For each answer `<question>_<answer>_<output>`, for each question `<question>_<output>`, and
        `<output>_<number>` for each value of the embedding, from 0.
    """
    asked = [question.name for question in questions.questions]
    names = [f"{label}_{output}" for label in questions.answer_labels for output in ANSWER_OUTPUTS]
    names += [f"{name}_{output}" for name in asked for output in QUESTION_OUTPUTS]
    sizes = embedding or {}
    return names + [f"{output}_{number}" for output, size in sizes.items() for number in range(size)]


def column_values(
    questions: Questions,
    voters: float,
    outputs: Mapping[str, NDArray[np.float32]],
    embedding: Mapping[str, int] | None = None,
) -> NDArray[np.float32]:
    """The numbers under `column_names`, from the outputs of `classify` (and `embed`).

        expected_votes[a] = voters * asked_probability[question of a] * fraction[a]

    Args:
        questions: the decision tree, with A answers.
        voters: volunteers who see a galaxy.
        outputs: the signatures' outputs, [N, ...] each.
        embedding: as for `column_names`.

    Returns:
        [N, columns] float32.
    """
    expected = voters * outputs["asked_probability"][:, questions.question_index] * outputs["fraction"]
    named = {**outputs, "expected_votes": expected}
    answers = np.stack([named[name] for name in ANSWER_OUTPUTS], axis=-1)  # [N, A, 4]
    asked = np.stack([named[name] for name in QUESTION_OUTPUTS], axis=-1)  # [N, Q, 2]
    parts = [answers, asked, *(outputs[name] for name in embedding or {})]
    return np.concatenate([part.reshape(len(expected), -1) for part in parts], axis=1).astype(np.float32, copy=False)


def check_voters(voters: float) -> float:
    """The number of volunteers who see a galaxy, if it is above 0."""
    check(voters > 0, "voters", "must be above 0", voters, "Give the number of volunteers per galaxy.")
    return voters


def prediction_table(
    ids: Sequence[str],
    files: Sequence[str],
    reasons: Sequence[str],
    names: Sequence[str],
    numbers: NDArray[np.float32],
) -> pd.DataFrame:
    """`id`, `file`, `valid` (1, or 0 where there is a reason), `reason`, and the numbers, NaN where not valid.

    Args:
        ids, files, reasons: [N] each; the reason is "" for a good image.
        names: of the columns of `numbers`.
        numbers: [N, columns].
    """
    valid = np.array([not reason for reason in reasons], np.int8)
    texts = {"id": _text(ids), "file": _text(files), "valid": valid, "reason": _text(reasons)}
    shown = np.where(valid[:, np.newaxis] > 0, numbers, np.float32(np.nan))
    return pd.concat([pd.DataFrame(texts), pd.DataFrame(shown, columns=list(names))], axis=1)


def _text(values: Sequence[str]) -> list[str]:
    """As UTF-8 can hold it: Linux allows file names that are no text, which Python gives as lone surrogates."""
    return [value.encode("utf-8", "backslashreplace").decode("utf-8") for value in values]
