"""What the fuzz run and the kill matrix write into docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["machine_line", "replace_part", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; whole numbers with commas."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def machine_line() -> str:
    """When, where and with what."""
    from speed_report import machine  # with TensorFlow: the process that watches another's memory and clock is small

    record = machine()
    found = record["versions"]
    return (
        f"{record['date']}, commit {record['commit']}; {record['cores']} cores of {record['processor']}, load"
        f" {record['load_at_start']}; TensorFlow {found['tensorflow']}"
    )


def replace_part(path: Path, name: str, text: str) -> None:
    """Puts a text between `<!-- name -->` and `<!-- end of name -->` of a page."""
    from speed_report import replace_part as replace

    replace(path, name, text)
