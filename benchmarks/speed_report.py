"""Figures of speed with their spread, the machine that gave them, and both as JSON and Markdown."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serving import Figure, markdown, show

from tfgalaxy.files import atomic_file
from tfgalaxy.stack import versions

__all__ = ["Measured", "Section", "machine", "replace_part", "show_section", "write_json", "write_markdown"]

# What a processor may have that decides how fast it multiplies.
INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16", "sve")
ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Measured(Figure):
    """A figure whose value is the median of several repeats.

    Attributes:
        repeats: the single values.
    """

    repeats: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, name: str, repeats: Iterable[float], unit: str, target: float | None = None, at_least: bool = False
    ) -> Measured:
        """The median of the repeats beside its target."""
        values = tuple(map(float, repeats))
        return cls(name, statistics.median(values), unit, target, at_least, values)

    def cells(self) -> tuple[str, str, str, str]:
        """Its line of a table; behind the median stand the least and the largest."""
        name, measured, target, mark = super().cells()
        if len(self.repeats) > 1:
            measured += f" ({min(self.repeats):,.4g} to {max(self.repeats):,.4g})"
        return name, measured, target, mark


@dataclasses.dataclass(frozen=True)
class Section:
    """Figures that stand in one table."""

    title: str
    figures: Sequence[Figure]


def _instruction_sets() -> list[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [name for name in INSTRUCTION_SETS if name in flags]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine() -> dict[str, Any]:
    """Where, when and with what the figures were measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "instruction_sets": _instruction_sets(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": versions(),
    }


def show_section(section: Section) -> None:
    """On the terminal, as soon as it is measured."""
    print(f"\n{section.title}")
    show(list(section.figures))


def write_json(path: Path, record: dict[str, Any], sections: list[Section]) -> None:
    """All figures with their repeats, and the machine."""
    tables = {
        section.title: [{**dataclasses.asdict(figure), "reached": figure.reached} for figure in section.figures]
        for section in sections
    }
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps({**record, "figures": tables}, indent=2) + "\n", encoding="utf-8")


def write_markdown(path: Path, record: dict[str, Any], sections: list[Section]) -> None:
    """The tables, between the marks `measured` of the page if it has them."""
    found = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    where = (
        f"{record['date']}, commit {record['commit']}; {record['processor']}, {record['cores']} cores"
        f" ({', '.join(record['instruction_sets'])}), load {record['load_at_start']} at the start; {found}."
        f" {record['form']}; {record['precision']}."
    )
    tables = [f"### {section.title}\n\n{markdown(list(section.figures))}" for section in sections]
    replace_part(path, "measured", "\n".join([where, "", *tables]))


def replace_part(path: Path, name: str, text: str) -> None:
    """Puts a text between `<!-- name -->` and `<!-- end of name -->` of a page; a page without them becomes the text
    between them.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    if begin not in page or end not in page:
        page = f"{begin}\n{end}\n"
    with atomic_file(path) as temporary:
        new = f"{page[: page.index(begin)]}{begin}\n{text.strip()}\n{page[page.index(end) :]}"
        temporary.write_text(new, encoding="utf-8")
