"""A run goes on with the galaxies and votes that it was started with, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.training.checkpoint import read_record

__all__ = ["check_same_galaxies", "digest_parts"]


def digest_parts(parts: Iterable[Catalogue], pool_files: Iterable[str]) -> str:
    """A hash over ids and votes of the parts, and the names of the unlabelled pool's images; the folder may move."""
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(json.dumps([str(name) for name in part.ids]).encode())
        total.update(np.ascontiguousarray(part.votes, np.float32).tobytes())
    total.update(json.dumps(sorted(Path(file).name for file in pool_files)).encode())
    return total.hexdigest()


def check_same_galaxies(checkpoint: Path, digest: str) -> None:
    """Raises `InputError` if a checkpoint is there and is of other galaxies or votes."""
    if not checkpoint.is_file():
        return
    same = read_record(checkpoint).get("galaxies", digest) == digest
    rule = "must be the one that the run was started with"
    remedy = "Give it as it was, or train anew in another directory."
    check(same, "catalogue", rule, "one with other galaxies, votes or images", remedy)
