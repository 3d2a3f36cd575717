"""That nothing made from a data set tunes itself, whatever is done to it afterwards."""

from __future__ import annotations

import tensorflow as tf

from tfgalaxy.data.autotuning import without_autotuning


def test_what_is_made_from_the_data_set_is_not_tuned_either() -> None:
    dataset = without_autotuning(tf.data.Dataset.range(5))
    later = tf.data.Dataset.zip((dataset.repeat().batch(2), tf.data.Dataset.range(9))).map(lambda *parts: parts)
    assert dataset.options().autotune.enabled is False
    assert later.prefetch(2).options().autotune.enabled is False
    assert list(dataset.as_numpy_iterator()) == list(range(5))


def test_other_options_are_kept() -> None:
    options = tf.data.Options()
    options.experimental_optimization.map_fusion = True
    dataset = without_autotuning(tf.data.Dataset.range(5).with_options(options))
    assert dataset.options().experimental_optimization.map_fusion is True
