"""Decoded images in blocks that hold every row, broken ones too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.data.decoding_threads import map_in_order
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_inputs import PredictionInputs, reason_of

__all__ = ["BLOCK_ROWS", "Block", "decoded_block", "decoded_blocks"]

# Images that the network sees at a time.
BLOCK_ROWS = 64


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


def decoded_block(inputs: PredictionInputs, preprocessing: Preprocessing, start: int, size: int = BLOCK_ROWS) -> Block:
    """The block of `size` rows from `start` on, or of as many as are left.

    It always holds the same rows, whatever is broken among them: what the network makes of a row does not depend on
    where an interrupted prediction goes on, to the last bit.

    Args:
        inputs: the rows.
        preprocessing: size, crop and colours of the images.
        start: the first row.
        size: rows of a block.
    """
    count = min(size, len(inputs) - start)
    shape = (preprocessing.image_size, preprocessing.image_size, preprocessing.channels)
    rows, decoded = inputs.decode(start, start + count, preprocessing)
    if len(rows) == count:
        return Block(start, decoded, [""] * count)
    images, reasons = np.zeros([count, *shape], np.uint8), [""] * count
    images[rows - start] = decoded
    for position in sorted(set(range(count)) - set(rows - start)):
        try:
            images[position] = inputs.read(start + position, preprocessing)
        except InputError as error:
            reasons[position] = reason_of(error)
    return Block(start, images, reasons)


def decoded_blocks(
    inputs: PredictionInputs, preprocessing: Preprocessing, start: int = 0, size: int = BLOCK_ROWS
) -> Iterator[Block]:
    """All blocks from the row `start` on, a multiple of `size`, decoded by other threads while the caller works."""

    def decode(first: int) -> Block:
        return decoded_block(inputs, preprocessing, first, size)

    return map_in_order(decode, range(start, len(inputs), size))
