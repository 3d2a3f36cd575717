"""What is to be predicted: rows of image files, from a folder or in the order of a catalogue."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.columns import ColumnConvention, match_names
from tfgalaxy.data.identifiers import check_ids
from tfgalaxy.data.image_index import ImageIndex, find_images, image_stem
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.errors import InputError

__all__ = [
    "DecodedRows",
    "ImageFiles",
    "PredictionInputs",
    "catalogue_images",
    "check_one_source",
    "file_marks",
    "folder_images",
    "reason_of",
]


# Numbers [K] of rows, in order, and their images, uint8 [K, S, S, C].
DecodedRows = tuple[NDArray[np.int64], NDArray[np.uint8]]


class PredictionInputs(Protocol):
    """N rows, each an image or a reason why there is none."""

    def __len__(self) -> int:
        """N."""

    def names(self, start: int, stop: int) -> tuple[list[str], list[str]]:
        """Ids and files of some rows."""

    def decode(self, start: int, stop: int, preprocessing: Preprocessing) -> DecodedRows:
        """Those of the rows from `start` to `stop` that are whole JPEGs or PNGs. Called by several threads at once."""

    def read(self, row: int, preprocessing: Preprocessing) -> np.ndarray:
        """One row by itself, uint8 [S, S, C]; `InputError` says why not."""

    def fingerprint(self) -> str:
        """A hash that changes when the rows do, or the files that they stand in."""


def check_one_source(images: Any, catalogue: Any, tfrecords: Any) -> None:
    """Raises `InputError` unless exactly one of `--images` and `--tfrecords` is given, and no catalogue of records."""
    rule, value = "must be given, or --tfrecords, but not both", {"images": images, "tfrecords": tfrecords}
    remedy = "--catalogue goes with --images."
    check((images is None) != (tfrecords is None) and not (catalogue and tfrecords), "--images", rule, value, remedy)


class ImageFiles:
    """Image files, JPEG, PNG or FITS.

    Args:
        files: [N] paths; "" where there is no image.
        ids: [N]; the files' names without suffix by default.
        reasons: {row: why it has no image}.

    Raises:
        InputError: no file at all, or another number of ids.
    """

    def __init__(
        self, files: Sequence[str], ids: Sequence[str] | None = None, reasons: Mapping[int, str] | None = None
    ) -> None:
        self.files = [str(file) for file in files]
        self.ids = [image_stem(file) for file in self.files] if ids is None else [str(name) for name in ids]
        self.reasons = dict(reasons or {})
        check(len(self.files) > 0, "images", "must hold at least one image", "an empty list", "Check the image folder.")
        rule = f"must be {len(self.files)}, one for each file"
        check(len(self.ids) == len(self.files), "ids", rule, len(self.ids), "Give an id for each image, or none.")

    def __len__(self) -> int:
        return len(self.files)

    def names(self, start: int, stop: int) -> tuple[list[str], list[str]]:
        """Ids and files of some rows."""
        return self.ids[start:stop], self.files[start:stop]

    def decode(self, start: int, stop: int, preprocessing: Preprocessing) -> DecodedRows:
        """The whole JPEG and PNG files among some rows."""
        from tfgalaxy.data.decoding_threads import decode_whole
        from tfgalaxy.data.images import is_fits

        rows = range(start, stop)
        plain = np.array([row for row in rows if row not in self.reasons and not is_fits(self.files[row])], np.int64)
        paths = [os.fsencode(self.files[row]) for row in plain]
        found, images = decode_whole(paths, preprocessing, of_files=True)
        return plain[found], images

    def read(self, row: int, preprocessing: Preprocessing) -> np.ndarray:
        """One file, uint8 [S, S, C].

        Raises:
            InputError: it cannot be read; the rule says why.
        """
        from tfgalaxy.data.images import read_image

        if row in self.reasons:
            raise InputError(self.reasons[row])
        return read_image(self.files[row], preprocessing)

    def fingerprint(self) -> str:
        """A hash over ids, paths, sizes and times of modification."""
        return file_marks([*self.ids, *self.files], self.files)


def file_marks(settings: Any, files: Sequence[str]) -> str:
    """A hash over settings and each file's size and time of modification, which is cheaper than over its content."""
    total = hashlib.blake2b(json.dumps(settings).encode(), digest_size=20)
    for file in files:
        try:
            status = os.stat(file)
            total.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:
            total.update(b"missing\n")
    return total.hexdigest()


def reason_of(error: InputError) -> str:
    """Why an image could not be read, as it stands in a table of predictions."""
    return str(error) if error.rule is None else f"{error.rule}, not {error.value}"


def folder_images(folder: str | os.PathLike[str]) -> ImageFiles:
    """All images in a folder and below it, in the order of their paths; ids are their names without suffix.

    Raises:
        InputError: no such folder, or no images in it.
    """
    return ImageFiles(find_images(folder))


def catalogue_images(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    id_column: str | None = None,
    file_column: str | None = None,
) -> ImageFiles:
    """The images of a catalogue's galaxies, one row for each of its rows, in its order; it needs no votes.

    Args:
        path: CSV, Parquet, FITS or VOTable file.
        images: folder tree with the images; by default the table's folder.
        id_column, file_column: their names, if they are none of the usual ones.

    Raises:
        InputError: an unreadable or empty table, no id column, duplicate ids or ids that lost digits, a file that
            leaves the image folder, or no image at all.
    """
    id_name, file_name = match_names(ColumnConvention(), table_columns(path), id_column, file_column)
    table = read_table(path, list(dict.fromkeys([id_name, *([file_name] if file_name else [])])), [])
    check(len(table) > 0, "catalogue", "must have at least one row", f"{path}, an empty table", "Check the file.")
    ids = check_ids(table[id_name].to_numpy(dtype=object), id_name).tolist()
    index = ImageIndex(Path(path).parent if images is None else images, skip=[path])
    files, reasons = index.find(ids, table[file_name].tolist() if file_name else None, outside=False)
    value = f"{index.folder}, where none of {len(ids):,} galaxies is found (the first: '{ids[0]}')"
    check(any(files), "images", "must hold the catalogue's galaxies", value, "Check the folder and the id column.")
    return ImageFiles(files, ids, reasons)
