"""The galaxies of an experiment: what each cell learns from, and what it is judged by."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.image_index import image_stem
from tfgalaxy.evaluation.label_efficiency.plan import REGIMES, Cell, Plan
from tfgalaxy.training.config import RunConfig

__all__ = ["CellGalaxies", "ExperimentGalaxies", "digest_catalogue", "digest_names"]


def digest_names(files: Iterable[str]) -> str:
    """A hash of the images' names, whatever folder they stand in and in whatever order."""
    names = sorted(map(image_stem, files))
    return hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest()


def digest_catalogue(catalogue: Catalogue) -> str:
    """A hash of questions, ids, votes and the names of all images: the same on every machine that shares the data."""
    total = hashlib.blake2b(json.dumps(catalogue.questions.to_dict()).encode(), digest_size=16)
    for row in np.argsort(catalogue.ids.astype(str)):
        total.update(f"\n{catalogue.ids[row]} ".encode() + catalogue.votes[row].astype("<f4").tobytes())
    total.update(digest_names([*catalogue.files, *catalogue.unlabelled_files]).encode())
    return total.hexdigest()


class CellGalaxies(NamedTuple):
    """What a cell is made from.

    Attributes:
        config: of its run. The run itself splits `learnt` and takes the labelled subset.
        learnt: all galaxies but those of the fold; without folds all of them, and the run sets the test part aside.
        test: the galaxies that the cell is judged by.
    """

    config: RunConfig
    learnt: Catalogue
    test: Catalogue


@dataclasses.dataclass(frozen=True, eq=False)
class ExperimentGalaxies:
    """The catalogue, without and with the second folder of unlabelled images (None where there is none)."""

    catalogue: Catalogue
    with_more: Catalogue | None = None

    def of_cell(self, cell: Cell, config: RunConfig, folds: int | None) -> CellGalaxies:
        """What a cell is made from, given the experiment's configuration.

        With folds, the fold is held out before the run sees the catalogue, and the run splits the others into train and
        validation in the proportion that `split_fractions` gives these two. The split depends on `split_seed` alone.
        """
        galaxies = self.with_more if cell.more_unlabelled and self.with_more is not None else self.catalogue
        regime = next((regime for regime in REGIMES if regime == cell.method), "supervised")
        data = config.data.replace(labels=cell.labels, label_seed=cell.seed)
        training = config.training.replace(regime=regime, seed=cell.seed)
        if folds is None or cell.fold is None:
            test = galaxies.split(data.split_seed, data.split_fractions)[2]
            return CellGalaxies(config.replace(data=data, training=training), galaxies, test)
        train, validation, _ = data.split_fractions
        data = data.replace(split_fractions=(train / (train + validation), validation / (train + validation), 0.0))
        learnt, test = galaxies.hold_out_fold(cell.fold, folds, data.split_seed)
        return CellGalaxies(config.replace(data=data, training=training), learnt, test)

    def check_plan(self, plan: Plan, config: RunConfig) -> None:
        """Raises `InputError` if a train part holds fewer galaxies than labels are asked for, or a test part none."""
        by_fold = {cell.fold: cell for cell in plan.cells()}
        made = [self.of_cell(cell, config, plan.folds) for cell in by_fold.values()]
        sizes = [len(_train_part(part.learnt, part.config)) for part in made]
        most = max(plan.labels)
        where = "the train part" if plan.folds is None else f"the smallest train part of {plan.folds} folds"
        remedy = (
            "Ask for fewer, give a larger catalogue or more folds, or smaller shares for validation and test "
            f"(data.split_fractions in --config, now {list(config.data.split_fractions)})."
        )
        check(most <= min(sizes), "labels", f"must be at most {min(sizes)}, {where}", most, remedy)
        tested = min(len(part.test) for part in made)
        check(tested > 0, "catalogue", "must have galaxies in every test part", tested, "Give a larger catalogue.")

    @functools.cached_property
    def digest(self) -> str:
        return digest_catalogue(self.catalogue)

    @functools.cached_property
    def more_digest(self) -> str | None:
        """Of the images that the second folder adds."""
        if self.with_more is None:
            return None
        known = set(self.catalogue.unlabelled_files)
        return digest_names(file for file in self.with_more.unlabelled_files if file not in known)


def _train_part(galaxies: Catalogue, config: RunConfig) -> Catalogue:
    return galaxies.split(config.data.split_seed, config.data.split_fractions)[0]
