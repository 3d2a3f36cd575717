"""What a step of `fit` is given, by clock; a batch in equal parts, and the terms of their steps together again."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgalaxy.errors import InputError

__all__ = ["equal_parts", "joined", "split_clocks"]


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


def split_clocks(data: Any) -> tuple[tuple[tf.Tensor, tf.Tensor] | None, tf.Tensor | None]:
    """The labelled pair and the unlabelled images of what `fit` was given; either may be None.

    Raises:
        InputError: the data has none of the three forms that `TwoClocks` names.
    """
    if isinstance(data, tf.Tensor):
        return None, data
    data = tuple(item for item in data if item is not None)
    if len(data) == 1:
        return split_clocks(data[0])
    if len(data) == 2 and isinstance(data[0], tf.Tensor):
        return (data[0], data[1]), None
    if len(data) == 2 and len(data[0]) == 2:
        return (data[0][0], data[0][1]), data[1]
    rule = "must yield (images, votes), ((images, votes), unlabelled_images) or images"
    raise InputError("the data set", rule, [type(item).__name__ for item in data], "Use tfgalaxy.data's batches.")
