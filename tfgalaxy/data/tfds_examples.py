"""What the TFDS builders of this package share: features, examples of a catalogue, and files in a manual directory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.image_index import image_stem
from tfgalaxy.data.images import read_image
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError

__all__ = [
    "catalogue_examples",
    "file_checksum",
    "find_folder",
    "find_table",
    "galaxy_features",
    "manual_directory",
    "unlabelled_examples",
]

# All pixels are decoded, so that a fault anywhere in the file is found.
_WHOLE = Preprocessing(image_size=16, crop_fraction=1.0)


def galaxy_features(questions: Questions, **more: Any) -> tfds.features.FeaturesDict:
    """`image` (uint8 [H, W, 3], as the files hold it), `votes` (float32 [A], counts) and `id`, and what `more` adds."""
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "votes": tfds.features.Tensor(shape=(questions.num_answers,), dtype=np.float32),
            "id": tfds.features.Text(),
            **more,
        }
    )


def catalogue_examples(catalogue: Catalogue, unreadable: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys and examples of the labelled galaxies; images go in as files, so that their bytes stay as they are.

    Args:
        catalogue: the galaxies.
        unreadable: is given the name and the fault of each file that is no whole image; those are left out.
    """
    for identifier, file, votes in zip(catalogue.ids, catalogue.files, catalogue.votes, strict=True):
        if _is_whole(file, unreadable):
            yield identifier, {"image": file, "votes": votes, "id": identifier}


def unlabelled_examples(catalogue: Catalogue, unreadable: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same for the unlabelled images: all votes are 0, and the id is the file's stem."""
    votes = np.zeros(catalogue.questions.num_answers, np.float32)
    for file in catalogue.unlabelled_files:
        if _is_whole(file, unreadable):
            yield os.path.basename(file), {"image": file, "votes": votes, "id": image_stem(file)}


def _is_whole(file: str, unreadable: dict[str, str]) -> bool:
    try:
        read_image(file, _WHOLE)
    except InputError as error:
        unreadable[os.path.basename(file)] = f"{error.rule}, not {error.value}"
        return False
    return True


def manual_directory(manager: tfds.download.DownloadManager, instructions: str) -> Path:
    """The manual directory; TFDS's error, an `AssertionError`, becomes one that says what belongs there."""
    try:
        return Path(manager.manual_dir)
    except AssertionError as error:
        rule = "must be a directory with the downloaded files"
        raise InputError("manual_dir", rule, "an absent or empty one", " ".join(instructions.split())) from error


def find_table(directory: Path, manager: tfds.download.DownloadManager, name: str, instructions: str) -> Path:
    """`name` in the manual directory, as it is, with `.gz`, or within a zip archive of its stem.

    Raises:
        InputError: there is none.
    """
    for candidate in (directory / name, directory / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    archive = directory / f"{Path(name).stem}.zip"
    if archive.is_file():
        found = sorted(path for path in _extract(manager, archive).rglob(name) if not path.name.startswith("."))
        if found:
            return found[0]
    raise _missing(directory, name, instructions)


def find_folder(directory: Path, manager: tfds.download.DownloadManager, name: str, instructions: str) -> Path:
    """The folder `name` in the manual directory, or what the archive `<name>.zip` there holds.

    Raises:
        InputError: there is neither.
    """
    if (directory / name).is_dir():
        return directory / name
    archive = directory / f"{name}.zip"
    if archive.is_file():
        return _extract(manager, archive)
    raise _missing(directory, f"{name}/ or {name}.zip", instructions)


def _extract(manager: tfds.download.DownloadManager, archive: Path) -> Path:
    return Path(os.fspath(manager.extract(archive)))


def _missing(directory: Path, name: str, instructions: str) -> InputError:
    present = sorted(path.name for path in directory.iterdir())[:6]
    return InputError("manual_dir", f"must hold {name}", present, " ".join(instructions.split()))


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
