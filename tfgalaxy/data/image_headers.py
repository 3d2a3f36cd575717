"""What the first bytes of a picture say: its kind and size, without decoding it and without TensorFlow."""

from __future__ import annotations

import struct

from tfgalaxy.data.preprocessing import MAXIMUM_PIXELS
from tfgalaxy.errors import InputError

__all__ = ["DAMAGED", "JPEG_START", "PNG_START", "check_content", "check_pixels", "picture_size"]

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
_REMEDY = "Replace the file."
# Rule, value and remedy for what starts as an image and does not decode as one.
DAMAGED = ("must be a whole image", "a truncated or damaged file", _REMEDY)
# Segments of a JPEG that start with precision, height and width: all SOFn, but not DHT, JPG and DAC among them.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def check_content(name: str, content: bytes) -> None:
    """Refuses what cannot be decoded or should not be.

    Args:
        name: of the file or row, for the error.
        content: the whole picture as JPEG or PNG.

    Raises:
        InputError: no bytes, neither JPEG nor PNG, or more than `MAXIMUM_PIXELS`.
    """
    if not content:
        raise InputError(name, "must be an image", "an empty file", _REMEDY)
    if not content.startswith((JPEG_START, PNG_START)):
        raise InputError(name, "must be a JPEG, PNG or FITS image", content[:12], _REMEDY)
    check_pixels(name, *(picture_size(content) or (0, 0)))


def check_pixels(name: str, height: int, width: int) -> None:
    """Raises `InputError` for a picture of more than `MAXIMUM_PIXELS`."""
    if height * width > MAXIMUM_PIXELS:
        rule = f"must have at most {MAXIMUM_PIXELS:,} pixels"
        raise InputError(name, rule, f"{width} x {height}", "Cut the galaxy out of it.")


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG's or PNG's header states; None where it is damaged."""
    if content.startswith(PNG_START):
        # Length and type of the first chunk stand before width and height, which have 31 bits.
        width, height = struct.unpack(">ii", content[16:24]) if len(content) >= 24 else (-1, -1)
        return (height, width) if width > 0 and height > 0 else None
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return height, width
        if marker == 0xFF:  # filling
            position += 1
        elif marker in _JPEG_BARE:
            position += 2
        else:
            position += 2 + struct.unpack(">H", content[position + 2 : position + 4])[0]
    return None
