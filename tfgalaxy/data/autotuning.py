"""Keeps `tf.data` from tuning a pipeline's parallelism while it runs, for what it takes to end that."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["without_autotuning"]


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same data set, and all made from it, with as many parallel calls as there are cores from the first batch on.

    The thread that tunes a pipeline sleeps for 10 ms, 20 ms, 40 ms and so on. Now and then (TensorFlow 2.15: once in
    ten to a hundred iterators) it does not hear that the iterator is to end, and whoever ends it waits until it wakes:
    up to as long as the iterator has been there, 11 s after a `fit` of 33 s (docs/tuning.md).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
