"""Trains a `GalaxyVAE` from a catalogue into a run's directory, in any regime, resumable at any moment."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.exclusions import Exclusion, write_excluded
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.files import atomic_file
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.progress import console, progress_bar
from tfgalaxy.training.batches import phase_batches, validation_batches
from tfgalaxy.training.calibration import calibrate_concentration
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.finite_terms import FiniteTerms
from tfgalaxy.training.progress import StepProgress
from tfgalaxy.training.regimes import make_optimizers, phases
from tfgalaxy.training.run_data import RunData, prepare_data
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.run_log import RunLog
from tfgalaxy.training.run_model import finished_model, make_model
from tfgalaxy.training.run_opening import check_agreement, open_run
from tfgalaxy.training.same_galaxies import check_same_galaxies
from tfgalaxy.training.shared_start import SharedStart
from tfgalaxy.training.simulated_start import SIMULATED_STARTS, load_simulated_start, make_simulated_start
from tfgalaxy.training.strategy import Devices
from tfgalaxy.training.teachers import TEACHERS, with_soft_votes
from tfgalaxy.training.weight_average import WeightAverage

__all__ = ["train"]


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
    callbacks: Sequence[Any] = (),
    devices: Devices | None = None,
    simulated_start: str | os.PathLike[str] | None = None,
) -> RunDirectory:
    """Trains a model, keeps the best epoch's weights and fits their concentrations to the validation galaxies' votes.

    Args:
        config: of the run. When resuming, it must be the one that the run was started with.
        catalogue: labelled galaxies and the unlabelled pool; split here, by hash of the id.
        output: the run's directory: new, or with `resume` one that an earlier call has left. A run that was never
            started there is started.
        cache: where decoded images, and what was learnt from simulated ones, are kept between runs; in memory and in
            the run's directory when None.
        sources: where the data came from, for the record.
        quiet: whether to show no progress.
        pixels: decoded images that hold all of the run's, so that none is decoded twice.
        starts: folder where the state after the unlabelled epochs is kept for runs that begin alike, and taken from;
            what comes out is the same as without it.
        callbacks: Keras callbacks of all epochs, called after an epoch's checkpoint is written: one that raises leaves
            a run that can be resumed.
        devices: what to train on; one device by default. Every worker of a cluster calls this with the same arguments,
            and `output` is on a file system that all of them see; only the chief writes there.
        simulated_start: file of a simulated start, where the configuration asks for one; its own by default.

    Returns:
        The finished run.

    Raises:
        InputError: see `RunDirectory.create`, `Catalogue.split` and `Catalogue.take_labelled`; or another configuration
            than that of the run to be resumed.
    """
    devices = devices or Devices()
    devices.check_batch_size(config.training.batch_size)
    shared = None if starts is None else Path(starts)
    check(shared is None or devices.workers == 1, "starts", "must be left out with several workers", starts, "Drop it.")
    with open_run(output, config, resume, sources or {}, devices) as run:
        if run is not None:
            places = _Places(Path(output), cache, shared, simulated_start)
            _train(run, config, catalogue, places, quiet or not devices.chief, pixels, callbacks, devices)
    return RunDirectory(output)


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where a run finds and leaves what is not its own; see `train`. `output` is that of all workers."""

    output: Path
    cache: str | os.PathLike[str] | None
    starts: Path | None
    simulated_start: str | os.PathLike[str] | None

    def find_simulated_start(self, config: RunConfig, run: RunDirectory, quiet: bool, devices: Devices) -> Path:
        """The file of the simulated start, which is made if it is not there."""
        if self.simulated_start is not None:
            return Path(self.simulated_start)
        folder = Path(self.starts or self.cache or run.path)
        return Path(devices.from_chief(lambda: str(make_simulated_start(config, folder, quiet))))


def _train(
    run: RunDirectory,
    config: RunConfig,
    catalogue: Catalogue,
    places: _Places,
    quiet: bool,
    pixels: Pixels | None,
    callbacks: Sequence[Any],
    devices: Devices,
) -> None:
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    data = prepare_data(config, catalogue, places.cache, quiet, pixels, devices)
    check_same_galaxies(run.checkpoint_file, data.digest)
    excluded = _write_split(run, catalogue, data)
    write_excluded(run.excluded_file, excluded)
    if excluded:
        console(quiet).print(
            f"{len(excluded):,} excluded, listed with the reason in {run.excluded_file}", soft_wrap=True
        )
    data = _taught(run, config, catalogue, data, places, quiet, devices)
    keras.utils.set_random_seed(config.training.seed)
    with devices.strategy.scope():
        model = make_model(config, data.train)
    _fit(run, config, data, model, places, quiet, callbacks, devices)
    model = finished_model(model)
    calibrate_concentration(model, data.validation_pixels.array, data.own_validation.votes, gather=devices.gather)
    with atomic_file(run.model_file) as temporary:
        model.save(temporary)
    run.checkpoint_file.unlink(missing_ok=True)
    for start in run.path.glob(SIMULATED_STARTS):
        start.unlink()
    if devices.chief:
        shutil.rmtree(places.output / TEACHERS, ignore_errors=True)


def _taught(
    run: RunDirectory,
    config: RunConfig,
    catalogue: Catalogue,
    data: RunData,
    places: _Places,
    quiet: bool,
    devices: Devices,
) -> RunData:
    """The galaxies with what teachers say about those without votes. Teachers begin where the run itself does."""
    if not config.training.teachers:
        return data
    start = places.find_simulated_start(config, run, quiet, devices) if config.training.simulated_start else None
    settings: dict[str, Any] = {"pixels": data.pixels, "devices": devices, "simulated_start": start, "quiet": quiet}

    def teacher(own: RunConfig, folder: Path) -> RunDirectory:
        return train(own, catalogue, folder, resume=True, **settings)

    return with_soft_votes(config, data, places.output / TEACHERS, teacher, quiet, devices)


def _fit(
    run: RunDirectory,
    config: RunConfig,
    data: RunData,
    model: GalaxyVAE,
    places: _Places,
    quiet: bool,
    callbacks: Sequence[Any],
    devices: Devices,
) -> None:
    training, labels = config.training, len(data.train)
    plan = phases(training, labels)
    with devices.strategy.scope():
        optimizers = make_optimizers(training, labels)
        model.compile(**optimizers)  # builds the optimisers' variables, which a checkpoint may fill
    average = WeightAverage(model, training.weight_average)
    log = RunLog(run, model, optimizers, average, training.patience, data.digest)
    log.resume()
    remedy = "Put it on a file system that all workers see."
    check_agreement(devices, "the checkpoint in output", f"at epoch {log.next_epoch}", remedy)
    start = None
    if places.starts is not None and plan[0].batches == "unlabelled":
        start = SharedStart(places.starts, config, data.pool_pixels, model, optimizers["vae_optimizer"])
    taken = start.take() if start is not None and log.next_epoch == 0 else None
    if taken is not None:
        log.rows, log.next_epoch = taken, plan[0].last_epoch
    elif log.next_epoch == 0 and training.simulated_start:
        load_simulated_start(model, places.find_simulated_start(config, run, quiet, devices))
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
            with devices.strategy.scope():
                model.compile(
                    **optimizers,
                    vae_views=phase.vae_views,
                    contrast_weight=phase.contrast_weight,
                    kl_weight=training.kl_weight,
                    vae_steps=phase.vae_steps,
                    classifier_steps=phase.classifier_steps,
                    fine_tune=phase.fine_tune,
                )
            validation, validation_steps = validation_batches(data, training.batch_size, devices)
            model.fit(
                phase_batches(phase, data, training, log.next_epoch, devices),
                validation_data=validation,
                validation_steps=validation_steps,
                steps_per_epoch=training.steps_per_epoch,
                initial_epoch=log.next_epoch,
                epochs=phase.last_epoch,
                callbacks=[average, FiniteTerms(), log, progress, *callbacks],
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
    for file in data.pool_files:
        if file not in labelled:
            rows.append({"id": ids.get(file, Path(file).name.split(".")[0]), "part": "unlabelled", "file": file})
    run.write_table(run.split_file, ["id", "part", "file"], rows)
    # The train part carries the catalogue's own exclusions.
    return [*data.train.excluded, *data.validation.excluded]
