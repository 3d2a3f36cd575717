"""The rows of a survey as Beam transforms: ((id, file), bytes of a JPEG or PNG), and the broken ones with the reason.

Imported by workers: needs neither TensorFlow nor a model.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.io import ReadFromText
from apache_beam.io.fileio import MatchFiles
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tfgalaxy.configuration import check
from tfgalaxy.data.fits_images import FITS_SUFFIXES
from tfgalaxy.data.image_headers import check_content
from tfgalaxy.data.image_index import IMAGE_SUFFIXES, image_stem
from tfgalaxy.errors import InputError
from tfgalaxy.export.image_bytes import image_bytes
from tfgalaxy.export.prediction_inputs import reason_of
from tfgalaxy.export.record_features import check_image_feature, image_of, name_of, record_features, records_of

__all__ = [
    "BROKEN",
    "GOOD",
    "ListedImages",
    "MatchedImages",
    "MatchedRecords",
    "check_first_record",
    "open_file",
    "picture_bytes",
    "write_list",
]

GOOD, BROKEN = "good", "broken"
# (id, file) of a row.
Key = tuple[str, str]


def open_file(path: str) -> beam.io.filesystem.CompressedFile:
    """A file's bytes as they are, on a disk or in an object store that Beam knows by the path's scheme."""
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def picture_bytes(path: str) -> bytes:
    """A file's JPEG or PNG bytes; of a FITS image those of a PNG with the same pixels.

    Raises:
        InputError: the file is missing, unreadable, empty, of another kind or too large; the rule says which.
    """
    try:
        with open_file(path) as stream:
            content = stream.read()
    except OSError as error:
        value = error.strerror or str(error)
        raise InputError(path, "must be a readable file", value, "Check path and permissions.") from error
    suffixes = [suffix for suffix in FITS_SUFFIXES if path.lower().endswith(suffix)]
    if suffixes:
        # Astropy tells compressed files by their name.
        with tempfile.NamedTemporaryFile(suffix=suffixes[-1]) as copy:
            copy.write(content)
            copy.flush()
            return image_bytes(copy.name)
    check_content(path, content)
    return bytes(content)


class MatchedImages(beam.PTransform):
    """Image files that match a glob; ids are their names without suffix.

    Hidden names, and other files than JPEG, PNG and FITS, are left out, as in a folder of `tfgalaxy predict`. The glob
    is matched by one worker, which spreads what it finds over all.

    Args:
        pattern: Beam's glob: `*` stays within a folder, `**` does not.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern

    def expand(self, pipeline: beam.Pipeline) -> dict[str, beam.PCollection]:
        """The rows, by `GOOD` and `BROKEN`."""
        found = pipeline | MatchFiles(self.pattern) | "Path" >> beam.Map(lambda file: file.path)
        rows = found | "Images" >> beam.Filter(_is_shown_image, _fixed_part(self.pattern)) | "Name" >> beam.Map(_named)
        return _read(rows)


def _fixed_part(pattern: str) -> str:
    """The folders of a glob above its first special character."""
    return re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]


def _is_shown_image(path: str, above: str) -> bool:
    below = path[len(above) :].split("/")
    hidden = any(name.startswith(".") or name == "__MACOSX" for name in below)
    return not hidden and below[-1].lower().endswith(IMAGE_SUFFIXES)


def _named(path: str) -> tuple[Key, str]:
    return (image_stem(path), path), ""


class ListedImages(beam.PTransform):
    """The images of a list that `write_list` wrote.

    Args:
        path: the list's file, which every worker can read.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def expand(self, pipeline: beam.Pipeline) -> dict[str, beam.PCollection]:
        """The rows, by `GOOD` and `BROKEN`."""
        return _read(pipeline | ReadFromText(self.path) | "Parse" >> beam.Map(_parsed))


def write_list(path: str, ids: Sequence[str], files: Sequence[str], reasons: dict[int, str]) -> None:
    """Writes rows as lines of JSON, which workers share among them.

    Args:
        path: on a disk or in an object store.
        ids, files: [N].
        reasons: {row: why it has no image}.
    """
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        for row, (name, file) in enumerate(zip(ids, files, strict=True)):
            stream.write(json.dumps([name, file, reasons.get(row, "")]).encode("ascii") + b"\n")


def _parsed(line: str) -> tuple[Key, str]:
    name, file, reason = json.loads(line)
    return (name, file), reason


def _read(rows: beam.PCollection) -> dict[str, beam.PCollection]:
    """Reads ((id, file), reason why there is no file) spread over all workers: the names travel, not the pictures."""
    outputs = rows | "Spread" >> beam.Reshuffle() | "Read" >> beam.ParDo(_ReadPicture()).with_outputs(BROKEN, main=GOOD)
    return {GOOD: outputs[GOOD], BROKEN: outputs[BROKEN]}


class _ReadPicture(beam.DoFn):
    """((id, file), reason) to ((id, file), bytes), or to the same with a reason."""

    def process(self, row: tuple[Key, str]) -> Iterator[tuple[Key, bytes] | beam.pvalue.TaggedOutput]:
        key, reason = row
        if not reason:
            try:
                yield key, picture_bytes(key[1])
                return
            except InputError as error:
                reason = reason_of(error)
        yield beam.pvalue.TaggedOutput(BROKEN, (key, reason))


class MatchedRecords(beam.PTransform):
    """Images in TFRecord files of `tf.train.Example`, as `tfgalaxy.export.RecordImages` names and reads them.

    A file whose records are cut or damaged gives those before, and one broken row with the reason.

    Args:
        files: paths; or a glob of Beam's, to be matched by a worker.
        image_feature, id_feature: as for `RecordImages`.
    """

    def __init__(self, files: Sequence[str] | str, image_feature: str, id_feature: str) -> None:
        super().__init__()
        self.files, self.image_feature, self.id_feature = files, image_feature, id_feature

    def expand(self, pipeline: beam.Pipeline) -> dict[str, beam.PCollection]:
        """The rows, by `GOOD` and `BROKEN`."""
        if isinstance(self.files, str):
            paths = pipeline | MatchFiles(self.files) | "Path" >> beam.Map(lambda file: file.path)
        else:
            paths = pipeline | beam.Create(self.files)
        read = beam.ParDo(_ReadRecords(self.image_feature, self.id_feature)).with_outputs(BROKEN, main=GOOD)
        outputs = paths | "Spread" >> beam.Reshuffle() | "Read" >> read
        return {GOOD: outputs[GOOD], BROKEN: outputs[BROKEN]}


def check_first_record(path: str, image_feature: str) -> None:
    """Refuses TFRecord files whose first record lacks the feature, before a cluster is asked.

    Args:
        path: the first file.
        image_feature: the name of the picture's feature.

    Raises:
        InputError: it is missing; the rule names the features that are there.
    """
    with open_file(path) as stream:
        first = next(records_of(stream, path, _size(path)), b"")
    features = record_features(first)
    known = ", ".join(sorted(features)) or "no features of a tf.train.Example"
    check(image_feature in features, "image_feature", f"must be one of the records' ({known})", image_feature, "")


def _size(path: str) -> int:
    return int(FileSystems.match([path])[0].metadata_list[0].size_in_bytes)


class _ReadRecords(beam.DoFn):
    """A TFRecord file's path to its rows."""

    def __init__(self, image_feature: str, id_feature: str) -> None:
        super().__init__()
        self.image_feature, self.id_feature = image_feature, id_feature

    def process(self, path: str) -> Iterable[tuple[Key, bytes] | beam.pvalue.TaggedOutput]:
        number = 0
        try:
            with open_file(path) as stream:
                for record in records_of(stream, path, _size(path)):
                    yield self._row(path, number, record)
                    number += 1
        except InputError as error:
            yield beam.pvalue.TaggedOutput(BROKEN, ((f"{os.path.basename(path)}:{number}", path), reason_of(error)))

    def _row(self, path: str, number: int, record: bytes) -> tuple[Key, bytes] | beam.pvalue.TaggedOutput:
        features = record_features(record)
        key = (name_of(features, self.id_feature, path, number), path)
        try:
            check_image_feature(path, features, self.image_feature)
        except InputError as error:
            return beam.pvalue.TaggedOutput(BROKEN, (key, reason_of(error)))
        return key, image_of(features, self.image_feature)
