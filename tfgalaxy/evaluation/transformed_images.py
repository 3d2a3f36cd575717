"""Images and their transformed copies, made before the picture is cropped and resized if it has more pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.addons import transform
from tfgalaxy.configuration import check
from tfgalaxy.data.images import crop_and_resize, read_picture
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["Images", "PictureFiles", "Prepare", "check_count", "readable_files", "transformed_images"]

BATCH_SIZE = 64

# One array [N, H, W, C], or pictures [H, W, C] of any sizes.
Images = Any
# How pictures [B, H, W, C] become a model's input; with a callable, the crop's share of the shorter side is given too.
Prepare = Preprocessing | Callable[[tf.Tensor], tf.Tensor]


class PictureFiles(Sequence[NDArray[np.uint8]]):
    """Pictures of files, each decoded when it is asked for: a thousand of them need no memory.

    Args:
        files: paths of JPEG, PNG or FITS images.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.files = list(files)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return PictureFiles(self.files[index])
        return read_picture(self.files[index])


def readable_files(files: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """So many of the files, drawn at random among those that can be read.

    Raises:
        InputError: a count below 1, or none can be read; says why the first one could not.
    """
    check(count >= 1, "count", "must be at least 1", count, "Give a positive number of galaxies.")
    chosen: list[str] = []
    failure: InputError | None = None
    for index in np.random.default_rng(seed).permutation(len(files)):
        if len(chosen) == count:
            break
        try:
            read_picture(files[index])
            chosen.append(files[index])
        except InputError as error:
            failure = failure or error
    if not chosen:
        raise failure or InputError("images", "must hold at least one image", "none", "Check the image folder.")
    return chosen


def check_count(images: Images) -> int:
    """The number of images.

    Raises:
        InputError: there is none.
    """
    count = len(images)
    check(count > 0, "images", "must hold at least one image", count, "Check the image folder.")
    return count


def transformed_images(
    images: Images, matrices: FloatArray | None = None, prepare: Prepare | None = None, crop_fraction: float = 1.0
) -> NDArray[np.float32]:
    """Images that show their galaxies transformed: phi(T^-1 x), as a model takes them.

    T acts on points of the prepared image, in its half-widths. Where `prepare` crops and resizes, the picture is
    transformed as it is, bilinearly, and then prepared: a picture of several times the model's resolution hardly loses
    detail to the interpolation, where the model's own image would.

    Args:
        images: [N, H, W, C], or, with `prepare`, a sequence of N pictures [H, W, C]; uint8, or floats from 0 to 1.
        matrices: T, [N, 3, 3]; None leaves the images as they are.
        prepare: `Preprocessing`, or a function of pictures [1, H, W, C] to images [1, S, S, C'].
        crop_fraction: side of the central square that a function `prepare` cuts out, over the shorter side.

    Returns:
        [N, S, S, C'], 0 to 1, not rounded to 8 bits.

    Raises:
        InputError: an image that is no [H, W, C], images of several sizes without `prepare`, or a crop_fraction out of
            range.
    """
    if isinstance(prepare, Preprocessing):
        crop_fraction = prepare.crop_fraction
    check(0 < crop_fraction <= 1, "crop_fraction", "must lie in (0, 1]", crop_fraction, "Use 1 for the whole picture.")
    count = check_count(images)
    # Images of one size go through together, pictures one by one.
    size = BATCH_SIZE if prepare is None else 1
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    made = []
    for part in parts:
        pictures = _stacked([_scaled(images[index]) for index in range(part.start, part.stop)])
        if matrices is not None:
            frame = np.eye(3) if prepare is None else _frame(pictures.shape[1], pictures.shape[2], crop_fraction)
            views = frame @ np.linalg.inv(matrices[part]) @ np.linalg.inv(frame)
            pictures = transform(pictures, tf.constant(views, tf.float32))
        made.append(np.asarray(_prepared(pictures, prepare), np.float32))
    return np.concatenate(made)


def _scaled(image: Any) -> NDArray[np.float32]:
    values = np.asarray(image)
    rule = "must be images [height, width, channels]"
    check(values.ndim == 3, "images", rule, values.shape, "Give one array [N, H, W, C] or a list of pictures.")
    scaled = values.astype(np.float32)
    return np.float32(1 / 255) * scaled if values.dtype == np.uint8 else scaled


def _stacked(pictures: list[NDArray[np.float32]]) -> tf.Tensor:
    sizes = sorted({picture.shape for picture in pictures})
    check(len(sizes) == 1, "images", "must have one size", sizes[:2], "Say by `prepare` how pictures become images.")
    return tf.constant(np.stack(pictures))


def _frame(height: int, width: int, crop_fraction: float) -> FloatArray:
    """From points of the central square to points of the picture, [3, 3]."""
    side = crop_fraction * min(height, width)
    return np.diag([side / width, side / height, 1.0])


def _prepared(pictures: tf.Tensor, prepare: Prepare | None) -> Any:
    if prepare is None:
        return pictures
    return crop_and_resize(pictures, prepare) if isinstance(prepare, Preprocessing) else prepare(pictures)
