"""Records of TFRecord files: their frame, and the image and the id of a `tf.train.Example`."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

from tfgalaxy.data.image_headers import check_content
from tfgalaxy.errors import InputError

__all__ = [
    "RECORD_CHECKSUM",
    "RECORD_HEAD",
    "check_image_feature",
    "damaged_file",
    "image_of",
    "name_of",
    "record_features",
    "record_length",
    "records_of",
]

# A record is: its length (8 bytes), the length's checksum (4), the content, the content's checksum (4).
RECORD_HEAD, RECORD_CHECKSUM = 12, 4


def record_length(head: bytes) -> int:
    """Bytes of the content behind a record's head."""
    return int(struct.unpack("<Q", head[:8])[0])


def damaged_file(file: str, position: int) -> InputError:
    """What is said of a file whose record at some byte reaches beyond its end."""
    rule, value = "must be a whole, uncompressed TFRecord file", f"cut or damaged at byte {position:,}"
    return InputError(file, rule, value, "Unpack it, or copy it from its source again.")


def records_of(stream: IO[bytes], file: str, size: int) -> Iterator[bytes]:
    """The contents of a file's records, from its start.

    Args:
        stream: the open file.
        file: its name, for errors.
        size: its bytes.

    Raises:
        InputError: a record that is not whole; those before it have been given.
    """
    position = 0
    while position < size:
        head = stream.read(RECORD_HEAD)
        # Before it is read: of a file that is no TFRecord the length is anything.
        length = record_length(head) if len(head) == RECORD_HEAD else size
        end = position + RECORD_HEAD + length + RECORD_CHECKSUM
        if end > size:
            raise damaged_file(file, position)
        yield stream.read(length)
        stream.read(RECORD_CHECKSUM)
        position = end


def record_features(record: bytes) -> dict[str, Any]:
    """The features of a record by name; none where it is no `tf.train.Example`."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    try:
        return dict(Example.FromString(record).features.feature)
    except DecodeError:
        return {}


def image_of(features: dict[str, Any], image_feature: str) -> bytes:
    """The picture's bytes; none where there is no such feature."""
    feature = features.get(image_feature)
    return feature.bytes_list.value[0] if feature is not None and feature.bytes_list.value else b""


def name_of(features: dict[str, Any], id_feature: str, file: str, number: int) -> str:
    """The record's id, text or an integer; `<file>:<number>` where it has none.

    Args:
        features: of the record.
        id_feature: name of the feature.
        file: the TFRecord file's path.
        number: of the record in the file, from 0.
    """
    feature = features.get(id_feature)
    if feature is not None and feature.bytes_list.value:
        return str(feature.bytes_list.value[0].decode("utf-8", "replace"))
    if feature is not None and feature.int64_list.value:
        return str(feature.int64_list.value[0])
    return f"{os.path.basename(file)}:{number}"


def check_image_feature(name: str, features: dict[str, Any], image_feature: str) -> None:
    """Refuses a record without a picture that may be decoded.

    Args:
        name: of the record, for the error.
        features: of the record.
        image_feature: the name of the picture's feature.

    Raises:
        InputError: no such feature, or bytes that `tfgalaxy.data.image_headers.check_content` refuses.
    """
    if image_feature not in features:
        rule = f"must be a tf.train.Example with the feature '{image_feature}'"
        raise InputError(name, rule, sorted(features), "Replace the file.")
    check_content(name, image_of(features, image_feature))
