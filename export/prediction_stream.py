"""Images decoded ahead of the network, in blocks that hold every row, broken ones too; several blocks at a time."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.data.autotuning import without_autotuning
from tfgalaxy.data.images import decoder
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_inputs import PredictionInputs, reason_of

__all__ = ["BLOCK_ROWS", "Block", "decoded_blocks", "map_in_order"]

# Images that the network sees at a time.
BLOCK_ROWS = 64
# Decoded batches that wait for the network.
_AHEAD = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class Block(NamedTuple):
    """Consecutive rows.

    Attributes:
        start: the first row.
        images: uint8 [n, S, S, C], 0 where there is a reason.
        reasons: [n], "" for a good image.
    """

    start: int
    images: NDArray[np.uint8]
    reasons: list[str]


def decoded_blocks(
    inputs: PredictionInputs, preprocessing: Preprocessing, start: int = 0, size: int = BLOCK_ROWS
) -> Iterator[Block]:
    """Blocks of `size` rows from `start` on, decoded by other threads while the caller works.

    A block always holds the same rows, whatever is broken among them: what the network makes of a row does not depend
    on where an interrupted prediction goes on, to the last bit.

    Args:
        inputs: the rows.
        preprocessing: size, crop and colours of the images.
        start: the first row, a multiple of `size`.
        size: rows of a block; the last one may have fewer.
    """
    batches = _decoded(inputs, preprocessing, start, size)
    shape = (preprocessing.image_size, preprocessing.image_size, preprocessing.channels)
    rows, images = np.empty(0, np.int64), np.empty([0, *shape], np.uint8)
    for first in range(start, len(inputs), size):
        stop = min(first + size, len(inputs))
        block, found = np.zeros([stop - first, *shape], np.uint8), np.zeros(stop - first, bool)
        while True:
            count = int(np.searchsorted(rows, stop))
            block[rows[:count] - first], found[rows[:count] - first] = images[:count], True
            rows, images = rows[count:], images[count:]
            if found.all() or len(rows):  # whole, or the next image belongs to a later block
                break
            batch = next(batches, None)
            if batch is None:
                break
            rows, images = batch
        yield Block(first, block, _read_rest(inputs, preprocessing, first, block, found))


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` by as many threads as there are cores, no more than twice as many items ahead of the caller.

    One core for a block is less work than several cores for one block after another: a network of this size leaves
    them little to share.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: collections.deque[Future[Result]] = collections.deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decoded(
    inputs: PredictionInputs, preprocessing: Preprocessing, start: int, size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Batches of row numbers, in order, and images, without those that do not decode."""
    decode = decoder(preprocessing)
    dataset = inputs.contents(start).map(
        lambda row, content: (row, decode(content)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    options = tf.data.Options()
    options.experimental_optimization.map_fusion = True  # reading and decoding as one step: a seventh less work
    dataset = dataset.ignore_errors().batch(size).prefetch(_AHEAD).with_options(options)
    # Tuning would also take a tenth more work.
    return iter(without_autotuning(dataset).as_numpy_iterator())


def _read_rest(
    inputs: PredictionInputs,
    preprocessing: Preprocessing,
    first: int,
    block: NDArray[np.uint8],
    found: NDArray[np.bool_],
) -> list[str]:
    """Reads what the pipeline left out, FITS images and broken ones, and says why where it cannot."""
    reasons = [""] * len(block)
    for position in np.flatnonzero(~found):
        try:
            block[position] = inputs.read(first + int(position), preprocessing)
        except InputError as error:
            reasons[position] = reason_of(error)
    return reasons
