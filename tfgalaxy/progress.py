"""Progress of long jobs: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["activity", "console", "progress_bar"]

# Seconds between two plain lines.
LINE_INTERVAL = 10.0


def console(quiet: bool = False) -> Console:
    """The console for people; standard error, so that results on standard output can be piped."""
    return Console(stderr=True, quiet=quiet, highlight=False)


@contextlib.contextmanager
def activity(description: str, quiet: bool = False) -> Iterator[None]:
    """Says what is being done where nothing can be counted: a moving sign on a terminal, a plain line elsewhere."""
    target = console(quiet)
    if not target.is_terminal or quiet:
        target.print(description, soft_wrap=True)
        yield
        return
    with target.status(description):
        yield


@contextlib.contextmanager
def progress_bar(description: str, unit: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Yields `report(done, total, text="")`, to be called as often as is convenient.

    Args:
        description: what is being done.
        unit: what is counted, as in "images".
        quiet: whether to show nothing at all.
    """
    target = console(quiet)
    started = time.monotonic()
    if not target.is_terminal or quiet:
        yield _line_reporter(target, description, unit, started)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=target) as progress:
        task = progress.add_task(description, total=None, rate="", text="")

        def report(done: int, total: int, text: str = "") -> None:
            rate = f"{_rate(done, started):.0f} {unit}/s"
            progress.update(task, completed=done, total=total, rate=rate, text=text)

        yield report


def _rate(done: int, started: float) -> float:
    return done / max(time.monotonic() - started, 1e-6)


def _line_reporter(target: Console, description: str, unit: str, started: float) -> Callable[..., None]:
    last = [started]

    def report(done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        if now - last[0] < LINE_INTERVAL and done < total:
            return
        last[0] = now
        rate = _rate(done, started)
        left = (total - done) / max(rate, 1e-6)
        line = f"{description}: {done}/{total} {unit}, {rate:.0f} {unit}/s, {left:.0f} s left {text}"
        target.print(line.rstrip(), soft_wrap=True)

    return report
