"""The `tfgalaxy` command: parsing and dispatch only; what needs TensorFlow is imported inside the command that needs
it.
"""

from __future__ import annotations

import os
import sys
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
@click.option("--output", required=True, help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output where it stopped.")
@click.option("--cache", help="Folder that keeps decoded images between runs.")
@voters_option
@quiet_option
def train(catalogue: str, images: str, output: str, **options: Any) -> None:
    """Trains a model on a catalogue of votes and a folder of images."""
    from tfgalaxy.commands import train_command

    train_command(catalogue, images, Path(output), **options)


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
@images_option
@click.option("--output", required=True, help="FILE.csv, FILE.parquet or FILE.fits.")
@quiet_option
def predict(model: str, images: str, output: str, quiet: bool) -> None:
    """Predicts vote fractions for every image of a folder."""
    from tfgalaxy.commands import predict_command

    predict_command(model, images, output, quiet)


@main.command()
@click.argument("run", metavar="RUN")
@click.option("--output", required=True, help="BASE/NAME, the directory of the served model's versions.")
@click.option("--version", type=int, help="A new positive integer; by default the next one.")
def export(run: str, output: str, version: int | None) -> None:
    """Writes a run's model as a SavedModel for TF Serving."""
    from tfgalaxy.commands import export_command

    click.echo(f"SavedModel: {export_command(run, output, version)}")


if __name__ == "__main__":
    sys.exit(main())
