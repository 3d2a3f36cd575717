"""Decodes many pictures: a block of them by each thread, one after another."""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.data.images import decode_bytes, survivors
from tfgalaxy.data.preprocessing import Preprocessing

__all__ = ["decode_whole", "map_in_order"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` by as many threads as there are cores.

    Args:
        function: called by several threads at a time.
        items: taken one by one, at most twice as many as there are cores ahead of the caller.

    Returns:
        An iterator over the results, in the items' order.

    Raises (where the result is asked for):
        Exception: what the function raised; the items that were not begun are dropped.

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


def decode_whole(
    sources: Sequence[str | bytes], preprocessing: Preprocessing, of_files: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Decodes pictures one after another on the calling thread, as `decode_bytes` does.

    Args:
        sources: [N] bytes of JPEG and PNG pictures, or paths of files.
        preprocessing: size, crop and colours of the images.
        of_files: whether they are paths.

    Returns:
        Positions [K] of the sources that can be read and are whole pictures, in order, and their images, uint8
        [K, S, S, C].
    """
    given = tf.constant(list(sources), tf.string)
    try:
        images = _all_decoder(preprocessing, of_files)(given).numpy()
    except tf.errors.OpError:  # by whichever comes first that is missing or broken: once again, for the others
        found, images = _survivor_decoder(preprocessing, of_files)(given)
        return found.numpy(), images.numpy()
    return np.arange(len(images)), images


def _decode(source: tf.Tensor, preprocessing: Preprocessing, of_files: bool) -> tf.Tensor:
    return decode_bytes(tf.io.read_file(source) if of_files else source, preprocessing)


@functools.cache
def _all_decoder(preprocessing: Preprocessing, of_files: bool) -> Any:
    """A function of string [N] to uint8 [N, S, S, C], which fails where one is broken."""

    def decode_all(sources: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda source: _decode(source, preprocessing, of_files),
            sources,
            fn_output_signature=tf.uint8,
            parallel_iterations=1,
        )

    return tf.function(decode_all, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


@functools.cache
def _survivor_decoder(preprocessing: Preprocessing, of_files: bool) -> Any:
    """A function of string [N] to positions [K] and uint8 [K, S, S, C], in a tenth more time."""

    def decode_survivors(sources: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return survivors(sources, lambda source: _decode(source, preprocessing, of_files), preprocessing)

    return tf.function(decode_survivors, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
