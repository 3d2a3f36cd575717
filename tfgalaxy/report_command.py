"""`tfgalaxy report`: a run's page and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.report.collect import collect_material
from tfgalaxy.evaluation.report.figure_files import write_figures
from tfgalaxy.evaluation.report.page import report_page
from tfgalaxy.files import atomic_file
from tfgalaxy.progress import progress_bar

__all__ = ["report_command"]


def report_command(run: str, output: str | None, figures: str | None, quiet: bool, **options: Any) -> None:
    """`tfgalaxy report`."""
    remedy = "Name a page, a folder of figures, or both."
    check(bool(output or figures), "--output", "must be given, or --figures", None, remedy)
    page = None if output is None else check_page_path(output)
    with progress_bar("reading and predicting", "images", quiet) as report:
        material = collect_material(run, progress=report, **options)
    screen = Console(highlight=False, soft_wrap=True)
    if page is not None:
        with progress_bar("drawing", "figures", quiet) as report:
            text = report_page(material, report)
        with atomic_file(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
        screen.print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)")
    if figures is not None:
        with progress_bar("writing", "figures", quiet) as report:
            paths = write_figures(material, figures, report)
        screen.print(f"figures: {figures} ({len(paths)} files)")


def check_page_path(path: str) -> Path:
    """The page's path.

    Raises:
        InputError: it does not end in .html, or names a folder.
    """
    page = Path(path)
    check(
        page.suffix.lower() in (".html", ".htm"), "output", "must end in .html", path, "Name a file like report.html."
    )
    check(not page.is_dir(), "output", "must be a file", path, "Name another one.")
    return page
