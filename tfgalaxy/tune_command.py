"""What `tfgalaxy tune` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.progress import console
from tfgalaxy.run_options import with_options
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.precision import choose_precision
from tfgalaxy.tuning.results import results_table
from tfgalaxy.tuning.run_search import SearchOutcome, role, search
from tfgalaxy.tuning.search_directory import SearchDirectory
from tfgalaxy.tuning.space import load_space

__all__ = ["tune_command"]

SEARCH_OPTIONS = ("algorithm", "objective", "trials", "workers", "stop_early", "seeds", "quiet")


def tune_command(catalogue: str, images: str, output: Path, **options: Any) -> None:
    """`tfgalaxy tune`."""
    quiet = options["quiet"]
    config = _config(output, options)
    galaxies = load_catalogue(catalogue, images, config.data.questions, voters=config.data.voters)
    if options["unlabelled"]:
        galaxies = galaxies.with_unlabelled(options["unlabelled"])
    console(quiet).print(galaxies.summary())
    names = ("catalogue", "images", "unlabelled")
    try:
        outcome = search(
            output,
            galaxies,
            config,
            load_space(options["space"]),
            cache=options["cache"],
            sources=dict(zip(names, (catalogue, images, options["unlabelled"]), strict=True)),
            **{name: options[name] for name in SEARCH_OPTIONS},
        )
    except KeyboardInterrupt:
        console().print("stopped; the same command goes on with the trial that was running")
        raise SystemExit(130) from None
    if not outcome.rows:
        return
    Console().print(results_table(outcome.rows, options["objective"]))
    if outcome.best is not None:
        score = f"{options['objective']} {outcome.best.score:.4f}"
        directory = outcome.directory
        text = f"best: trial {outcome.best.trial}, {score}\n{_gain(outcome)}\nconfiguration: {directory.best_file}\n"
        text += f"table: {directory.table_file}\npicture: {directory.figure_files[0]}"
        Console().print(text, highlight=False, soft_wrap=True)


def _gain(outcome: SearchOutcome) -> str:
    """In words: the best trial's score less that of the configuration that the search began with."""
    first, best = outcome.rows[0], outcome.best
    assert best is not None
    if best.trial == first.trial:
        return "no trial is better than the configuration that the search began with"
    gains = ", ".join(f"{gain:+.4f}" for gain in best.gain_over(first))
    which = f"trial {first.trial}, the configuration that the search began with"
    return f"less the score of {which}, by run: {gains or 'not known'}"


def _config(output: Path, options: dict[str, Any]) -> RunConfig:
    """The configuration that is asked for, over that of the search in the directory, if there is one."""
    directory = SearchDirectory(output)
    if role() == "worker":
        directory.wait_for_plan()
    stored = directory.stored_config()
    config = RunConfig.from_json(options["config"]) if options["config"] else stored or RunConfig()
    config = with_options(config, options)
    asked = options["precision"]
    if asked is None and stored is not None:
        asked = stored.model.precision
    if asked is None:
        asked = config.model.precision if options["config"] else "auto"
    screen = console(options["quiet"])
    precision = choose_precision(asked, lambda line: screen.print(line, highlight=False, soft_wrap=True))
    return config.replace(model=config.model.replace(precision=precision))
