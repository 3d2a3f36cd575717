"""What is to be predicted: images in TFRecord files of `tf.train.Example`, as TensorFlow Datasets writes them."""

from __future__ import annotations

import glob
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.image_headers import DAMAGED
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_inputs import DecodedRows, file_marks
from tfgalaxy.export.record_features import (
    RECORD_CHECKSUM,
    RECORD_HEAD,
    check_image_feature,
    damaged_file,
    image_of,
    name_of,
    record_features,
    record_length,
)

__all__ = ["RecordImages"]


class RecordImages:
    """Images in TFRecord files, one `tf.train.Example` a record.

    Rows are in the order of the files' names and of the records in them. `file` of a row is its TFRecord file.

    Args:
        pattern: a glob, as in `galaxy_zoo2-test.tfrecord-*`; files are not compressed.
        image_feature: name of the feature that holds the JPEG or PNG bytes.
        id_feature: name of the feature that holds the id, text or an integer; a record without it is named
            `<file>:<number>`, counted from 0.

    Raises:
        InputError: no such file, one that is no whole TFRecord, or a first record without the image feature.
    """

    def __init__(self, pattern: str, image_feature: str = "image", id_feature: str = "id") -> None:
        self.image_feature, self.id_feature = image_feature, id_feature
        self.files = sorted(os.path.abspath(file) for file in glob.glob(pattern, recursive=True))
        check(len(self.files) > 0, "tfrecords", "must name at least one file", pattern, "Check the pattern.")
        offsets = [_record_offsets(file) for file in self.files]
        self._offsets = np.concatenate(offsets)
        self._starts = np.cumsum([0, *map(len, offsets)])
        check(len(self) > 0, "tfrecords", "must hold at least one record", pattern, "Check the files.")
        features = self._features(0)
        known = ", ".join(sorted(features)) or "no features of a tf.train.Example"
        check(image_feature in features, "image_feature", f"must be one of the records' ({known})", image_feature, "")

    def __len__(self) -> int:
        return len(self._offsets)

    def names(self, start: int, stop: int) -> tuple[list[str], list[str]]:
        """Ids and files of some rows."""
        rows = range(start, min(stop, len(self)))
        return [self._id(row) for row in rows], [self._place(row)[0] for row in rows]

    def decode(self, start: int, stop: int, preprocessing: Preprocessing) -> DecodedRows:
        """The whole images among some records."""
        from tfgalaxy.data.decoding_threads import decode_whole

        contents = [image_of(self._features(row), self.image_feature) for row in range(start, stop)]
        found, images = decode_whole(contents, preprocessing)
        return start + found, images

    def read(self, row: int, preprocessing: Preprocessing) -> np.ndarray:
        """One row, uint8 [S, S, C].

        Raises:
            InputError: it holds no image; the rule says why.
        """
        import tensorflow as tf

        from tfgalaxy.data.images import decoder

        features = self._features(row)
        name = f"{self._place(row)[0]}, record {self._place(row)[1]}"
        check_image_feature(name, features, self.image_feature)
        content = image_of(features, self.image_feature)
        try:
            return decoder(preprocessing)(tf.constant(content)).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise InputError(name, *DAMAGED) from error

    def fingerprint(self) -> str:
        """A hash over the names of features and the files' paths, sizes and times of modification."""
        return file_marks([self.image_feature, self.id_feature, *self.files], self.files)

    def _place(self, row: int) -> tuple[str, int]:
        """The file of a row and the number of its record there."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.files[number], int(row - self._starts[number])

    def _features(self, row: int) -> dict[str, Any]:
        """The features of a row by name; none where the record is no `tf.train.Example`."""
        with open(self._place(row)[0], "rb") as stream:
            stream.seek(int(self._offsets[row]))
            return record_features(stream.read(record_length(stream.read(RECORD_HEAD))))

    def _id(self, row: int) -> str:
        return name_of(self._features(row), self.id_feature, *self._place(row))


def _record_offsets(file: str) -> NDArray[np.int64]:
    """Where each record starts; their contents are skipped, so that a file takes little longer than its directory."""
    size, position, offsets = os.path.getsize(file), 0, []
    with open(file, "rb", buffering=0) as stream:
        while position < size:
            offsets.append(position)
            head = stream.read(RECORD_HEAD)
            position += RECORD_HEAD + RECORD_CHECKSUM + (record_length(head) if len(head) == RECORD_HEAD else size)
            if position > size:
                raise damaged_file(file, offsets[-1])
            stream.seek(position)
    return np.array(offsets, np.int64)
