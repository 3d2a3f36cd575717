"""`tfgalaxy verify`: checks one version of an export in a fresh process, as a server without Python would meet it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfgalaxy.errors import InputError
from tfgalaxy.progress import activity

__all__ = ["Check", "verification_table", "verify", "verify_command"]

PROGRAM = Path(__file__).with_name("verification_process.py")
TIME_OUT = 600


@dataclasses.dataclass(frozen=True)
class Check:
    """One check: its name, whether it passed, and what was seen or what is wrong."""

    name: str
    passed: bool
    detail: str


def verify(path: str | os.PathLike[str]) -> list[Check]:
    """Checks files, names, types, numbers, broken bytes, warm-up requests and configuration of a version.

    Args:
        path: `BASE/NAME/<integer>`.

    Returns:
        The checks in order. A version that cannot be loaded, or that ends its process, has fewer.

    Raises:
        InputError: the path is no directory of an export.
    """
    path = Path(path)
    if not path.is_dir() or not any((path / name).exists() for name in ("saved_model.pb", "assets", "variables")):
        raise InputError("EXPORT", "must be a version's directory, BASE/NAME/N", str(path), "Check the path.")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "checks.json"
        # Isolated: neither the current folder nor PYTHONPATH can bring tfgalaxy in.
        command = [sys.executable, "-I", str(PROGRAM), str(path.absolute()), str(result)]
        try:
            process = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT, check=False)
        except subprocess.TimeoutExpired:
            return [Check("answers", False, f"no answer within {TIME_OUT} seconds")]
        if process.returncode or not result.is_file():
            last = process.stderr.strip().rpartition("\n")[2]
            return [Check("answers", False, f"the process ended with code {process.returncode}: {last}")]
        return [Check(**row) for row in json.loads(result.read_text("utf-8"))]


def verification_table(checks: Sequence[Check]) -> Table:
    """The checks as a table for the terminal."""
    table = Table("check", "", "seen")
    for check in checks:
        mark = Text("passed", "green") if check.passed else Text("FAILED", "bold red")
        table.add_row(check.name, mark, Text(check.detail))
    return table


def verify_command(path: str, quiet: bool = False) -> None:
    """`tfgalaxy verify`: prints the table; exit code 1 with the reasons on any miss."""
    with activity("loading the version in another process, and asking it", quiet):
        checks = verify(path)
    Console().print(verification_table(checks))
    failed = [check for check in checks if not check.passed]
    for check in failed:
        print(f"tfgalaxy: {path}: {check.name}: {check.detail}", file=sys.stderr)
    if failed:
        raise SystemExit(1)
