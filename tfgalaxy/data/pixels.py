"""Images decoded once to working resolution, in memory or in a cache on disk that cannot be stale."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.decoding_threads import decode_whole, map_in_order
from tfgalaxy.data.exclusions import Exclusion
from tfgalaxy.data.images import is_fits, read_image
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file

__all__ = ["Pixels", "exclude_broken", "load_pixels"]

# Part of every cache's key; to be raised when decoding changes.
DECODER_VERSION = 2
READERS = 8
# Files that a thread decodes at a time.
BLOCK_FILES = 64
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images.

    Attributes:
        store: uint8 [M, S, S, C], in memory or mapped from disk.
        rows: [N] which rows of the store these images are.
        files: [N] their paths.
        excluded: (file, reason) of images that could not be read.
    """

    store: NDArray[np.uint8]
    rows: NDArray[np.int64]
    files: NDArray[np.object_]
    excluded: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def array(self) -> NDArray[np.uint8]:
        """The images, [N, S, S, C]; a copy unless they are the whole store in order."""
        whole = len(self.rows) == len(self.store) and np.array_equal(self.rows, np.arange(len(self.store)))
        return self.store if whole else self.store[self.rows]

    def select(self, files: Iterable[str]) -> Pixels:
        """The images of some files, in that order, over the same store.

        Raises:
            InputError: a file that is not among them.
        """
        position = dict(zip(self.files, self.rows, strict=True))
        wanted = list(files)
        missing = [file for file in wanted if file not in position]
        if missing:
            raise InputError("files", "must be among the decoded images", missing[:3], "Load their pixels first.")
        rows = np.array([position[file] for file in wanted], np.int64)
        return Pixels(self.store, rows, np.array(wanted, dtype=object), self.excluded)


def load_pixels(
    files: Iterable[str],
    preprocessing: Preprocessing,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Pixels:
    """Decodes images; those that cannot be read are left out and listed with the reason.

    Args:
        files: paths; one that is named twice is decoded once.
        preprocessing: size, crop and colours of the result.
        cache: folder for decoded images, or None for memory. An entry's key is a hash over the content of every file,
            the settings and the decoder's version, so that no entry can be stale; one whose bytes are not those that
            were written is made again.
        progress: called with the numbers of images done and to do.

    Raises:
        InputError: files that changed while they were decoded into the cache.
    """
    names = np.array([str(file) for file in files], dtype=object)
    unique = np.array(sorted(set(names)), dtype=object)
    if cache is None:
        store, excluded = _decode(unique, preprocessing, None, progress)
    else:
        store, excluded = _cached(unique, preprocessing, Path(cache), progress)
    broken = {file for file, _ in excluded}
    kept = np.array([file for file in unique if file not in broken], dtype=object)
    whole = Pixels(store, np.arange(len(kept)), kept, excluded)
    return whole.select(file for file in names if file not in broken)


def exclude_broken(catalogue: Catalogue, pixels: Pixels) -> Catalogue:
    """The catalogue without the galaxies whose images could not be read, which join its exclusions."""
    reasons = dict(pixels.excluded)
    bad = np.array([file in reasons for file in catalogue.files], bool)
    pool = np.array([file for file in catalogue.unlabelled_files if file not in reasons], dtype=object)
    new = [Exclusion(i, f, reasons[f]) for i, f in zip(catalogue.ids[bad], catalogue.files[bad], strict=True)]
    new += [Exclusion("", file, reasons[file]) for file in catalogue.unlabelled_files if file in reasons]
    kept = catalogue.subset(~bad)
    return dataclasses.replace(kept, unlabelled_files=pool, excluded=(*catalogue.excluded, *new))


def _decode(
    files: NDArray[np.object_],
    preprocessing: Preprocessing,
    target: Path | None,
    progress: Progress | None,
) -> tuple[NDArray[np.uint8], tuple[tuple[str, str], ...]]:
    """Decodes into memory, or into a `.npy` at `target`; good images first, in the order of the files."""
    size = preprocessing.image_size
    shape = (len(files), size, size, preprocessing.channels)
    store = np.empty(shape, np.uint8) if target is None else np.lib.format.open_memmap(target, "w+", np.uint8, shape)
    good = np.zeros(len(files), bool)
    plain = np.array([row for row, file in enumerate(files) if not is_fits(file)], np.int64)
    done = 0
    for rows, images in _decode_plain(files, plain, preprocessing):
        store[rows], good[rows] = images, True
        done += len(rows)
        if progress is not None:
            progress(done, len(files))
    excluded = []
    for row in np.flatnonzero(~good):
        try:  # a FITS image, or one that the pipeline could not read: here it says why
            store[row], good[row] = read_image(files[row], preprocessing), True
        except InputError as error:
            excluded.append((str(files[row]), f"{error.rule}, not {error.value}"))
    if progress is not None:
        progress(len(files), len(files))
    kept = np.flatnonzero(good)
    for position, row in enumerate(kept):  # close the gaps of broken images
        if position != row:
            store[position] = store[row]
    return store[: len(kept)], tuple(excluded)


def _decode_plain(
    files: NDArray[np.object_], rows: NDArray[np.int64], preprocessing: Preprocessing
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Row numbers and images of the JPEG and PNG files that can be read, block by block."""

    def block(chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        found, images = decode_whole([str(file) for file in files[chosen]], preprocessing, of_files=True)
        return chosen[found], images

    blocks = np.array_split(rows, -(-len(rows) // BLOCK_FILES)) if len(rows) else []
    yield from map_in_order(block, blocks)


def _content_key(files: NDArray[np.object_], preprocessing: Preprocessing) -> str:
    """A hash over what the pixels depend on; TensorFlow is part of it, as its releases bring other JPEG decoders."""
    settings = [DECODER_VERSION, tf.__version__, preprocessing.to_dict()]
    total = hashlib.blake2b(json.dumps(settings).encode(), digest_size=20)
    with ThreadPoolExecutor(READERS) as pool:
        for file, digest in zip(files, pool.map(_digest, files), strict=True):
            total.update(str(file).encode() + b"\0" + digest)
    return total.hexdigest()


def _digest(file: str) -> bytes:
    try:
        return hashlib.blake2b(Path(file).read_bytes()).digest()
    except OSError as error:
        return str(error).encode()


def _cached(
    files: NDArray[np.object_], preprocessing: Preprocessing, folder: Path, progress: Progress | None
) -> tuple[NDArray[np.uint8], tuple[tuple[str, str], ...]]:
    if folder.exists() and not folder.is_dir():
        raise InputError("cache", "must be a folder", str(folder), "Name another one.")
    key = _content_key(files, preprocessing)
    array_file, record_file = folder / f"{key}.npy", folder / f"{key}.json"
    entry = _read_entry(array_file, record_file)
    if entry is not None:
        return entry
    with atomic_file(array_file) as temporary:
        store, excluded = _decode(files, preprocessing, temporary, progress)
        if isinstance(store, np.memmap):  # without a single image, NumPy gives a plain array
            store.flush()
        # A picture that was exchanged between the two readings would be kept under the key of the old one.
        unchanged = _content_key(files, preprocessing) == key
        check(unchanged, "images", "must not change while they are read", "changed files", "Start again.")
        record = {"count": len(store), "excluded": excluded, "digest": _file_digest(temporary)}
    with atomic_file(record_file) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")
    entry = _read_entry(array_file, record_file)
    if entry is None:
        raise InputError("cache", "must be a folder that keeps what is written", str(folder), "Use another folder.")
    return entry


def _file_digest(path: Path) -> str:
    total = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _read_entry(array_file: Path, record_file: Path) -> tuple[NDArray[np.uint8], tuple[tuple[str, str], ...]] | None:
    """A whole entry, or None. The record is written last, with the array's digest: without it the array does not
    count.
    """
    try:
        record = json.loads(record_file.read_text(encoding="utf-8"))
        if record["digest"] != _file_digest(array_file):
            return None
        store = np.load(array_file, mmap_mode="r", allow_pickle=False)
        excluded = tuple((str(file), str(reason)) for file, reason in record["excluded"])
        return store[: record["count"]], excluded
    except (OSError, ValueError, KeyError, TypeError):
        return None
