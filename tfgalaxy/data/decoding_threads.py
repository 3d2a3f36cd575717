"""Decodes many pictures: a block of them by each thread, one after another."""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import tensorflow as tf

from tfgalaxy.data.images import decode_bytes
from tfgalaxy.data.preprocessing import Preprocessing

__all__ = ["batch_decoder", "map_in_order", "read_files"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` by as many threads as there are cores, no more than twice as many items ahead of the caller.

    A thread that does all of a block's work, reading, decoding and the network, with operations on one core, hands
    nothing over while it works: a `tf.data` pipeline that hands each picture from thread to thread took a tenth more
    processor time and left a tenth of it idle.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: collections.deque[Future[Result]] = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # of a caller that wants no more, or after an error
                future.cancel()


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def read_files(paths: tf.Tensor) -> tf.Tensor:
    """Contents of files, string [N] to string [N].

    Raises:
        tf.errors.OpError: one of them cannot be read.
    """
    return tf.map_fn(tf.io.read_file, paths, parallel_iterations=1)


@functools.cache
def batch_decoder(preprocessing: Preprocessing) -> Any:
    """`decode_bytes` of one picture after another, on the calling thread: string [N] to uint8 [N, S, S, C].

    Raises (the function that is returned):
        tf.errors.InvalidArgumentError: one of them is no whole picture, or too large; the others are lost with it.
    """

    def decode(contents: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda content: decode_bytes(content, preprocessing),
            contents,
            fn_output_signature=tf.uint8,
            parallel_iterations=1,
        )

    return tf.function(decode, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
