"""Several steps of a clock in one step of `fit`: its batch in equal parts, and their terms together again."""

from __future__ import annotations

import tensorflow as tf

from tfgalaxy.errors import InputError

__all__ = ["equal_parts", "joined"]


def equal_parts(batch: tf.Tensor, parts: int) -> list[tf.Tensor]:
    """A batch as `parts` batches of the same size.

    Raises:
        InputError: they cannot be of the same size.
    """
    size = batch.shape[0]
    if size is not None and size % parts:
        rule = f"must be divisible by {parts}, the steps that a clock takes with a batch"
        raise InputError("the batch's size", rule, size, "Give larger batches, without a remainder.")
    return tf.split(batch, parts) if parts > 1 else [batch]


def joined(steps: list[dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """The terms of consecutive steps, per image, as of one batch."""
    return {name: tf.concat([terms[name] for terms in steps], axis=0) for name in steps[0]}
