"""Finds the image files of galaxies in a folder tree."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import check

__all__ = ["IMAGE_SUFFIXES", "ImageIndex", "exclude_ids", "find_images", "image_stem"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".fits", ".fit", ".fits.gz", ".fit.gz")
_SUFFIX = re.compile(r"\.(?:jpe?g|png|fits?(?:\.gz)?)$", re.IGNORECASE)


def image_stem(path: str) -> str:
    """The name of an image without its folder and suffix; points within it stay (`J112953.88-000427.4.jpg`).

    Example:
        >>> image_stem("J112/J112953.88-000427.4.fits.gz")
        'J112953.88-000427.4'
    """
    return _SUFFIX.sub("", path.rpartition("/")[2])


def _walk(folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Image files below a folder, in the order of names; links to folders are followed once, hidden names skipped."""
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=_name)
    for entry in listed:
        # Hidden: '._x.jpg' of macOS is no image, and '.partial-x' is not yet whole.
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _walk(entry.path, seen)
        elif entry.name.lower().endswith(IMAGE_SUFFIXES) and entry.is_file():
            yield entry.path


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def find_images(folder: str | os.PathLike[str], argument: str = "images") -> list[str]:
    """Absolute paths of all JPEG, PNG and FITS files in a folder and below it, sorted folder by folder.

    Args:
        folder: where to look.
        argument: the caller's name for the folder, for errors.

    Raises:
        InputError: no such folder, or no images in it.
    """
    root = os.path.abspath(folder)
    check(os.path.isdir(root), argument, "must be an existing folder", str(folder), "Check the path.")
    files = list(_walk(root, set()))
    rule = f"must hold image files ({', '.join(IMAGE_SUFFIXES)})"
    check(len(files) > 0, argument, rule, f"{folder}, which has none", "Check the path.")
    return files


class _Lookup:
    """Images by path and by stem; each table is made when it is first asked."""

    def __init__(self, folder: str, files: Sequence[str]) -> None:
        self.folder, self.files = folder, files

    @functools.cached_property
    def paths(self) -> dict[str, str]:
        return dict(zip(self.files, self.files, strict=True))

    @functools.cached_property
    def stems(self) -> dict[str, str | list[str]]:
        """One path for each stem, or several."""
        stems: dict[str, str | list[str]] = {}
        for path in self.files:
            stem = image_stem(path)
            if (other := stems.setdefault(stem, path)) is not path:
                stems[stem] = [*([other] if isinstance(other, str) else other), path]
        return stems

    def find_named(self, galaxy: str, name: str, outside: bool) -> str | list[str]:
        """The image of a galaxy whose row in the table names a file; `outside` the folder too, if that may be."""
        if not name:
            return self.stems.get(galaxy, "")
        path = os.path.normpath(os.path.join(self.folder, name.replace("\\", "/")))
        if path in self.paths:
            return self.paths[path]
        if not path.startswith(self.folder + os.sep) or re.match(r"[A-Za-z]:[\\/]", name):
            remedy = "Name files relative to the image folder, or pass allow_outside=True."
            check(outside, "file column", f"must stay within the image folder {self.folder}", name, remedy)
            if os.path.isfile(path):
                return path
        return self.stems.get(image_stem(path), "")


class ImageIndex:
    """The images below a folder, by path and by stem.

    A galaxy's image is the file that its file column names, relative to the folder. Without one, or where it does not
    exist, it is the image with the galaxy's id (or the named file's stem) as its stem, anywhere below the folder; ids
    are case-sensitive. If several images have that stem, none is taken, since nothing says which is meant.

    Args:
        folder: the image folder.
        skip: files that are no images although their names say so, such as a catalogue in FITS.
    """

    def __init__(self, folder: str | os.PathLike[str], skip: Iterable[str | os.PathLike[str]] = ()) -> None:
        skipped = {os.path.abspath(path) for path in skip}
        self.folder = os.path.abspath(folder)
        self.files = [path for path in find_images(folder) if path not in skipped]

    def find(self, ids: Sequence[str], names: Sequence[str] | None, outside: bool) -> tuple[list[str], dict[int, str]]:
        """The image of each galaxy.

        Args:
            ids: [N].
            names: [N] from the file column, "" where it is empty; or None.
            outside: whether the file column may leave the folder.

        Returns:
            [N] absolute paths, "" where there is none, and {row: reason} for these.

        Raises:
            InputError: a name leaves the folder and may not.
        """
        wanted = ids if names is None else [name or galaxy for name, galaxy in zip(names, ids, strict=True)]
        lookup = _Lookup(self.folder, self.files)  # dropped at the end: its tables weigh as much as all paths
        if names is None:
            found = [lookup.stems.get(galaxy, "") for galaxy in ids]
        else:
            found = [lookup.find_named(galaxy, name, outside) for galaxy, name in zip(ids, names, strict=True)]
        reasons = {
            row: self._reason(wanted[row], path) for row, path in enumerate(found) if not path or isinstance(path, list)
        }
        return [path if isinstance(path, str) else "" for path in found], reasons

    def others(self, stems: Iterable[str]) -> list[str]:
        """The images whose stem is none of these."""
        claimed = set(stems)
        return [path for path in self.files if image_stem(path) not in claimed]

    def _reason(self, name: str, found: str | list[str]) -> str:
        if isinstance(found, list):
            shown = ", ".join(os.path.relpath(path, self.folder) for path in found[:3])
            return f"{len(found)} images of that name: {shown}"
        return f"no image '{name}' in the image folder"


def exclude_ids(files: Sequence[str] | NDArray[np.object_], ids: Iterable[str]) -> NDArray[np.object_]:
    """The files whose stem is none of the ids: keeps copies of validation and test galaxies out of an unlabelled pool.

    Args:
        files: image files.
        ids: ids, or stems of images.

    Returns:
        The remaining files in their order, as an object array.

    Example:
        >>> exclude_ids(["pool/1.jpg", "pool/2.png"], ["2"]).tolist()
        ['pool/1.jpg']
    """
    unwanted = {str(name) for name in ids}
    return as_text([path for path in files if image_stem(str(path)) not in unwanted])


def as_text(values: Sequence[str] | NDArray[Any]) -> NDArray[np.object_]:
    """An object array of `str`: unlike NumPy's fixed-width text, one long path costs nothing in all other rows."""
    if isinstance(values, np.ndarray):
        return values.astype(object, copy=False)
    array = np.empty(len(values), dtype=object)
    array[:] = [str(value) for value in values]
    return array
