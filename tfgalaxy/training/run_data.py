"""The galaxies of a run: split, taken as labelled, and decoded."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.progress import progress_bar
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.same_galaxies import digest_parts
from tfgalaxy.training.strategy import Devices

__all__ = ["RunData", "prepare_data"]


@dataclasses.dataclass(frozen=True)
class RunData:
    """The galaxies of a run, with their pixels in the same order.

    Attributes:
        train, validation, test: labelled galaxies; those of `train` are what the classifier's clock sees.
        train_pixels, validation_pixels: their pixels; with several workers, of this one's share.
        pool_pixels: of the unlabelled pool: every image that the VAE's clock may see, the labelled ones included; with
            several workers, of this one's share.
        pool_files: of the whole pool.
        pixels: of all of these.
        taught: galaxies of the pool with the votes that teachers expect, if there are any; `taught_pixels` are theirs.
    """

    train: Catalogue
    validation: Catalogue
    test: Catalogue
    train_pixels: Pixels
    validation_pixels: Pixels
    pool_pixels: Pixels
    pool_files: tuple[str, ...] = ()
    pixels: Pixels | None = None
    taught: Catalogue | None = None
    taught_pixels: Pixels | None = None

    @property
    def digest(self) -> str:
        """Of all workers' galaxies."""
        return digest_parts((self.train, self.validation), self.pool_files)

    @property
    def own_train(self) -> Catalogue:
        """This worker's share of `train`, which is all of it where there is one."""
        return _with_pixels(self.train, self.train_pixels)

    @property
    def own_validation(self) -> Catalogue:
        """This worker's share of `validation`."""
        return _with_pixels(self.validation, self.validation_pixels)


def _with_pixels(catalogue: Catalogue, pixels: Pixels) -> Catalogue:
    there = set(pixels.files)
    return catalogue.subset([row for row, file in enumerate(catalogue.files) if file in there])


def prepare_data(
    config: RunConfig,
    catalogue: Catalogue,
    cache: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    pixels: Pixels | None = None,
    devices: Devices | None = None,
) -> RunData:
    """Splits the catalogue, takes the labelled galaxies, and decodes all images that the run needs, unless `pixels`
    holds them. Of several workers, each decodes its share.
    """
    devices = devices or Devices()
    train, validation, test = catalogue.split(config.data.split_seed, config.data.split_fractions)
    if config.data.labels is not None:
        train = train.take_labelled(config.data.labels, config.data.label_seed)
    if len(train) == 0:
        raise InputError("catalogue", "must have labelled galaxies in the train part", 0, "Give a larger catalogue.")
    model = config.model
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    if config.training.regime == "supervised":
        train = dataclasses.replace(train, unlabelled_files=np.empty(0, object))
    own, own_validation = (part.share(devices.worker, devices.workers) for part in (train, validation))
    files = [*own.files, *own_validation.files, *own.unlabelled_files]
    if pixels is None:
        with progress_bar("reading images", "images", quiet) as report:
            pixels = load_pixels(files, settings, cache=cache, progress=report)
    excluded = [tuple(entry) for text in devices.gather_text(json.dumps(pixels.excluded)) for entry in json.loads(text)]
    pixels = dataclasses.replace(pixels, excluded=tuple(excluded))
    train, validation = exclude_broken(train, pixels), exclude_broken(validation, pixels)
    own, own_validation = exclude_broken(own, pixels), exclude_broken(own_validation, pixels)
    _check_shares(own, own_validation, devices)
    # In an order that does not depend on which of them are labelled: see `SharedStart`.
    pool = sorted([*train.files, *train.unlabelled_files])
    own_pool = pool if devices.workers == 1 else sorted([*own.files, *own.unlabelled_files])
    own_pixels, validation_pixels = pixels.select(own.files), pixels.select(own_validation.files)
    pool_pixels = pixels.select(own_pool)
    return RunData(train, validation, test, own_pixels, validation_pixels, pool_pixels, tuple(pool), pixels)


def _check_shares(train: Catalogue, validation: Catalogue, devices: Devices) -> None:
    """A worker without galaxies would leave the others waiting: all fail then, with the same words."""
    for name, part in (("train", train), ("validation", validation)):
        sizes = [int(text) for text in devices.gather_text(str(len(part)))]
        remedy = "Start fewer workers, or give more galaxies."
        check(
            min(sizes) > 0 or sum(sizes) == 0, f"the {name} part", "must have a galaxy for each worker", sizes, remedy
        )
