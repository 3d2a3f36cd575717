"""Trains a `GalaxyVAE` from a catalogue into a run's directory, in any regime, resumable at any moment."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.exclusions import Exclusion, write_excluded
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.progress import console, progress_bar
from tfgalaxy.training.batches import phase_batches, validation_batches
from tfgalaxy.training.calibration import calibrate_concentration
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.progress import StepProgress
from tfgalaxy.training.regimes import make_optimizers, phases
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.run_log import RunLog
from tfgalaxy.training.shared_start import SharedStart
from tfgalaxy.training.weight_average import WeightAverage, get_values, set_values

__all__ = ["RunData", "prepare_data", "train"]


@dataclasses.dataclass(frozen=True)
class RunData:
    """The galaxies of a run, with their pixels in the same order.

    Attributes:
        train, validation, test: labelled galaxies; those of `train` are what the classifier's clock sees.
        train_pixels, validation_pixels: their pixels.
        pool_pixels: of the unlabelled pool: every image that the VAE's clock may see, the labelled ones included.
    """

    train: Catalogue
    validation: Catalogue
    test: Catalogue
    train_pixels: Pixels
    validation_pixels: Pixels
    pool_pixels: Pixels


def prepare_data(
    config: RunConfig,
    catalogue: Catalogue,
    cache: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    pixels: Pixels | None = None,
) -> RunData:
    """Splits the catalogue, takes the labelled galaxies, and decodes all images that the run needs, unless `pixels`
    holds them.
    """
    train, validation, test = catalogue.split(config.data.split_seed, config.data.split_fractions)
    if config.data.labels is not None:
        train = train.take_labelled(config.data.labels, config.data.label_seed)
    if len(train) == 0:
        raise InputError("catalogue", "must have labelled galaxies in the train part", 0, "Give a larger catalogue.")
    model = config.model
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    pool = [] if config.training.regime == "supervised" else list(train.unlabelled_files)
    files = [*train.files, *validation.files, *pool]
    if pixels is None:
        with progress_bar("reading images", "images", quiet) as report:
            pixels = load_pixels(files, settings, cache=cache, progress=report)
    train, validation = exclude_broken(train, pixels), exclude_broken(validation, pixels)
    train_pixels, validation_pixels = pixels.select(train.files), pixels.select(validation.files)
    broken = {file for file, _ in pixels.excluded}
    # In an order that does not depend on which of them are labelled: see `SharedStart`.
    pool_pixels = pixels.select(sorted([*train.files, *(file for file in pool if file not in broken)]))
    return RunData(train, validation, test, train_pixels, validation_pixels, pool_pixels)


def train(
    config: RunConfig,
    catalogue: Catalogue,
    output: str | os.PathLike[str],
    resume: bool = False,
    cache: str | os.PathLike[str] | None = None,
    sources: dict[str, Any] | None = None,
    quiet: bool = False,
    pixels: Pixels | None = None,
    starts: str | os.PathLike[str] | None = None,
) -> RunDirectory:
    """Trains a model, keeps the best epoch's weights and fits their concentrations to the validation galaxies' votes.

    Args:
        config: of the run. When resuming, it must be the one that the run was started with.
        catalogue: labelled galaxies and the unlabelled pool; split here, by hash of the id.
        output: the run's directory: new, or with `resume` one that an earlier call has left. A run that was never
            started there is started.
        cache: where decoded images are kept between runs; in memory when None.
        sources: where the data came from, for the record.
        quiet: whether to show no progress.
        pixels: decoded images that hold all of the run's, so that none is decoded twice.
        starts: folder where the state after the unlabelled epochs is kept for runs that begin alike, and taken from;
            what comes out is the same as without it.

    Returns:
        The finished run.

    Raises:
        InputError: see `RunDirectory.create`, `Catalogue.split` and `Catalogue.take_labelled`; or another configuration
            than that of the run to be resumed.
    """
    run = RunDirectory(output)
    if resume and run.run_file.is_file():
        if run.config != config:
            remedy = "Leave the other options out: a resumed run goes on with its own."
            raise InputError("config", f"must be the one in {run.run_file}", "another one", remedy)
        if run.finished:
            return run
    else:
        run.create(config, sources or {})
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.training.seed)
    data = prepare_data(config, catalogue, cache, quiet, pixels)
    excluded = _write_split(run, catalogue, data)
    write_excluded(run.excluded_file, excluded)
    if excluded:
        console(quiet).print(
            f"{len(excluded):,} excluded, listed with the reason in {run.excluded_file}", soft_wrap=True
        )
    model = make_model(config, data.train)
    _fit(run, config, data, model, quiet, None if starts is None else Path(starts))
    model = in_float32(model)
    calibrate_concentration(model, data.validation_pixels.array, data.validation.votes)
    with atomic_file(run.model_file) as temporary:
        model.save(temporary)
    run.checkpoint_file.unlink(missing_ok=True)
    return run


def make_model(config: RunConfig, train_part: Catalogue) -> GalaxyVAE:
    """The run's model before training; it starts at the mean fractions of the labelled galaxies' votes."""
    questions, votes = train_part.questions, train_part.votes.sum(axis=0)
    totals = np.add.reduceat(votes, [part.start for part in questions.slices])[questions.question_index]
    sizes = np.bincount(questions.question_index)[questions.question_index]
    means = np.where(totals > 0, votes / np.maximum(totals, 1e-9), 1.0 / sizes)
    fractions = tuple(round(float(mean), 6) for mean in means)
    return GalaxyVAE(questions, config.model.replace(answer_fractions=fractions, seed=config.training.seed))


def in_float32(model: GalaxyVAE) -> GalaxyVAE:
    """The same weights in a model that computes in float32: bfloat16 is for fitting, not for predictions."""
    if model.config.precision == "float32":
        return model
    exact = GalaxyVAE(model.questions, model.config.replace(precision="float32"))
    set_values(exact.state_variables, get_values(model.state_variables))
    exact.compile()
    return exact


def _fit(
    run: RunDirectory, config: RunConfig, data: RunData, model: GalaxyVAE, quiet: bool, starts: Path | None
) -> None:
    training, labels = config.training, len(data.train)
    optimizers = make_optimizers(training, labels)
    plan = phases(training, labels)
    model.compile(**optimizers)  # builds the optimisers' variables, which a checkpoint may fill
    average = WeightAverage(model, training.weight_average)
    log = RunLog(run, model, optimizers, average, training.patience)
    log.resume()
    start = None
    if starts is not None and plan[0].batches == "unlabelled":
        start = SharedStart(starts, config, data.pool_pixels, model, optimizers["vae_optimizer"])
    taken = start.take() if start is not None and log.next_epoch == 0 else None
    if taken is not None:
        log.rows, log.next_epoch = taken, plan[0].last_epoch
    total_steps = plan[-1].last_epoch * training.steps_per_epoch
    with progress_bar("training", "steps", quiet) as report:
        progress = StepProgress(report, total_steps, log.next_epoch * training.steps_per_epoch)
        for phase in plan:
            if log.next_epoch >= phase.last_epoch or log.stopped:
                continue
            if log.next_epoch == phase.first_epoch:
                if phase.first_epoch > 0 and taken is None:
                    _take_over(model, average)
                    if start is not None:
                        start.keep(log.rows)
                average.start()
            log.phase = phase
            model.compile(
                **optimizers,
                vae_views=phase.vae_views,
                contrast_weight=phase.contrast_weight,
                fine_tune=phase.fine_tune,
            )
            model.fit(
                phase_batches(phase, data, training, first_epoch=log.next_epoch),
                validation_data=validation_batches(data, training.batch_size),
                steps_per_epoch=training.steps_per_epoch,
                initial_epoch=log.next_epoch,
                epochs=phase.last_epoch,
                callbacks=[average, log, progress],
                shuffle=False,  # the batches are; Keras 3 would warn of it
                verbose=0,
            )
    log.restore_best()


def _take_over(model: GalaxyVAE, average: WeightAverage) -> None:
    """What the classifier's clock finds after unlabelled epochs: averaged weights, and the VAE's statistics as its
    own.
    """
    average.accept()
    model.copy_statistics("vae", "classifier")


def _write_split(run: RunDirectory, catalogue: Catalogue, data: RunData) -> list[Exclusion]:
    rows = []
    for part in ("train", "validation", "test"):
        galaxies = getattr(data, part)
        rows += [{"id": i, "part": part, "file": f} for i, f in zip(galaxies.ids, galaxies.files, strict=True)]
    labelled = set(data.train.files)
    ids = dict(zip(catalogue.files, catalogue.ids, strict=True))
    for file in data.pool_pixels.files:
        if file not in labelled:
            rows.append({"id": ids.get(file, Path(file).name.split(".")[0]), "part": "unlabelled", "file": file})
    run.write_table(run.split_file, ["id", "part", "file"], rows)
    # The train part carries the catalogue's own exclusions.
    return [*data.train.excluded, *data.validation.excluded]
