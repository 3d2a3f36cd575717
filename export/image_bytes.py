"""Pictures as a server takes them, JPEG or PNG bytes, and why it cannot take some; without TensorFlow."""

from __future__ import annotations

import io
import os
from pathlib import Path

from tfgalaxy.data.fits_images import FITS_SUFFIXES, read_fits
from tfgalaxy.data.image_headers import DAMAGED, check_content
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_inputs import reason_of

__all__ = ["image_bytes", "server_reason"]


def image_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes; those of a PNG with the same pixels for a FITS image, which a server does not read.

    Raises:
        InputError: a file that cannot be read, or is of another kind or too large.
    """
    if str(path).lower().endswith(FITS_SUFFIXES):
        return _png(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(str(path), "must be a readable file", error.strerror, "Check path and permissions.") from error
    check_content(str(path), content)
    return content


def _png(path: str | os.PathLike[str]) -> bytes:
    from PIL import Image

    pixels = read_fits(path)
    stream = io.BytesIO()
    # Fast rather than small: it goes over the wire once.
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def server_reason(content: bytes) -> str:
    """Why a server said that these bytes are no image."""
    try:
        check_content("image", content)
    except InputError as error:
        return reason_of(error)
    return f"{DAMAGED[0]}, not {DAMAGED[1]}"
