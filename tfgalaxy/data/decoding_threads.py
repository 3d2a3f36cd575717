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

__all__ = ["batch_decoder", "map_in_order"]

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


@functools.cache
def batch_decoder(preprocessing: Preprocessing, of_files: bool = False) -> Any:
    """`decode_bytes` of one picture after another, on the calling thread: a function of string [N] to uint8
    [N, S, S, C].

    Args:
        preprocessing: size, crop and colours of the images.
        of_files: whether the function takes paths of files, in place of their bytes.

    Raises (the function that is returned):
        tf.errors.OpError: one of them cannot be read, is no whole picture, or too large; the others are lost with it.
    """

    def decode(source: tf.Tensor) -> tf.Tensor:
        return decode_bytes(tf.io.read_file(source) if of_files else source, preprocessing)

    def decode_all(sources: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(decode, sources, fn_output_signature=tf.uint8, parallel_iterations=1)

    return tf.function(decode_all, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
