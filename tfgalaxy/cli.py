"""The `tfgalaxy` command: parsing and dispatch only; what needs TensorFlow is imported inside the command that needs
it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from tfgalaxy.command_classes import CommandGroup, ManyValuesCommand

__all__ = ["main"]


catalogue_option = click.option("--catalogue", required=True, help="Table of votes: CSV, Parquet, FITS or VOTable.")
images_option = click.option("--images", required=True, help="Folder tree of images: JPEG, PNG or FITS.")
voters_option = click.option("--voters", type=int, help="Volunteers per galaxy, for fractions without counts.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")
part_option = click.option(
    "--part",
    type=click.Choice(["unseen", "all", "train", "validation", "test"]),
    default="unseen",
    show_default=True,
    help="Galaxies of the catalogue to judge by; unseen: all whose images the run has not used.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "mixed_bfloat16"]),
    help="Dtype of training; auto, which is the default without --config, measures which is faster.",
)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfgalaxy", prog_name="tfgalaxy")
def main() -> None:
    """Galaxy morphology from few volunteer votes and many images."""


@main.command()
@click.option("--output", default="demo", show_default=True, help="Directory to be made.")
@quiet_option
def demo(output: str, quiet: bool) -> None:
    """The whole journey on simulated galaxies; downloads nothing."""
    from tfgalaxy.demo import run_demo

    run_demo(Path(output), quiet)


@main.command()
@click.option("--count", type=int, required=True, help="Number of galaxies.")
@click.option("--output", required=True, help="Directory to be made: images/ and catalogue.csv.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--image-size", type=int, default=128, show_default=True, help="Pixels along each side.")
@click.option("--voters", type=int, default=40, show_default=True, help="Volunteers per galaxy.")
@click.option("--questions", default="gz2", show_default=True, help="gz1 or gz2.")
@quiet_option
def simulate(count: int, output: str, seed: int, image_size: int, voters: int, questions: str, quiet: bool) -> None:
    """Simulates galaxies of known shape and pose, and volunteers who vote on them."""
    from tfgalaxy.data.simulation import simulate as write
    from tfgalaxy.progress import progress_bar

    with progress_bar("simulating", "galaxies", quiet) as report:
        path = write(
            count,
            output,
            seed=seed,
            image_size=image_size,
            voters=voters,
            questions=questions,
            processes=os.cpu_count() or 1,
            progress=report,
        )
    click.echo(f"catalogue: {path}")


@main.command()
@catalogue_option
@images_option
@click.option("--questions", help="gz1, gz2, gz2-kaggle, decals, or a JSON file.")
@click.option("--regime", type=click.Choice(["supervised", "alternating", "two-step"]))
@click.option("--labels", type=int, help="Train on this many labelled galaxies; the others' images are unlabelled.")
@click.option("--unlabelled", help="Folder of more unlabelled images.")
@click.option("--image-size", type=int, help="Pixels along each side that the model sees.")
@click.option("--epochs", type=int, help="Epochs with the classifier's clock.")
@click.option("--seed", type=int, help="Of the weights, the views and the order of the batches.")
@click.option("--config", help="JSON file of a run's configuration; the other options go before it.")
@precision_option
@click.option("--output", required=True, help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output where it stopped.")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "mirrored", "multi-worker"]),
    default="auto",
    show_default=True,
    help="mirrored: all GPUs here; multi-worker: the cluster of TF_CONFIG; auto: whichever there is.",
)
@click.option("--cache", help="Folder that keeps decoded images between runs.")
@click.option("--tensorboard", metavar="DIR", help="Log scalars, pictures and the latent space for TensorBoard.")
@voters_option
@quiet_option
def train(catalogue: str, images: str, output: str, **options: Any) -> None:
    """Trains a model on a catalogue of votes and a folder of images."""
    from tfgalaxy.commands import train_command

    train_command(catalogue, images, Path(output), **options)


@main.command("label-efficiency", cls=ManyValuesCommand)
@catalogue_option
@images_option
@click.option("--questions", help="gz1, gz2, gz2-kaggle, decals, or a JSON file.")
@click.option("--labels", type=int, multiple=True, default=(100, 300, 800, 1200), show_default=True)
@click.option(
    "--regimes",
    type=click.Choice(["supervised", "alternating", "two-step"]),
    multiple=True,
    default=("supervised", "alternating", "two-step"),
    show_default=True,
)
@click.option(
    "--baselines",
    type=click.Choice(["class-means", "svm", "cnn", "none"]),
    multiple=True,
    default=("class-means", "svm", "cnn"),
    show_default=True,
)
@click.option("--seeds", type=int, default=5, show_default=True, help="Number of seeds: 0 to this less one.")
@click.option("--folds", type=int, help="Cross-validate over the labelled galaxies; by default one split.")
@click.option("--only", multiple=True, metavar="CELL", help="Run these cells, by name or pattern ('*-seed0*').")
@click.option("--unlabelled", help="Second folder of unlabelled images: regimes run without and with it.")
@click.option("--config", help="JSON file of a run's configuration; the other options go before it.")
@click.option("--image-size", type=int, help="Pixels along each side that the models see.")
@click.option("--cnn-steps", type=int, default=1500, show_default=True, help="Steps of the plain CNN.")
@click.option("--cache", help="Folder that keeps decoded images; by default in --output.")
@click.option("--output", required=True, help="The experiment's directory: new, or one to go on with.")
@voters_option
@quiet_option
def label_efficiency(catalogue: str, images: str, output: str, **options: Any) -> None:
    """Compares regimes and baselines over numbers of labels, seeds and folds; goes on where it stopped.

    Options named in the plural take several values: --labels 100 300 --regimes supervised alternating.
    """
    from tfgalaxy.commands import label_efficiency_command

    label_efficiency_command(catalogue, images, Path(output), **options)


@main.command()
@catalogue_option
@images_option
@click.option("--questions", help="gz1, gz2, gz2-kaggle, decals, or a JSON file.")
@click.option("--regime", type=click.Choice(["supervised", "alternating", "two-step"]), help="Unless it is searched.")
@click.option("--labels", type=int, help="Train on this many labelled galaxies; the others' images are unlabelled.")
@click.option("--unlabelled", help="Folder of more unlabelled images.")
@click.option("--image-size", type=int, help="Pixels along each side that the model sees.")
@click.option("--epochs", type=int, help="Epochs with the classifier's clock of a trial that is not ended early.")
@click.option("--seed", type=int, help="Of the search, and the first one of all its trials.")
@click.option("--config", help="JSON file of a run's configuration: what the space leaves open, and the first trial.")
@precision_option
@click.option("--space", default="all", show_default=True, metavar="all|classifier|FILE.json", help="What is searched.")
@click.option("--trials", type=int, default=12, show_default=True, help="At most so many trials.")
@click.option("--algorithm", default="bayesian", show_default=True, metavar="random|bayesian|hyperband")
@click.option("--objective", default="val_log_likelihood", show_default=True, help="By which trials are judged.")
@click.option("--workers", type=int, default=0, show_default=True, help="Processes that train trials side by side.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each trial, judged by their mean.")
@click.option("--stop-early/--no-stop-early", default=True, help="Whether the median rule ends poor trials.")
@click.option("--output", required=True, help="The search's directory: new, or one to go on with.")
@click.option("--cache", help="Folder that keeps decoded images; by default in --output.")
@voters_option
@quiet_option
def tune(catalogue: str, images: str, output: str, **options: Any) -> None:
    """Searches for the best configuration; goes on where it stopped. OUTPUT/best.json is for train --config."""
    from tfgalaxy.tune_command import tune_command

    tune_command(catalogue, images, Path(output), **options)


@main.command()
@click.argument("model", metavar="RUN|EXPORT")
@catalogue_option
@images_option
@part_option
@click.option("--questions", help="By default those of the run or export.")
@click.option("--json", "json_file", help="Write all numbers to this file.")
@voters_option
@quiet_option
def evaluate(model: str, catalogue: str, images: str, **options: Any) -> None:
    """Judges a run or an export on galaxies that it has not seen."""
    from tfgalaxy.commands import evaluate_command

    evaluate_command(model, catalogue, images, **options)


@main.command()
@click.argument("model", metavar="RUN|EXPORT")
@click.argument("pipeline_options", metavar="[-- BEAM_OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--images", help="Folder tree of images: JPEG, PNG or FITS; with --runner also a glob.")
@click.option("--catalogue", help="Table whose galaxies are predicted, in its order; it needs an id column only.")
@click.option("--tfrecords", metavar="GLOB", help="TFRecord files of tf.train.Example, instead of --images.")
@click.option("--image-feature", default="image", show_default=True, help="Feature of the JPEG or PNG bytes.")
@click.option("--id-feature", default="id", show_default=True, help="Feature of the id, if there is one.")
@click.option("--id-column", help="The catalogue's id column, if its name is none of the usual ones.")
@click.option("--file-column", help="The catalogue's file column, likewise.")
@click.option("--output", required=True, help="FILE.csv, .parquet, .fits, or .vot or .xml for VOTable.")
@click.option("--embedding", is_flag=True, help="Add the columns of latent variables and pose.")
@click.option("--voters", type=float, help="Volunteers per galaxy, for expected votes; by default the model's.")
@click.option(
    "--runner",
    type=click.Choice(["direct", "flink", "spark", "dataflow"]),
    help="Predict on Apache Beam (extra 'beam'), from an EXPORT to FILE-00000-of-000NN.parquet.",
)
@click.option("--shards", type=click.IntRange(min=0), default=0, help="With --runner: number of files; 0: as it comes.")
@click.option("--threads", type=click.IntRange(min=0), help="With --runner: TensorFlow's threads in a worker process.")
@quiet_option
def predict(model: str, output: str, **options: Any) -> None:
    """Predicts votes for every image of a folder, a catalogue or TFRecords.

    One row for each, broken ones with the reason. Stopped and called again, it goes on: unfinished outputs are kept in
    OUTPUT.parts. With --runner it is a Beam pipeline; what follows ' -- ' goes to Beam, as in --flink_master=HOST:PORT.
    """
    if options["runner"]:
        from tfgalaxy.export.beam_command import survey_command

        survey_command(model, output, **options)
        return
    from tfgalaxy.commands import predict_command

    predict_command(model, Path(output), **options)


@main.command()
@click.argument("run", metavar="RUN")
@images_option
@click.option("--json", "json_file", help="Write all numbers to this file.")
@click.option("--figure", help="Draw the errors into this file: .png, .svg or .pdf.")
@click.option("--count", type=int, default=200, show_default=True, help="Number of galaxies, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the galaxies and the transformations.")
@quiet_option
def equivariance(run: str, images: str, **options: Any) -> None:
    """Measures how a run's pose follows transformed galaxies, and how its answers do not."""
    from tfgalaxy.commands import equivariance_command

    equivariance_command(run, images, **options)


@main.command()
@click.argument("run", metavar="RUN")
@click.option("--output", help="The page, FILE.html.")
@click.option("--figures", metavar="DIR", help="Write each figure into this folder, as PNG and SVG.")
@click.option("--catalogue", help="Galaxies to judge the run by; by default those that it was trained with.")
@click.option("--images", help="Their images; likewise.")
@part_option
@click.option("--label-efficiency", metavar="DIR", help="Show this experiment of tfgalaxy label-efficiency too.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the intervals and of what is drawn at random.")
@click.option("--cache", help="Folder that keeps decoded images.")
@voters_option
@quiet_option
def report(run: str, output: str | None, figures: str | None, quiet: bool, **options: Any) -> None:
    """Shows a run in one page: learning curves, scores, calibration, galaxies with their votes, and a latent map."""
    from tfgalaxy.report_command import report_command

    report_command(run, output, figures, quiet, **options)


@main.command()
@click.argument("run", metavar="RUN")
@click.option("--output", required=True, help="BASE/NAME, the directory of the served model's versions.")
@click.option("--version", type=int, help="A new positive integer; by default the next one.")
@click.option("--evaluation", help="What 'tfgalaxy evaluate --json' wrote, for the metrics of the model card.")
@quiet_option
def export(run: str, output: str, version: int | None, evaluation: str | None, quiet: bool) -> None:
    """Writes a run's model as a SavedModel for TF Serving, and what serves it to BASE/serving."""
    from tfgalaxy.commands import export_command

    click.echo(f"SavedModel: {export_command(run, output, version, evaluation, quiet)}")


@main.command()
@click.argument("version", metavar="BASE/NAME/N")
@quiet_option
def verify(version: str, quiet: bool) -> None:
    """Checks an exported version from outside, in a process without tfgalaxy; exit code 1 if it must not be served."""
    from tfgalaxy.export.verify import verify_command

    verify_command(version, quiet)


@main.command()
@quiet_option
def doctor(quiet: bool) -> None:
    """Looks at versions, devices, memory and disk, and says what mends them; exit code 1 if they must be."""
    from tfgalaxy.doctor_command import doctor_command

    doctor_command(quiet)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the script that completes this command's words, for ~/.bashrc: eval "$(tfgalaxy completion bash)"."""
    from tfgalaxy.completion_command import completion_script

    click.echo(completion_script(main, shell))


if __name__ == "__main__":
    sys.exit(main())
