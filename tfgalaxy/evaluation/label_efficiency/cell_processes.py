"""Runs cells in a process of their own, which a fresh one replaces after some cells.

TensorFlow keeps some of what it has traced, 80 MB a cell even for the smallest models (measured with 2.15), and an
experiment has hundreds of cells.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from tfgalaxy.child_process import end_with_parent

__all__ = ["CellProcesses"]

T = TypeVar("T")


class CellProcesses:
    """A process for one call at a time; it ends with this one, even if this one is killed.

    Args:
        calls_per_process: after how many calls a fresh process takes over; None for calls in this process.
    """

    def __init__(self, calls_per_process: int | None) -> None:
        self.calls_per_process = calls_per_process
        self._executor: ProcessPoolExecutor | None = None
        self._calls = 0

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)`, or its exception; all of them can be pickled."""
        if self.calls_per_process is None:
            return function(*arguments)
        if self._calls == self.calls_per_process:
            self.close()
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(1, context, initializer=end_with_parent)
        self._calls += 1
        return self._executor.submit(function, *arguments).result()

    def close(self) -> None:
        """Ends the process, after what it is doing."""
        if self._executor is not None:
            self._executor.shutdown()
        self._executor, self._calls = None, 0
