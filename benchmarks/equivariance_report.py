"""Measured numbers beside what was asked for, on the terminal and as Markdown."""

from __future__ import annotations

import dataclasses

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tfgalaxy.evaluation import Spread

__all__ = ["Row", "Section", "markdown", "print_section"]

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
WIDTH = 170


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes:
        case, quantity, unit, shown: what was measured, and on which images.
        error: its sizes.
        chance: mean size for a predictor that is constant; None where it means nothing.
        target_mean, target_median: what was asked for, or None.
    """

    case: str
    quantity: str
    unit: str
    shown: str
    error: Spread
    chance: float | None = None
    target_mean: float | None = None
    target_median: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether all figures asked for are met; None where none was asked for."""
        asked = [(self.error.mean, self.target_mean), (self.error.median, self.target_median)]
        given = [found <= target for found, target in asked if target is not None]
        return all(given) if given else None

    @property
    def asked(self) -> str:
        """What was asked for, as text."""
        return " / ".join(f"{target:g}" for target in (self.target_mean, self.target_median) if target is not None)

    @property
    def text(self) -> str:
        """What was measured, and the verdict."""
        verdict = {None: "", True: " met", False: " MISSED"}[self.met]
        return f"{_number(self.error.mean)} / {_number(self.error.median)} ({_number(self.error.p95)}){verdict}"


@dataclasses.dataclass(frozen=True)
class Section:
    """Rows that stand in one table, which has a column for each of their `shown`.

    Attributes:
        title: heading.
        note: what the three numbers of a cell are.
        rows: in order.
    """

    title: str
    note: str
    rows: list[Row]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings, and the texts of a line for each case and quantity."""
        columns = list(dict.fromkeys(row.shown for row in self.rows))
        lines: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            lines.setdefault((row.case, row.quantity, row.unit), []).append(row)
        texts = []
        for names, rows in lines.items():
            found = {row.shown: row.text for row in rows}
            asked = next((row.asked for row in rows if row.asked), "")
            chance = "" if rows[0].chance is None else _number(rows[0].chance)
            texts.append([*names, asked, *(found.get(column, "") for column in columns), chance])
        return ["", "quantity", "unit", "asked", *columns, "chance"], texts


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}" if value < 1e-4 else f"{value:.4f}" if value < 10 else f"{value:.1f}"


def print_section(section: Section) -> None:
    """A table on the terminal, wide enough for what it holds."""
    headings, lines = section.table()
    table = Table(title=f"{section.title}: {section.note}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*line, style="red" if any("MISSED" in text for text in line) else "")
    Console(width=WIDTH).print(table)


def markdown(sections: list[Section], heading: str, page: str) -> str:
    """The tables, in place of the page's measured part or, where it has none, alone.

    Args:
        sections: what was measured.
        heading: how, in a sentence.
        page: what the file holds now.
    """
    parts = [heading, *map(_section_text, sections)]
    measured = f"{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}"
    if BEGIN not in page or END not in page:
        return measured + "\n"
    return page[: page.index(BEGIN)] + measured + page[page.index(END) + len(END) :]


def _section_text(section: Section) -> str:
    headings, lines = section.table()
    used = [index for index in range(len(headings)) if any(line[index] for line in lines)]
    rows = [[headings[index] for index in used], ["---"] * len(used)]
    rows += [[line[index].replace("MISSED", "**missed**") for index in used] for line in lines]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"### {section.title}\n\nCells: {section.note}.\n\n{table}"
