"""Figures of `tfgalaxy tune`: time that it takes outside of `fit`, and what a second worker gains.

    python benchmarks/tuning.py [overhead] [workers] [--trials 10] [--equal-trials 8] [--json FILE] [--markdown FILE]

Searches run on simulated galaxies in processes of their own, and their time is that of the whole command, its imports
included. With the sizes that are the default a trial takes about 30 s on 2 cores that nothing else uses.

    python benchmarks/tuning.py --short        a few seconds a trial: whether it runs, not what it takes
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tfgalaxy.data.simulation import simulate
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

SPACE = {"dropout": [0.2, 0.7], "label_smoothing": [0.0, 0.1], "classifier_learning_rate": [5e-4, 2e-3]}
TARGETS = {"overhead": 0.05, "workers": 0.9}
# What a process runs that counts the seconds within `fit` beside the command itself.
TIMED_COMMAND = """
import json, sys, time
from tfgalaxy.cli import main
from tfgalaxy.models import GalaxyVAE
seconds, fit = [], GalaxyVAE.fit
def timed(self, *arguments, **settings):
    start = time.perf_counter()
    try:
        return fit(self, *arguments, **settings)
    finally:
        seconds.append(time.perf_counter() - start)
GalaxyVAE.fit = timed
main(sys.argv[2:], standalone_mode=False)
open(sys.argv[1], "w").write(json.dumps(seconds))
"""


def small_config() -> RunConfig:
    """Of runs that take no time."""
    model = ModelConfig(image_size=32, radii=16, angles=16, encoder_filters=(8, 8), decoder_filters=(8, 8))
    return RunConfig(DataConfig("gz1"), model, TrainingConfig("supervised", steps_per_epoch=2, epochs=2))


class Searches:
    """Searches on one set of simulated galaxies.

    Args:
        folder: for all files.
        options: of the command line.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.number = folder, 0
        simulate(options.galaxies, folder / "galaxies", questions="gz1", image_size=96)
        training = TrainingConfig(
            "supervised", batch_size=64, steps_per_epoch=options.steps_per_epoch, epochs=options.epochs
        )
        config = small_config() if options.short else RunConfig(DataConfig("gz1"), ModelConfig(), training)
        config.to_json(folder / "config.json")
        (folder / "space.json").write_text(json.dumps(SPACE), encoding="utf-8")

    def arguments(self, trials: int, *more: str) -> list[str]:
        """Of `tfgalaxy tune`, for a search of its own."""
        self.number += 1
        galaxies = self.folder / "galaxies"
        sources = ["--catalogue", str(galaxies / "catalogue.csv"), "--images", str(galaxies)]
        settings = ["--config", str(self.folder / "config.json"), "--space", str(self.folder / "space.json")]
        output = [
            "--output",
            str(self.folder / f"search{self.number}"),
            "--quiet",
            "--cache",
            str(self.folder / "cache"),
        ]
        return ["tune", *sources, *settings, *output, "--no-stop-early", "--trials", str(trials), *more]

    def overhead(self, trials: int, algorithm: str) -> dict[str, float]:
        """Share of a whole command's time that is not spent in `fit`."""
        report = self.folder / "fit.json"
        arguments = self.arguments(trials, "--algorithm", algorithm)
        whole = timed([sys.executable, "-c", TIMED_COMMAND, str(report), *arguments])
        fits = json.loads(report.read_text(encoding="utf-8"))
        return {"seconds": whole, "fit": sum(fits), "trial": sum(fits) / trials, "ratio": 1 - sum(fits) / whole}

    def workers(self, trials: int) -> dict[str, float]:
        """Time of two workers with half of the threads each, over that of one with all."""
        seconds = {}
        for count in (1, 2):
            arguments = self.arguments(trials, "--algorithm", "random", "--workers", str(count))
            seconds[count] = timed([sys.executable, "-m", "tfgalaxy.cli", *arguments])
        return {"one worker": seconds[1], "two workers": seconds[2], "ratio": seconds[2] / seconds[1]}


def timed(command: Sequence[str]) -> float:
    """Seconds of a command, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*TARGETS, []], help="by default both")
    parser.add_argument("--trials", type=int, default=10, help="of the search for the overhead")
    parser.add_argument("--equal-trials", type=int, default=8, help="of the searches with one and two workers")
    parser.add_argument("--algorithm", default="bayesian", help="of the search for the overhead")
    parser.add_argument("--steps-per-epoch", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--galaxies", type=int, default=600)
    parser.add_argument("--short", action="store_true", help="smallest sizes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The figures that were asked for."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        searches = Searches(Path(folder), options)
        for name in options.figures or TARGETS:
            trials = options.trials if name == "overhead" else options.equal_trials
            found[name] = (
                searches.overhead(trials, options.algorithm) if name == "overhead" else searches.workers(trials)
            )
    return found


def rows(found: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """Name, ratio, target, whether it is reached, and what the ratio is made of."""
    result = []
    for name, values in found.items():
        parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in values.items() if part != "ratio")
        reached = "yes" if values["ratio"] <= TARGETS[name] else "no"
        result.append((name, f"{values['ratio']:.3f}", f"at most {TARGETS[name]:g}", reached, parts))
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and reports."""
    options = parse(arguments)
    found = measure(options)
    columns = ("figure", "ratio", "target", "reached", "of")
    table: Any = Table(*columns)
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if options.markdown:
        lines = [columns, tuple("---" for _ in columns), *rows(found)]
        options.markdown.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
