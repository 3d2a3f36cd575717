"""What the commands do; imported by `tfgalaxy.cli` only when one of them runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue, load_catalogue
from tfgalaxy.evaluation.assessment import assess, unseen
from tfgalaxy.evaluation.equivariance_figure import equivariance_figure
from tfgalaxy.evaluation.figures import check_figure_path, save_figure
from tfgalaxy.evaluation.run_equivariance import run_equivariance
from tfgalaxy.export.model_card import run_card
from tfgalaxy.export.prediction import open_predictor
from tfgalaxy.export.prediction_inputs import PredictionInputs, catalogue_images, check_one_source, folder_images
from tfgalaxy.export.prediction_parts import parts_folder, predict_to_file
from tfgalaxy.export.prediction_table import check_table_path
from tfgalaxy.export.record_inputs import RecordImages
from tfgalaxy.export.saved_model import save
from tfgalaxy.progress import activity, console, progress_bar
from tfgalaxy.run_options import with_options
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.precision import choose_precision
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.strategy import Devices, choose_devices

__all__ = [
    "equivariance_command",
    "evaluate_command",
    "export_command",
    "label_efficiency_command",
    "predict_command",
    "train_command",
]


def train_command(catalogue: str, images: str, output: Path, **options: Any) -> None:
    """`tfgalaxy train`."""
    devices = choose_devices(options["strategy"])
    quiet, resume = options["quiet"] or not devices.chief, options["resume"]
    text = devices.from_chief(lambda: json.dumps(_run_config(RunDirectory(output), devices, options).to_dict()))
    config = RunConfig.from_dict(json.loads(text))
    galaxies = load_catalogue(catalogue, images, config.data.questions, voters=config.data.voters)
    if options["unlabelled"]:
        galaxies = galaxies.with_unlabelled(options["unlabelled"])
    console(quiet).print(galaxies.summary())
    names = ("catalogue", "images", "unlabelled")
    sources = dict(zip(names, (catalogue, images, options["unlabelled"]), strict=True))
    board = _board(options["tensorboard"], config, galaxies, options["cache"], devices)
    logged = () if board is None else (board.callback,)
    run = train(config, galaxies, output, resume, options["cache"], sources, quiet, callbacks=logged, devices=devices)
    if board is not None:
        board.finish(run.load_model())
    if devices.chief:
        Console().print(f"run: {run.path}\nmodel: {run.model_file}", highlight=False, soft_wrap=True)


def _board(directory: str | None, config: RunConfig, galaxies: Catalogue, cache: str | None, devices: Devices) -> Any:
    """The logs for TensorBoard, or None."""
    if directory is None:
        return None
    from tfgalaxy.training.tensorboard import RunBoard

    remedy = "Leave it out: RUN/tensorboard holds the scalars."
    check(devices.workers == 1, "tensorboard", "must not be given to several workers", directory, remedy)
    return RunBoard(directory, config, galaxies, cache)


def _run_config(run: RunDirectory, devices: Devices, options: Mapping[str, Any]) -> RunConfig:
    """That of the run to go on with, or a new one; with the options that were given put over it."""
    if options["resume"] and run.run_file.is_file():
        return with_options(run.config, options)
    config = with_options(RunConfig.from_json(options["config"]) if options["config"] else RunConfig(), options)
    if devices.replicas > 1 and not options["config"]:
        # As on one device: a replica's part of a batch has statistics of its own.
        config = config.replace(model=config.model.replace(normalization="synchronized"))
    return _with_precision(config, options, console(options["quiet"]))


def label_efficiency_command(catalogue: str, images: str, output: Path, **options: Any) -> None:
    """`tfgalaxy label-efficiency`."""
    # scikit-learn would keep the other commands waiting.
    from tfgalaxy.evaluation.label_efficiency.experiment import run_experiment
    from tfgalaxy.evaluation.label_efficiency.galaxies import ExperimentGalaxies
    from tfgalaxy.evaluation.label_efficiency.manifest import stored_config
    from tfgalaxy.evaluation.label_efficiency.plan import Plan

    stored = stored_config(output)
    config = RunConfig.from_json(options["config"]) if options["config"] else stored or RunConfig()
    config = with_options(config, {name: options[name] for name in ("questions", "voters", "image_size")})
    baselines = tuple(name for name in options["baselines"] if name != "none")
    more = options["unlabelled"] is not None
    plan = Plan(options["labels"], options["regimes"], baselines, options["seeds"], options["folds"], more)
    galaxies = load_catalogue(catalogue, images, config.data.questions, voters=config.data.voters)
    with_more = galaxies.with_unlabelled(options["unlabelled"]) if more else None
    console(options["quiet"]).print((galaxies if with_more is None else with_more).summary())
    names = ("catalogue", "images", "unlabelled")
    try:
        outcome = run_experiment(
            output,
            plan,
            config,
            ExperimentGalaxies(galaxies, with_more),
            only=options["only"],
            cnn_steps=options["cnn_steps"],
            cache=options["cache"],
            sources=dict(zip(names, (catalogue, images, options["unlabelled"]), strict=True)),
            quiet=options["quiet"],
        )
    except KeyboardInterrupt:
        console().print("stopped; the same command goes on where it was")
        raise SystemExit(130) from None
    elsewhere = f", {outcome.elsewhere} in other processes" if outcome.elsewhere else ""
    text = f"{outcome.finished} of {outcome.cells} cells finished{elsewhere}\ntable: {output / 'table.md'}"
    Console().print(text, highlight=False)


def _with_precision(config: RunConfig, options: Mapping[str, Any], screen: Console) -> RunConfig:
    """The configuration with the dtype asked for; without any word of it, the one that is faster here."""
    asked = options["precision"] or (config.model.precision if options["config"] else "auto")
    precision = choose_precision(asked, lambda line: screen.print(line, highlight=False, soft_wrap=True))
    return config.replace(model=config.model.replace(precision=precision))


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


def predict_command(model: str, output: Path, **options: Any) -> None:
    """`tfgalaxy predict`."""
    beam_only = {"what follows EXPORT": "pipeline_options", "--shards": "shards", "--threads": "threads"}
    for name, value in ((name, options[option]) for name, option in beam_only.items()):
        check(not value, name, "must come with --runner", value, "Name a runner of Beam, or leave it out.")
    check_table_path(output)
    inputs = _prediction_inputs(**options)
    # Blocks of images are spread over the cores, not operations; where TensorFlow has run already, its threads stay.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    predictor = open_predictor(model)
    chosen = {name: options[name] for name in ("embedding", "voters")}
    try:
        with progress_bar("predicting", "images", options["quiet"]) as report:
            outcome = predict_to_file(predictor, inputs, output, progress=report, **chosen)
    except KeyboardInterrupt:
        console().print(f"stopped; the same command goes on with what {parts_folder(output)} holds")
        raise SystemExit(130) from None
    resumed = f", {outcome.resumed:,} of them from before" if outcome.resumed else ""
    text = f"predictions: {output} ({outcome.rows:,} images{resumed}, {outcome.broken:,} broken ones with the reason)"
    Console().print(text, highlight=False, soft_wrap=True)


def _prediction_inputs(**options: Any) -> PredictionInputs:
    images, catalogue, tfrecords = (options[name] for name in ("images", "catalogue", "tfrecords"))
    check_one_source(images, catalogue, tfrecords)
    if tfrecords is not None:
        return RecordImages(tfrecords, options["image_feature"], options["id_feature"])
    if catalogue is not None:
        return catalogue_images(catalogue, images, options["id_column"], options["file_column"])
    return folder_images(images)


def equivariance_command(run: str, images: str, **options: Any) -> None:
    """`tfgalaxy equivariance`."""
    if options["figure"]:
        check_figure_path(options["figure"], "figure")
    with progress_bar("transforming", "images", options["quiet"]) as report:
        result = run_equivariance(run, images, options["count"], options["seed"], report)
    if options["json_file"]:
        result.to_json(options["json_file"])
    if options["figure"]:
        save_figure(equivariance_figure(result.equivariance, result.invariance), options["figure"])
    Console().print(result.tables())


def export_command(path: str, output: str, version: int | None, evaluation: str | None, quiet: bool = False) -> Path:
    """`tfgalaxy export`."""
    run = RunDirectory(path)
    with activity("writing the SavedModel", quiet):
        return save(run.load_model(), output, version, run_card(run, evaluation))
