"""What the commands do; imported by `tfgalaxy.cli` only when one of them runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.image_index import find_images
from tfgalaxy.evaluation.assessment import assess, unseen
from tfgalaxy.export.prediction import open_predictor, predict_files
from tfgalaxy.export.prediction_table import check_table_path, write_table
from tfgalaxy.export.saved_model import save
from tfgalaxy.progress import console, progress_bar
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["evaluate_command", "export_command", "predict_command", "train_command", "with_options"]


# Where an option of `train` stands in the configuration.
OPTIONS = {
    "questions": (("data", "questions"),),
    "labels": (("data", "labels"),),
    "voters": (("data", "voters"),),
    "image_size": (("model", "image_size"),),
    "regime": (("training", "regime"),),
    "epochs": (("training", "epochs"),),
    "seed": (("training", "seed"), ("data", "label_seed")),
}


def with_options(config: RunConfig, options: Mapping[str, Any]) -> RunConfig:
    """The configuration with the options that were given put over it."""
    for option, places in OPTIONS.items():
        value = options.get(option)
        for section, field in places if value is not None else ():
            config = config.replace(**{section: getattr(config, section).replace(**{field: value})})
    return config


def train_command(catalogue: str, images: str, output: Path, **options: Any) -> None:
    """`tfgalaxy train`."""
    run, quiet, resume = RunDirectory(output), options["quiet"], options["resume"]
    if resume and run.run_file.is_file():
        config = run.config
    else:
        config = RunConfig.from_json(options["config"]) if options["config"] else RunConfig()
    config = with_options(config, options)
    galaxies = load_catalogue(catalogue, images, config.data.questions, voters=config.data.voters)
    if options["unlabelled"]:
        galaxies = galaxies.with_unlabelled(options["unlabelled"])
    console(quiet).print(galaxies.summary())
    names = ("catalogue", "images", "unlabelled")
    sources = dict(zip(names, (catalogue, images, options["unlabelled"]), strict=True))
    try:
        run = train(config, galaxies, output, resume, options["cache"], sources, quiet)
    except KeyboardInterrupt:
        command = f"tfgalaxy train --catalogue {catalogue} --images {images} --output {output} --resume"
        console().print(f"stopped; go on with: {command}")
        raise SystemExit(130) from None
    Console().print(f"run: {run.path}\nmodel: {run.model_file}", highlight=False)


def evaluate_command(model: str, catalogue: str, images: str, **options: Any) -> None:
    """`tfgalaxy evaluate`."""
    predictor = open_predictor(model)
    questions = options["questions"] or predictor.questions
    galaxies = load_catalogue(catalogue, images, questions, voters=options["voters"])
    chosen = unseen(model, galaxies, options["part"])
    screen = console(options["quiet"])
    screen.print(galaxies.summary())
    screen.print(f"judged by {len(chosen):,} of them (part: {options['part']})")
    with progress_bar("predicting", "images", options["quiet"]) as report:
        result = assess(predictor, chosen, progress=report)
    if options["json_file"]:
        result.evaluation.to_json(options["json_file"])
    Console().print(result.evaluation.table(result.baseline))


def predict_command(model: str, images: str, output: str, quiet: bool) -> None:
    """`tfgalaxy predict`."""
    check_table_path(output)
    predictor = open_predictor(model)
    files = list(find_images(images))
    with progress_bar("predicting", "images", quiet) as report:
        table = predict_files(predictor, files, progress=report)
    write_table(table, output)
    broken = int((table["valid"] == 0).sum())
    text = f"predictions: {output} ({len(table):,} images, {broken:,} broken ones with the reason)"
    Console().print(text, highlight=False)


def export_command(path: str, output: str, version: int | None) -> Path:
    """`tfgalaxy export`."""
    run = RunDirectory(path)
    record = run.read()
    card = {"run": str(run.path), "config": record["config"], "sources": record["sources"]}
    return save(run.load_model(), output, version, card)
