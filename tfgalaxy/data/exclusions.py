"""What was left out and why: counted and listed, never silent."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Sequence

from tfgalaxy.files import atomic_file

__all__ = ["Exclusion", "write_excluded"]


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """A galaxy or image that is not used.

    Args:
        id: the galaxy's id, or "".
        file: its image, or "" if there is none.
        reason: why, for people.
    """

    id: str
    file: str
    reason: str


def write_excluded(path: str | os.PathLike[str], excluded: Sequence[Exclusion]) -> None:
    """Writes a CSV with the columns `id`, `file`, `reason`, in one step."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "file", "reason"])
        writer.writerows((entry.id, entry.file, entry.reason) for entry in excluded)
