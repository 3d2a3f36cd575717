"""The `tfgalaxy` command: parsing and dispatch only; what needs TensorFlow is imported inside the command that needs
it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import click

from tfgalaxy.errors import InputError

__all__ = ["main"]


class _Group(click.Group):
    """Turns the package's errors into one line and exit code 2."""

    def invoke(self, context: click.Context) -> Any:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"tfgalaxy: {error}", err=True)
            context.exit(2)
        except OSError as error:
            click.echo(f"tfgalaxy: {error.filename or 'system'}: {error.strerror}", err=True)
            context.exit(1)


class _ManyValuesCommand(click.Command):
    """Lets an option that may be repeated take all words up to the next option: `--labels 100 300`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        return super().parse_args(ctx, repeat_names(args, names))


def repeat_names(arguments: Sequence[str], names: Container[str]) -> list[str]:
    """Names an option again before each further value that it is given.

    Example:
        >>> repeat_names(["--labels", "100", "300", "--seeds", "5"], {"--labels"})
        ['--labels', '100', '--labels', '300', '--seeds', '5']
    """
    result: list[str] = []
    current: str | None = None
    for argument in arguments:
        if argument.startswith("-"):
            current = argument if argument in names else None
        elif current is not None and result[-1] != current:
            result.append(current)
        result.append(argument)
    return result


catalogue_option = click.option("--catalogue", required=True, help="Table of votes: CSV, Parquet, FITS or VOTable.")
images_option = click.option("--images", required=True, help="Folder tree of images: JPEG, PNG or FITS.")
voters_option = click.option("--voters", type=int, help="Volunteers per galaxy, for fractions without counts.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfgalaxy", prog_name="tfgalaxy")
def main() -> None:
    """Galaxy morphology from few volunteer votes and many images."""


@main.command()
@click.option("--output", default="demo", show_default=True, help="Directory to be made.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
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
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "mixed_bfloat16"]),
    help="Dtype of training; auto, which is the default without --config, measures which is faster.",
)
@click.option("--output", required=True, help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output where it stopped.")
@click.option("--cache", help="Folder that keeps decoded images between runs.")
@voters_option
@quiet_option
def train(catalogue: str, images: str, output: str, **options: Any) -> None:
    """Trains a model on a catalogue of votes and a folder of images."""
    from tfgalaxy.commands import train_command

    train_command(catalogue, images, Path(output), **options)


@main.command("label-efficiency", cls=_ManyValuesCommand)
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
@click.argument("model", metavar="RUN|EXPORT")
@catalogue_option
@images_option
@click.option(
    "--part",
    type=click.Choice(["unseen", "all", "train", "validation", "test"]),
    default="unseen",
    show_default=True,
    help="Galaxies of the catalogue to judge by; unseen: all whose images the run has not used.",
)
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
@click.option("--images", help="Folder tree of images: JPEG, PNG or FITS.")
@click.option("--catalogue", help="Table whose galaxies are predicted, in its order; it needs an id column only.")
@click.option("--tfrecords", metavar="GLOB", help="TFRecord files of tf.train.Example, instead of --images.")
@click.option("--image-feature", default="image", show_default=True, help="Feature of the JPEG or PNG bytes.")
@click.option("--id-feature", default="id", show_default=True, help="Feature of the id, if there is one.")
@click.option("--id-column", help="The catalogue's id column, if its name is none of the usual ones.")
@click.option("--file-column", help="The catalogue's file column, likewise.")
@click.option("--output", required=True, help="FILE.csv, .parquet, .fits, or .vot or .xml for VOTable.")
@click.option("--embedding", is_flag=True, help="Add the columns of latent variables and pose.")
@click.option("--voters", type=float, help="Volunteers per galaxy, for expected votes; by default the model's.")
@quiet_option
def predict(model: str, output: str, **options: Any) -> None:
    """Predicts votes for every image of a folder, a catalogue or TFRecords.

    One row for each, broken ones with the reason. Stopped and called again, it goes on: unfinished outputs are kept in
    OUTPUT.parts.
    """
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
@click.option("--output", required=True, help="BASE/NAME, the directory of the served model's versions.")
@click.option("--version", type=int, help="A new positive integer; by default the next one.")
@click.option("--evaluation", help="What 'tfgalaxy evaluate --json' wrote, for the metrics of the model card.")
def export(run: str, output: str, version: int | None, evaluation: str | None) -> None:
    """Writes a run's model as a SavedModel for TF Serving, and what serves it to BASE/serving."""
    from tfgalaxy.commands import export_command

    click.echo(f"SavedModel: {export_command(run, output, version, evaluation)}")


@main.command()
@click.argument("version", metavar="BASE/NAME/N")
def verify(version: str) -> None:
    """Checks an exported version from outside, in a process without tfgalaxy; exit code 1 if it must not be served."""
    from tfgalaxy.export.verify import verify_command

    verify_command(version)


if __name__ == "__main__":
    sys.exit(main())
