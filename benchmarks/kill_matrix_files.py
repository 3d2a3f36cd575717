"""Whether files are whole, and what an outcome holds apart from the times of clocks."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

__all__ = ["fingerprint", "torn"]

PICTURES = (".png", ".jpg", ".jpeg")
# Appended to as a run goes on, by tools that read what is there; locks; what may be made again.
LOGS = ("tensorboard", "cache", "locks", "curves")
SPOKEN_TIME = re.compile(rb"[\d.]+ (hours|minutes) of computing")
TIMES = re.compile(r"second|duration|time|date|created|started|ended|commit|load")
# TensorFlow numbers the functions of a graph as it traces them: names differ, variables and assets must not.
GRAPHS = ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb")


def final_files(folder: Path) -> dict[str, Path]:
    """Files under their final names: temporary ones, logs and caches are left out."""
    files = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".partial-") or part in LOGS for part in parts):
            files["/".join(parts)] = path
    return files


def torn(folder: Path) -> list[str]:
    """Files under their final names that are not whole, each with the reason."""
    faults = {name: fault(path) for name, path in final_files(folder).items()}
    return [f"{name}: {reason}" for name, reason in faults.items() if reason]


def fault(path: Path) -> str:
    """Why a file cannot be read to its end, or "" if it can; of kinds without a format, whether it holds anything."""
    try:
        content(path)
    except Exception as error:  # each format's reader has its own errors, all of which mean a file that is not whole
        return repr(error)
    return "" if path.stat().st_size > 0 or path.name == "excluded.csv" else "empty"


def fingerprint(folder: Path) -> dict[str, str]:
    """A hash of each file's content less clock times; versions of an exported model as one, which must agree."""
    found: dict[str, str] = {}
    for name, path in final_files(folder).items():
        if ".parts/" in name or "/serving/" in f"/{name}":
            found[name] = "there"  # texts that name the version
            continue
        digest = "a graph" if path.name in GRAPHS else hashlib.sha256(content(path)).hexdigest()
        versionless = re.sub(r"^(models/galaxy)/\d+/", r"\1/N/", name)
        found[versionless] = digest if found.get(versionless, digest) == digest else "versions differ"
    return found


def content(path: Path) -> bytes:
    """What a file says, as bytes that are the same whenever it says the same."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return json.dumps(timeless(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    if suffix == ".csv":
        return table_content(path)
    if suffix == ".keras":
        return weights(path)
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return b"".join(name.encode() + stored[name].tobytes() for name in sorted(stored.files))
    if suffix in PICTURES:
        with Image.open(path) as image:
            return image.convert("RGBA").tobytes()
    return SPOKEN_TIME.sub(b"", path.read_bytes())


def timeless(value: Any) -> Any:
    """A value of JSON without what its key calls a time."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if not TIMES.search(key.lower())}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def table_content(path: Path) -> bytes:
    """A CSV's cells without columns of times.

    Raises:
        ValueError: the table was cut short.
    """
    text = path.read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    if text and (not text.endswith("\n") or len({len(row) for row in rows}) > 1):
        raise ValueError("cut short")
    kept = [column for column, name in enumerate(rows[0]) if not TIMES.search(name.lower())] if rows else []
    return json.dumps([[row[column] for column in kept] for row in rows]).encode()


def weights(path: Path) -> bytes:
    """All weights of a `.keras` file and their names.

    Raises:
        ValueError: a damaged archive.
    """
    total = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            total.update(name.encode() + np.asarray(item).tobytes())

    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("damaged")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as stored:
            stored.visititems(add)
    return total.digest()
