"""Reads thousands of damaged files by the package's public readers; docs/reliability.md shows what came of them.

    python benchmarks/fuzz.py [--count 20000] [--seed 0] [--json FILE] [--markdown FILE]

Valid JPEG, PNG, FITS, CSV, VOTable and JSON files are mutated, by bytes and by what their formats mean, and read in a
process of their own with bounded memory, which is replaced when it does not survive. One input in ten is a bomb:
small, and gigabytes when it is unpacked, or a file that asks for the network. Allowed are two ends: the file is read,
or the package's `InputError`, within 2 s and 512 MiB (of 32-pixel results; pictures here are small). What took longer
is read once more, for the machine may have been busy. An input is a function of seed and number: `--only NUMBER` reads
one again. Exit code 1 if anything else happened.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz_process import CLOCK, MEMORY, Outcome, outcomes
from reliability_report import machine_line, replace_part, table

__all__ = ["main"]

FAULTS = ("crash", "hang", "memory", "foreign error", "bomb read")


def summary(results: list[Outcome]) -> str:
    """A Markdown table, a row for each kind of input."""
    kinds = [*dict.fromkeys(outcome.kind for outcome in results), "all"]
    rows = []
    for kind in kinds:
        mine = [outcome for outcome in results if kind in (outcome.kind, "all")]
        counts = Counter(outcome.result for outcome in mine)
        bombs = [outcome for outcome in mine if outcome.bomb]
        largest, longest = max(outcome.memory for outcome in mine), max(outcome.seconds for outcome in mine)
        row = [kind, len(mine), counts["read"], counts["refused"], *(counts[fault] for fault in FAULTS)]
        rows.append([*row, len(bombs), f"{largest / 2**20:.0f}", f"{longest:.2f}"])
    header = ["input", "number", "read", "refused", *FAULTS, "bombs among them", "most memory, MiB", "longest, s"]
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the inputs to read")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="replaces the part named fuzz of this file")
    options = parser.parse_args()
    numbers, results, start = options.only or list(range(options.count)), [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for outcome in outcomes(options.seed, numbers, folder):
            results.append(outcome)
            if outcome.result in FAULTS or options.only:
                print(outcome, flush=True)
    minutes = (time.perf_counter() - start) / 60
    text = f"{summary(results)}\n\n{machine_line()}; seed {options.seed}; {minutes:.1f} minutes."
    print(text)
    if options.json:
        record = {"seed": options.seed, "clock": CLOCK, "memory": MEMORY}
        record["outcomes"] = [dataclasses.asdict(outcome) for outcome in results]
        options.json.write_text(json.dumps(record), encoding="utf-8")
    if options.markdown:
        replace_part(options.markdown, "fuzz", text)
    sys.exit(any(outcome.result in FAULTS for outcome in results))


if __name__ == "__main__":
    main()
