"""Nothing half-written: outputs appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from tfgalaxy.errors import InputError

__all__ = ["atomic_directory", "atomic_file", "remove_leftovers", "sync"]


def sync(path: Path) -> None:
    """Flushes a file or a directory entry to the disk, so that a rename cannot outrun the content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_name(path: Path) -> Path:
    # The suffix stays last: writers such as numpy and keras choose their format, or append one, by it.
    return path.with_name(f".partial-{uuid.uuid4().hex[:12]}-{path.name}")


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; renames it to `path` if the block ends without an error.

    An existing file at `path` is replaced in one step, or kept as it was if the block fails.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary empty directory beside `path`; renames it to `path` if the block ends without an error.

    Raises:
        InputError: `path` exists and is not an empty directory; nothing is overwritten.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError("output", "must not exist yet, or be an empty directory", str(path), "Name another directory.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rmdir()
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes what killed processes left unfinished in a folder that nobody else writes to."""
    for path in Path(folder).glob(".partial-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
