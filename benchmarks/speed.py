"""Every figure of docs/performance.md: how near training, input and prediction come to what the machine can do.

    python benchmarks/speed.py [--quick] [--json FILE] [--markdown FILE]
    python benchmarks/speed.py --profile [--quick] [--markdown FILE]

On simulated galaxies at 64 px, the default model, batches of 64. The yardstick is the research code's network in plain
Keras (`benchmarks/yardstick.py`). What is compared is measured in turns within one run, so that another load of the
machine meets both; the table gives medians over the turns with the least and the largest value. Ratios count: images
per second are this machine's.

--quick is for checking that everything runs: small sizes, no targets. --markdown replaces the part of FILE between
`<!-- measured -->` and `<!-- end of measured -->`, or writes FILE anew. The second form prints where the time of each
step goes, on one thread, and replaces the part named `profile`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from speed_commands import measure_memory, measure_prediction
from speed_data import FULL, QUICK, Galaxies, Sizes, picture_files
from speed_fit import measure_fit
from speed_growth import measure_growth
from speed_profile import profile_text
from speed_report import Section, machine, replace_part, show_section, write_json, write_markdown
from speed_steps import make_model, measure_steps

from tfgalaxy.export import Predictor
from tfgalaxy.training.precision import probe_precision

__all__ = ["main"]


def measured(sizes: Sizes, precision: str, folder: Path) -> Iterator[Section]:
    """All sections, one after another."""
    predictor = Predictor.from_model(make_model(sizes, "float32"))
    yield from measure_steps(sizes, precision, predictor)
    yield measure_prediction(sizes, predictor, folder)
    yield measure_fit(sizes, precision, Galaxies.simulated(min(1000, sizes.growth[1]), sizes), folder)
    files = picture_files(folder / "small", sizes.small_pictures, 2 * sizes.model.image_size, sizes.questions)
    yield measure_memory(sizes, precision, folder / "small", folder)
    yield measure_growth(sizes, precision, predictor, files, folder)


def without_targets(section: Section) -> Section:
    """For sizes at which the targets mean nothing."""
    return Section(section.title, [dataclasses.replace(figure, target=None) for figure in section.figures])


def measure(options: argparse.Namespace) -> None:
    """Prints each section as it is measured, then writes the files that were asked for."""
    start, record = time.perf_counter(), machine()
    probe = probe_precision()
    sizes = QUICK if options.quick else FULL
    record["precision"] = str(probe)
    print(probe)
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for section in measured(sizes, probe.precision, Path(folder)):
            sections.append(without_targets(section) if options.quick else section)
            show_section(sections[-1])
            sys.stdout.flush()
    minutes = (time.perf_counter() - start) / 60
    record["form"] = f"{'quick' if options.quick else 'full'} form, {minutes:.1f} minutes"
    print(record["form"])
    if options.json:
        write_json(options.json, record, sections)
    if options.markdown:
        write_markdown(options.markdown, record, sections)


def profile(options: argparse.Namespace) -> None:
    """Prints a table for each step."""
    text = profile_text(QUICK if options.quick else FULL)
    print(text)
    if options.markdown:
        replace_part(options.markdown, "profile", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, without targets")
    parser.add_argument("--profile", action="store_true", help="where the time of each step goes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    (profile if options.profile else measure)(options)


if __name__ == "__main__":
    main()
