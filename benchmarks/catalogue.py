"""Whether a catalogue of a survey loads within its limits of time and memory: 10^6 rows under 1 GB and 20 s.

    python benchmarks/catalogue.py FOLDER [--rows 1000000] [--json FILE]

Makes tables in the folder, as CSV and Parquet, with Galaxy Zoo 2's 37 vote columns, with a file column and without one,
and a tree of as many empty image files, which loading looks for by name; what is there already is used again. Each
table is loaded in a process of its own, whose peak memory is the operating system's word.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from tfgalaxy.data.questions import load_questions
from tfgalaxy.files import atomic_file

SECONDS, GIGABYTES = 20.0, 1.0
PER_FOLDER = 1000

# Run in a fresh process: nothing that the making of the tables needed counts.
LOAD = """
import json, resource, sys, time
start = time.perf_counter()
from tfgalaxy.data.catalogue import load_catalogue
catalogue = load_catalogue(sys.argv[1], sys.argv[2], "gz2")
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"galaxies": len(catalogue), "unlabelled": len(catalogue.unlabelled_files), "seconds": seconds,
                  "gigabytes": peak, "tensorflow": "tensorflow" in sys.modules}))
"""


def galaxy_ids(rows: int) -> list[str]:
    """18-digit ids, as SDSS gives them."""
    return [str(587722981741363294 + 1009 * row) for row in range(rows)]


def file_names(ids: list[str]) -> list[str]:
    """A file for each id, a thousand to a folder."""
    return [f"{row // PER_FOLDER:04d}/{name}.jpg" for row, name in enumerate(ids)]


def make_tables(folder: Path, rows: int) -> list[Path]:
    """The same votes as CSV and Parquet, with and without a file column; every tenth galaxy has none."""
    names = [f"{kind}-{rows}.{suffix}" for kind in ("files", "ids") for suffix in ("csv", "parquet")]
    paths = [folder / name for name in names]
    if all(path.is_file() for path in paths):
        return paths
    questions, generator = load_questions("gz2"), np.random.default_rng(0)
    votes = generator.binomial(40, 0.2, (rows, questions.num_answers)).astype(np.int16)
    votes[::10] = 0
    ids = galaxy_ids(rows)
    columns = [name for (name,) in questions.columns.votes[0].answer_columns(questions)]
    frame = pd.DataFrame(votes, columns=columns)
    frame.insert(0, "dr7objid", ids)
    frame.insert(1, "file", file_names(ids))
    for path in paths:
        table = frame if path.name.startswith("files") else frame.drop(columns="file")
        with atomic_file(path) as temporary:
            (table.to_csv if path.suffix == ".csv" else table.to_parquet)(temporary, index=False)
    return paths


def make_images(folder: Path, rows: int) -> Path:
    """As many empty files: loading looks at names, not into images."""
    images, done = folder / f"images-{rows}", folder / f"images-{rows}.done"
    if not done.is_file():
        for name in file_names(galaxy_ids(rows)):
            path = images / name
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True)
            path.touch()
        done.touch()
    return images


def measure(table: Path, images: Path) -> dict[str, Any]:
    """Seconds and peak memory of loading, imports included, in a fresh process."""
    command = [sys.executable, "-c", LOAD, str(table), str(images)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    held = figures["seconds"] <= SECONDS and figures["gigabytes"] <= GIGABYTES and not figures["tensorflow"]
    return {"table": table.name, **figures, "held": held}


def main() -> int:
    """Exit code 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where tables and images are made")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    tables = make_tables(options.folder, options.rows)
    images = make_images(options.folder, options.rows)
    results = [measure(table, images) for table in tables]
    screen = Table(*results[0], title=f"at most {SECONDS:g} seconds and {GIGABYTES:g} gigabytes")
    for row in results:
        screen.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(screen)
    if options.json:
        with atomic_file(options.json) as temporary:
            temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["held"] for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
