"""A run judged by how its pose and its answers behave as galaxies are transformed."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from rich.console import Group

from tfgalaxy.configuration import check
from tfgalaxy.data.image_index import exclude_ids, find_images
from tfgalaxy.evaluation.equivariance import EquivarianceError, Progress, equivariance_error
from tfgalaxy.evaluation.invariance import CHANGES, InvarianceError, invariance_error
from tfgalaxy.evaluation.transformed_images import PictureFiles, readable_files
from tfgalaxy.export.signatures import preprocessing_of
from tfgalaxy.files import atomic_file
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["RunEquivariance", "run_equivariance"]

DRAWS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class RunEquivariance:
    """What came out.

    Attributes:
        equivariance: of the trained transformer; None for a model without transformations.
        invariance: of the classifier's answers.
        unseen: whether all galaxies were chosen among those whose images the run has not used.
    """

    equivariance: EquivarianceError | None
    invariance: InvarianceError
    unseen: bool

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes both to a file, in one step: `equivariance` (or null), `invariance`, `unseen`."""
        pose = None if self.equivariance is None else self.equivariance.to_dict()
        record = {"equivariance": pose, "invariance": self.invariance.to_dict(), "unseen": self.unseen}
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def tables(self) -> Group:
        """For the terminal."""
        made: list[Any] = [self.invariance.table()]
        if self.equivariance is None:
            return Group("The run's model predicts no pose.", *made)
        return Group(self.equivariance.table(), *made)


def run_equivariance(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str],
    count: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> RunEquivariance:
    """Measures `equivariance_error` and `invariance_error` of a run's model on galaxies of a folder.

    Pictures are transformed at their own resolution, before the model's crop. Galaxies whose images the run has not
    used are taken where the folder has any.

    Args:
        path: a finished run.
        images: folder tree of images.
        count: number of galaxies, drawn at random; all if there are fewer.
        seed: of which galaxies are drawn, and of the transformations.
        progress: called with the numbers of transformed images done and to do.

    Raises:
        InputError: no finished run, no readable image, or a count below 1.
    """
    check(seed >= 0, "seed", "must be at least 0", seed, "Give a number that is not negative.")
    run = RunDirectory(path)
    model = run.load_model()
    files = find_images(images)
    used = [row["id"] for row in run.read_split() if row["part"] != "test"]
    unseen = [str(file) for file in exclude_ids(files, used)]
    pictures = PictureFiles(readable_files(unseen or files, count, seed))
    prepare, draws = preprocessing_of(model), DRAWS if model.config.transformations else 0
    total = len(pictures) * (draws + len(CHANGES))
    report = progress or _silent
    equivariance = None
    if draws:
        equivariance = equivariance_error(
            model, pictures, draws=draws, seed=seed, prepare=prepare, progress=lambda done, _: report(done, total)
        )
    done_before = draws * len(pictures)
    invariance = invariance_error(
        model, pictures, seed=seed, prepare=prepare, progress=lambda done, _: report(done_before + done, total)
    )
    return RunEquivariance(equivariance, invariance, bool(unseen))


def _silent(done: int, total: int) -> None:
    """Reports nothing."""
