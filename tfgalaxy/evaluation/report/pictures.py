"""Pictures as data URIs, and thousands of small ones in a single sheet."""

from __future__ import annotations

import base64
import dataclasses
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfgalaxy.configuration import check

__all__ = ["Sheet", "data_uri", "thumbnail_sheet", "to_bytes"]

QUALITY, COARSE = 80, 40
# A sheet holds no more than these pixels and bytes: a page of 5,000 galaxies must stay below 8 MB.
SHEET_PIXELS = 12_000_000
SHEET_BYTES = 3_000_000
LARGEST_THUMBNAIL, SMALLEST_THUMBNAIL = 64, 8


def to_bytes(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """Pictures as uint8: floats from 0 to 1 are scaled, uint8 stays as it is."""
    if pictures.dtype == np.uint8:
        return pictures
    return np.asarray(np.rint(np.clip(pictures, 0.0, 1.0) * 255), np.uint8)


def _image(picture: NDArray[Any]) -> Image.Image:
    values = to_bytes(picture)
    return Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)


def _webp(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=quality, method=4)
    return stream.getvalue()


def _uri(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"


def data_uri(picture: NDArray[Any], quality: int = QUALITY) -> str:
    """One picture [H, W, 1 or 3], uint8 or 0 to 1, as the data URI of a WebP image."""
    return _uri(_webp(_image(picture), quality))


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Thumbnails side by side, row after row.

    Attributes:
        uri: data URI of the whole sheet.
        columns, rows: thumbnails along each side.
        side: of a thumbnail, in pixels.
    """

    uri: str
    columns: int
    rows: int
    side: int


def thumbnail_sheet(pictures: NDArray[np.uint8], maximum_bytes: int = SHEET_BYTES) -> Sheet:
    """A sheet of all pictures, no larger than the bound: more pictures are smaller, then coarser.

    Args:
        pictures: uint8 [N, H, W, 1 or 3].
        maximum_bytes: of the WebP image, before it is written in base 64.

    Raises:
        InputError: no picture.
    """
    count = len(pictures)
    check(count > 0, "pictures", "must hold at least one", count, "Give some.")
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    side = int(min(LARGEST_THUMBNAIL, pictures.shape[1], np.sqrt(SHEET_PIXELS / (columns * rows))))
    content = _webp(_sheet(pictures, columns, rows, side), QUALITY)
    while len(content) > maximum_bytes and side > SMALLEST_THUMBNAIL:
        content = _webp(_sheet(pictures, columns, rows, side), COARSE)
        if len(content) > maximum_bytes:
            side = max(SMALLEST_THUMBNAIL, int(0.7 * side))
    return Sheet(_uri(content), columns, rows, side)


def _sheet(pictures: NDArray[np.uint8], columns: int, rows: int, side: int) -> Image.Image:
    sheet = Image.new("RGB", (columns * side, rows * side))
    for index, picture in enumerate(pictures):
        small = _image(picture).resize((side, side), Image.Resampling.BOX)
        sheet.paste(small, (index % columns * side, index // columns * side))
    return sheet
