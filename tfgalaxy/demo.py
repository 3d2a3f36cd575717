"""The whole journey on simulated galaxies: `tfgalaxy demo`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tfgalaxy.data.catalogue import Catalogue, load_catalogue
from tfgalaxy.data.image_index import find_images
from tfgalaxy.data.simulation import simulate
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.assessment import Assessment, assess, unseen
from tfgalaxy.evaluation.evaluate import Evaluation
from tfgalaxy.evaluation.figures import save_figure
from tfgalaxy.evaluation.gallery import gallery
from tfgalaxy.evaluation.learning_curves import learning_curves
from tfgalaxy.evaluation.score_figures import compare_evaluations
from tfgalaxy.export.prediction import Predictor, open_predictor, predict_files
from tfgalaxy.export.prediction_table import write_table
from tfgalaxy.export.saved_model import save
from tfgalaxy.progress import console, progress_bar
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["run_demo"]

GALAXIES, LABELS = 1500, 100
# Short, for a laptop; `tfgalaxy train` has longer defaults.
EPOCHS, UNLABELLED_EPOCHS = 4, 4
QUESTIONS = "gz1"
FIRST_QUESTION = "smooth-or-featured"
SHOWN = 5


def run_demo(output: Path, quiet: bool = False) -> None:
    """Simulates, trains two regimes on the same few labels, judges both on the same galaxies, predicts, exports, draws.

    Raises:
        InputError: the output directory holds something already.
    """
    if output.exists() and any(output.iterdir()):
        raise InputError("output", "must not exist yet, or be empty", str(output), "Name another directory.")
    galaxies = _simulated(output / "galaxies", quiet)
    runs, assessments = {}, {}
    for regime in ("supervised", "alternating"):
        console(quiet).print(f"{regime}: {LABELS} labelled galaxies")
        config = RunConfig(
            data=DataConfig(questions=QUESTIONS, labels=LABELS),
            # These galaxies are simulated ones: a start from more of them would tell their answers.
            training=TrainingConfig(
                regime=regime,
                epochs=EPOCHS,
                unlabelled_epochs=UNLABELLED_EPOCHS,
                simulated_galaxies=0,
                teachers=0,
            ),
        )
        runs[regime] = train(config, galaxies, output / regime, quiet=quiet)
        part = unseen(runs[regime].path, galaxies, "test")
        assessments[regime] = assess(runs[regime].path, part)
    run = runs["alternating"]
    exported = save(run.load_model(), output / "models" / "galaxy")
    made = {
        "simulated galaxies": output / "galaxies" / "catalogue.csv",
        "runs": ", ".join(str(item.path) for item in runs.values()),
        "SavedModel for TF Serving": exported,
        "predictions": _predictions(exported, output, quiet),
        **_figures(output / "figures", run, assessments),
    }
    _print_summary(assessments, made)


def _simulated(folder: Path, quiet: bool) -> Catalogue:
    with progress_bar("simulating", "galaxies", quiet) as report:
        path = simulate(GALAXIES, folder, questions=QUESTIONS, processes=os.cpu_count() or 1, progress=report)
    return load_catalogue(path, path.parent, QUESTIONS)


def _predictions(exported: Path, output: Path, quiet: bool) -> Path:
    """Predictions of the exported model for all images, as `tfgalaxy predict` makes them."""
    files = list(find_images(output / "galaxies"))
    with progress_bar("predicting", "images", quiet) as report:
        table = predict_files(open_predictor(exported), files, progress=report)
    write_table(table, output / "predictions.csv")
    return output / "predictions.csv"


def _figures(folder: Path, run: RunDirectory, assessments: dict[str, Assessment]) -> dict[str, Path]:
    """Learning curves, the comparison of regimes, and a few galaxies with what the model makes of them."""
    made = {name: folder / f"{name}.png" for name in ("learning_curves", "comparison", "gallery")}
    history = pd.read_csv(run.history_file)
    quantities = ["loss", "log_likelihood", "accuracy", "elbo"]
    shown = [name for name in quantities if name in history.columns]
    save_figure(learning_curves(history, quantities=shown), made["learning_curves"])
    evaluations = {regime: item.evaluation for regime, item in assessments.items()}
    save_figure(compare_evaluations(evaluations, "rmse"), made["comparison"])
    save_figure(_gallery(run, assessments["alternating"]), made["gallery"])
    return made


def _gallery(run: RunDirectory, assessment: Assessment) -> Any:
    from tfgalaxy.data.pixels import load_pixels

    catalogue = assessment.catalogue.subset(np.arange(min(SHOWN, len(assessment.catalogue))))
    predictor = Predictor.from_model(run.load_model())
    images = load_pixels(catalogue.files, predictor.preprocessing).array
    views = predictor.predict(images, "reconstruct")
    return gallery(
        catalogue.questions,
        images / 255.0,
        catalogue.votes,
        assessment.predictions["fraction"][: len(images)],
        FIRST_QUESTION,
        canonical_views=views["canonical_view"],
        reconstructions=views["reconstruction"],
        labels=list(catalogue.ids),
    )


def _print_summary(assessments: dict[str, Assessment], made: dict[str, Any]) -> None:
    count = len(assessments["alternating"].catalogue)
    title = f"{FIRST_QUESTION}: {LABELS} labelled galaxies, judged on {count} others (90 % intervals)"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    metrics = ("rmse", "accuracy", "log_likelihood")
    for name in ("", *metrics):
        table.add_column(name, justify="right" if name else "left")
    rows = {regime: item.evaluation for regime, item in assessments.items()}
    baseline = assessments["alternating"].baseline
    for name, evaluation in {"class means": baseline, **rows}.items():
        table.add_row(name, *(_cell(evaluation, metric) for metric in metrics))
    screen = Console(highlight=False)
    screen.print(table)
    for name, path in made.items():
        screen.print(f"{name.replace('_', ' ')}: {path}", soft_wrap=True)


def _cell(evaluation: Evaluation | None, metric: str) -> str:
    score = None if evaluation is None else evaluation.score(metric, FIRST_QUESTION)
    if score is None or score.value is None or score.interval is None:
        return "-"
    low, high = score.interval
    return f"{score.value:.3f} ({low:.3f} to {high:.3f})"
