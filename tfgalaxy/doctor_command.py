"""`tfgalaxy doctor`: what is installed, what this machine offers, and the command that mends what is not right."""

from __future__ import annotations

import dataclasses
import glob
from typing import Literal

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfgalaxy.machine import (
    TensorFlowAnswer,
    ask_tensorflow,
    bfloat16_flags,
    free_disk,
    memory,
    processor_flags,
    processor_name,
)
from tfgalaxy.progress import activity, console
from tfgalaxy.requirements import PackageState, extras, install_command, package_states, python_state

__all__ = ["Finding", "doctor_command"]

GIBIBYTE = 2**30
# Training with the default configuration takes about 2 GiB, and an environment with its runs about as much disk.
ENOUGH_MEMORY, ENOUGH_DISK = 3 * GIBIBYTE, 2 * GIBIBYTE
STYLES = {"ok": "green", "note": "yellow", "broken": "bold red"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        state: "ok"; "note" for what is optional or scarce; "broken" for what is needed and is not right.
        subject: what was looked at.
        text: what was found.
        remedy: the command or the step that mends it, or "".
    """

    state: Literal["ok", "note", "broken"]
    subject: str
    text: str
    remedy: str = ""


def doctor_command(quiet: bool = False) -> None:
    """`tfgalaxy doctor`; exit code 1 where something that is needed is broken."""
    findings = [*_package_findings(), *_extra_findings()]
    with activity("asking TensorFlow for its devices", quiet):
        answer = ask_tensorflow()
    findings += [*_tensorflow_findings(answer), *_machine_findings()]
    _show(findings)
    broken = sum(finding.state == "broken" for finding in findings)
    if broken:
        console().print(f"tfgalaxy: {broken} broken; see the remedies above")
        raise SystemExit(1)


def _package_findings() -> list[Finding]:
    """Python, and what is always needed."""
    python = python_state()
    remedy = "" if python.satisfied else f"Make an environment with CPython {python.bounds}."
    findings = [Finding("ok" if python.satisfied else "broken", "python", _versions(python), remedy)]
    for state in package_states():
        remedy = "" if state.satisfied else install_command()
        findings.append(Finding("ok" if state.satisfied else "broken", state.name, _versions(state), remedy))
    return findings


def _versions(state: PackageState) -> str:
    installed = state.installed or "not installed"
    return f"{installed} (asked for: {state.bounds or 'any'})"


def _extra_findings() -> list[Finding]:
    """The optional groups: none of them is needed."""
    findings = []
    for extra in extras():
        lacking = [f"{item.name} {_versions(item)}" for item in package_states(extra) if not item.satisfied]
        text = f"lacks {', '.join(lacking)}" if lacking else "installed"
        remedy = install_command(extra) if lacking else ""
        findings.append(Finding("note" if lacking else "ok", f"extra '{extra}'", text, remedy))
    return findings


def _tensorflow_findings(answer: TensorFlowAnswer) -> list[Finding]:
    """Devices, and the dtype that `train --precision auto` takes."""
    flags = bfloat16_flags(processor_flags())
    arithmetic = f"processor has {', '.join(flags)}" if flags else "processor names no bfloat16 arithmetic"
    if answer.error:
        remedy = f"{install_command()} --force-reinstall --no-cache-dir"
        return [Finding("broken", "devices", answer.error, remedy), Finding("note", "bfloat16", arithmetic)]
    findings = [Finding("ok", "devices", "; ".join(answer.devices))]
    if glob.glob("/dev/nvidia[0-9]*") and not any(device.startswith("GPU") for device in answer.devices):
        remedy = (
            f"{install_command().partition(' install ')[0]} install 'tensorflow[and-cuda]=={_tensorflow_version()}'"
        )
        findings.append(Finding("note", "GPU", "there is one, which TensorFlow cannot use", remedy))
    return [*findings, Finding("ok", "bfloat16", f"{answer.measured}; {arithmetic}")]


def _tensorflow_version() -> str | None:
    return next(state.installed for state in package_states() if state.name == "tensorflow")


def _machine_findings() -> list[Finding]:
    """Processor, memory and disk."""
    total, available = memory()
    text = f"{total / GIBIBYTE:.1f} GiB" + ("" if available is None else f", {available / GIBIBYTE:.1f} available")
    scarce = (total if available is None else available) < ENOUGH_MEMORY
    remedy = "End other work, or train with a smaller batch_size and image_size (--config)." if scarce else ""
    findings = [
        Finding("ok", "processor", processor_name()),
        Finding("note" if scarce else "ok", "memory", text, remedy),
    ]
    for folder, free in free_disk().items():
        remedy = "" if free >= ENOUGH_DISK else "Make room, or set TMPDIR and --output to another disk."
        state: Literal["ok", "note"] = "note" if remedy else "ok"
        findings.append(Finding(state, "disk", f"{free / GIBIBYTE:.1f} GiB free in {folder}", remedy))
    return findings


def _show(findings: list[Finding]) -> None:
    """A table on a terminal, else one line each; remedies are not broken over lines, so that they can be copied."""
    screen = Console(highlight=False, soft_wrap=True)
    if screen.is_terminal:
        table = Table(box=SIMPLE_HEAD)
        for name in ("", "what", "found"):
            table.add_column(name, overflow="fold")
        for finding in findings:
            table.add_row(Text(finding.state, STYLES[finding.state]), finding.subject, Text(finding.text))
        screen.print(table, soft_wrap=False)
        for finding in findings:
            if finding.remedy:
                screen.print(Text(f"{finding.subject}: {finding.remedy}"))
        return
    for finding in findings:
        line = f"{finding.state:<6} {finding.subject}: {finding.text}"
        click.echo(line + (f"; remedy: {finding.remedy}" if finding.remedy else ""))
