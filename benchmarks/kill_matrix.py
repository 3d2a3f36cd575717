"""Kills every command at random moments and goes on; docs/reliability.md shows what came of it.

    python benchmarks/kill_matrix.py [--kills 20] [--seed 0] [--only NAME ...] [--json FILE] [--markdown FILE]

Each cell is a command at tiny sizes. It runs once undisturbed; then so many times it is killed with SIGKILL after a
random share of the time that took, and started again as its messages and its documentation say. Checked are

- torn: after the kill, a file under its final name that is not whole (a table cut short, a damaged archive or picture);
- failed: the second start does not end with exit code 0;
- differing: afterwards the outcome is not the undisturbed one: names of all files, and contents less clock times; of a
  model its weights, bit by bit.

Processes are forked from one that has imported TensorFlow, so that kills fall into the command's work and not into
imports. Exit code 1 if any count is above 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
from kill_matrix_files import fingerprint, torn
from reliability_report import machine_line, replace_part, table

__all__ = ["main"]

CONTEXT = multiprocessing.get_context("forkserver")
CONFIG = {
    "data": {"questions": "gz1", "split_fractions": [0.6, 0.2, 0.2]},
    "model": {"image_size": 32, "radii": 16, "angles": 16, "encoder_filters": [8, 8], "decoder_filters": [8, 8]},
    "training": {
        "batch_size": 8,
        "steps_per_epoch": 4,
        "epochs": 4,
        "unlabelled_epochs": 2,
        "simulated_galaxies": 8,
        "simulated_steps": 8,
        "teachers": 1,
    },
}
SECONDS_FOR_CHILDREN = 30


@dataclasses.dataclass(frozen=True)
class Cell:
    """A command that is killed.

    Attributes:
        name: in the table.
        arguments: of `tfgalaxy`.
        again: those that the second start has besides.
    """

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...] = ()


@dataclasses.dataclass
class Counts:
    """What came of a cell's kills."""

    kills: int = 0
    late: int = 0
    torn: int = 0
    failed: int = 0
    differing: int = 0
    details: list[str] = dataclasses.field(default_factory=list)

    @property
    def faults(self) -> int:
        return self.torn + self.failed + self.differing


def cells(home: Path, output: Path) -> list[Cell]:
    """All cells, in an order in which each finds what it needs."""
    galaxies = ("--catalogue", f"{home}/galaxies/catalogue.csv", "--images", f"{home}/galaxies")
    config = ("--config", f"{home}/config.json", "--cache", f"{home}/cache", "--output", str(output), "--quiet")
    trained = [
        Cell(f"train, {regime}", ("train", *galaxies, *config, "--regime", regime), ("--resume",))
        for regime in ("supervised", "alternating", "two-step")
    ]
    simulated = ("simulate", "--count", "300", "--questions", "gz1", "--image-size", "64", "--output", str(output))
    learnt = ("label-efficiency", *galaxies, *config, "--labels", "8", "16", "--seeds", "1")
    tuned = ("tune", *galaxies, *config, "--trials", "2", "--algorithm", "random", "--epochs", "2")
    return [
        Cell("simulate", (*simulated, "--quiet")),
        *trained,
        Cell("export", ("export", f"{home}/run", "--output", f"{output}/models/galaxy")),
        Cell(
            "predict", ("predict", f"{home}/run", "--images", f"{home}/many", "--output", f"{output}/p.csv", "--quiet")
        ),
        Cell("label-efficiency", (*learnt, "--regimes", "supervised", "--baselines", "class-means")),
        Cell("tune", tuned),
    ]


def run_command(arguments: tuple[str, ...], log: str) -> None:
    """`tfgalaxy` in this process, which ends with its exit code."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from tfgalaxy.cli import main as command

    command(list(arguments))


def start(arguments: tuple[str, ...], log: Path) -> Any:
    """The process of a command."""
    process = CONTEXT.Process(target=run_command, args=(arguments, str(log)))
    process.start()
    return process


def finish(arguments: tuple[str, ...], log: Path) -> tuple[int, float]:
    """Exit code and seconds of a command that nobody disturbs."""
    begin = time.perf_counter()
    process = start(arguments, log)
    process.join()
    return process.exitcode, time.perf_counter() - begin


def kill_after(arguments: tuple[str, ...], seconds: float, log: Path) -> bool:
    """Kills a command, and waits for the processes below it to end; False if it had ended by itself."""
    process = start(arguments, log)
    process.join(seconds)
    if process.exitcode is not None:
        return False
    below = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    psutil.wait_procs(below, SECONDS_FOR_CHILDREN)
    return True


def disturb(cell: Cell, kills: int, seed: int, output: Path, home: Path) -> Counts:
    """Runs a cell undisturbed, then kills it so many times."""
    counts, choose, log = Counts(), random.Random(f"{seed}/{cell.name}"), home / "log.txt"
    code, duration = finish(cell.arguments, log)
    if code:
        sys.exit(f"{cell.name} fails undisturbed with exit code {code}:\n{log.read_text()[-3000:]}")
    whole = fingerprint(output)
    keep(cell, output, home)
    while counts.kills < kills:
        moment = choose.uniform(0.02, 1) * duration
        shutil.rmtree(output, ignore_errors=True)
        log.unlink(missing_ok=True)
        if not kill_after(cell.arguments, moment, log):
            counts.late += 1
            duration *= 0.9
            continue
        counts.kills += 1
        broken = torn(output)
        log.unlink(missing_ok=True)
        code, _ = finish((*cell.arguments, *cell.again), log)
        differing = [] if code else differences(whole, fingerprint(output))
        counts.torn += bool(broken)
        counts.failed += bool(code)
        counts.differing += bool(differing)
        if broken or code or differing:
            text = f"killed after {moment:.2f} s: torn {broken}, exit code {code}, differing {differing[:5]}"
            counts.details.append(text + (f"\n{log.read_text()[-1000:]}" if code else ""))
            print(cell.name, counts.details[-1], flush=True)
    shutil.rmtree(output, ignore_errors=True)
    return counts


def keep(cell: Cell, output: Path, home: Path) -> None:
    """What later cells start from."""
    if cell.name == "simulate":
        shutil.copytree(output, home / "many")
    if cell.name == "train, supervised":
        shutil.copytree(output, home / "run")


def differences(whole: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names of files that are not the same, or not in both."""
    return sorted(name for name in whole.keys() | other.keys() if whole.get(name) != other.get(name))


def summary(results: dict[str, Counts]) -> str:
    """A Markdown table, a row for each command."""
    header = ["command", "kills", "torn files", "second start failed", "outcome differs"]
    rows = [[name, one.kills, one.torn, one.failed, one.differing] for name, one in results.items()]
    return table(header, [*rows, ["all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))]])


def matrix(kills: int, seed: int, only: Iterable[str], home: Path) -> dict[str, Counts]:
    """Counts of all cells, or of those whose name holds one of the words."""
    output, words, results = home / "output", tuple(only), {}
    (home / "config.json").write_text(json.dumps(CONFIG))
    simulated = ("simulate", "--count", "40", "--questions", "gz1", "--image-size", "64", "--quiet")
    finish((*simulated, "--output", f"{home}/galaxies"), home / "log.txt")
    for cell in cells(home, output):
        if not words or any(word in cell.name for word in words):
            results[cell.name] = disturb(cell, kills, seed, output, home)
        elif cell.name in ("simulate", "train, supervised"):
            finish(cell.arguments, home / "log.txt")
            keep(cell, output, home)
            shutil.rmtree(output)
        if cell.name in results:
            print(cell.name, dataclasses.asdict(results[cell.name]), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=(), help="words of the cells' names")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="replaces the part named kills of this file")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    CONTEXT.set_forkserver_preload(["tfgalaxy.commands", "tfgalaxy.tuning"])
    start_time = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = matrix(options.kills, options.seed, options.only, Path(folder))
    minutes = (time.perf_counter() - start_time) / 60
    text = f"{summary(results)}\n\n{machine_line()}; seed {options.seed}; {minutes:.1f} minutes."
    print(text)
    if options.json:
        options.json.write_text(json.dumps({name: dataclasses.asdict(one) for name, one in results.items()}))
    if options.markdown:
        replace_part(options.markdown, "kills", text)
    sys.exit(any(one.faults for one in results.values()))


if __name__ == "__main__":
    main()
