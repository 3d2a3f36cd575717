"""Every figure of docs/equivariance.md: how well poses follow transformed galaxies, and answers do not.

    python benchmarks/equivariance.py GALAXYZOO1 [--count 200] [--run RUN ...] [--json FILE] [--markdown FILE]
    python benchmarks/equivariance.py --pictures docs/pictures/equivariance.png

GALAXYZOO1 is the folder with votes.csv and images/. Each galaxy is transformed by one random set of parameters, twice:
its picture at its full resolution, before it is cropped and averaged to 64 px, and its 64 px image. Untrained layers
are made with three seeds, and see images both as `GalaxyVAE` feeds them (square root) and raw. Beside them stand the
constant predictor, which is what chance gives, and the figures asked for. With runs, their trained layers and
classifiers are measured too, on galaxies that no run has used.

--markdown replaces the part of FILE between `<!-- measured -->` and `<!-- end of measured -->` if it has these lines.
The second form draws the pictures of that page, of simulated galaxies.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from equivariance_pictures import write_pictures
from equivariance_report import Row, Section, markdown, print_section
from resampling_checks import resampling_costs, warp_checks

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.image_index import exclude_ids
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.evaluation import Spread, invariance_error
from tfgalaxy.evaluation.equivariance import EquivarianceError, predicted_pose, summarise
from tfgalaxy.evaluation.equivariance_table import OTHER_GALAXY
from tfgalaxy.evaluation.pose_composition import draw_theta, pose_matrix, resolve_transformations
from tfgalaxy.evaluation.transformed_images import PictureFiles, readable_files, transformed_images
from tfgalaxy.files import atomic_file
from tfgalaxy.layers import EquivariantTransformerSequence, transformation_names
from tfgalaxy.models.pixel_likelihood import stretch
from tfgalaxy.training.run_directory import RunDirectory

SEEDS = 3
SIZE = 64
PREPARE = Preprocessing(SIZE, 3, 0.5)
SEQUENCE = ("translation", "rotation_scale")
FULL, SMALL, ROUNDED = "full resolution", "64 px", "full resolution, then 8 bits"

# Mean and median asked for, of untrained layers, by case and parameter; trained ones, where not named, at most half.
SHAPES = ("scale_x", "scale_y", "shear_x", "shear_y", "hyperbolic_rotation")
TARGETS = {
    ("rotation", "angle"): (0.05, 0.015),
    ("rotation_scale", "angle"): (0.08, 0.03),
    ("rotation_scale", "log_scale"): (0.03, 0.015),
    ("translation", "distance"): (0.5, 0.25),
    ("translation, rotation_scale", "angle"): (0.10, 0.04),
    **{(name, None): (0.03, 0.015) for name in SHAPES},
    **{(name, None): (0.05, 0.02) for name in ("perspective_x", "perspective_y")},
}
TRAINED = {("rotation", "angle"): (0.010, 0.005)}
VARIATION = 0.02
NOTE = "mean / median (95th percentile)"


@dataclasses.dataclass(frozen=True)
class Views:
    """Galaxies before and after one transformation each.

    Attributes:
        names: of the transformations, in order.
        theta: [N, P].
        plain: the images as they are, [N, 64, 64, 3].
        after: the transformed images, by how they were made.
    """

    names: tuple[str, ...]
    theta: np.ndarray
    plain: np.ndarray
    after: dict[str, np.ndarray]

    @property
    def case(self) -> str:
        """The name under which it is reported."""
        return ", ".join(self.names)


def make_views(names: tuple[str, ...], pictures: PictureFiles, plain: np.ndarray) -> Views:
    """Transforms every galaxy by parameters drawn from their ranges, at either resolution."""
    steps = resolve_transformations(names)
    theta = draw_theta(steps, len(plain), np.random.default_rng(0))
    matrices = pose_matrix(steps, theta)
    after = {FULL: transformed_images(pictures, matrices, PREPARE), SMALL: transformed_images(plain, matrices)}
    return Views(names, theta, plain, after)


def as_bytes(views: Views) -> Views:
    """What the decoder of pictures gives: the images rounded to 8 bits before and after."""
    return Views(views.names, views.theta, _rounded(views.plain), {ROUNDED: _rounded(views.after[FULL])})


def _rounded(images: np.ndarray) -> np.ndarray:
    return np.round(255 * images) / 255


def measure(layer: EquivariantTransformerSequence, views: Views, stretched: bool) -> dict[str, EquivarianceError]:
    """The error of one layer, by how the transformed images were made."""

    def pose(images: np.ndarray) -> np.ndarray:
        seen = stretch(tf.constant(images, tf.float32)).numpy() if stretched else images
        return predicted_pose(layer, seen, views.theta.shape[1], batch_size=256)

    steps, before = resolve_transformations(views.names), pose(views.plain)
    return {name: summarise(steps, views.theta, before, pose(after)) for name, after in views.after.items()}


def measure_untrained(views: Views) -> Iterator[Row]:
    """For each way of showing galaxies, the errors of layers of all seeds."""
    for feed in ("stretched", "raw"):
        results = []
        for seed in range(SEEDS):
            keras.utils.set_random_seed(seed)
            results.append(measure(EquivariantTransformerSequence(views.names), views, feed == "stretched"))
        for shown in views.after:
            yield from rows_of(views.case, f"{shown}, {feed}", [result[shown] for result in results])


def rows_of(case: str, shown: str, results: list[EquivarianceError], trained: bool = False) -> Iterator[Row]:
    """A row per parameter, over all seeds together, and one for the distance where there are shifts."""
    errors, theta = (np.concatenate([getattr(r, name) for r in results]) for name in ("errors", "theta"))
    parameters = results[0].parameters
    sizes = [(row.name, row.unit, np.abs(errors[:, i]), np.abs(theta[:, i])) for i, row in enumerate(parameters)]
    if [row.unit for row in parameters[:2]] == ["half-widths"] * 2:
        pixels = (SIZE / 2 * np.hypot(*values[:, :2].T) for values in (errors, theta))
        sizes = [("distance", "px", *pixels), *sizes[2:]]
    for name, unit, missed, chance in sizes:
        target = TARGETS.get((case, name), TARGETS.get((case, None)))
        if trained and target:
            target = TRAINED.get((case, name), (target[0] / 2, target[1] / 2))
        yield Row(case, name, unit, shown, Spread.of(missed), float(chance.mean()), *(target or (None, None)))


def measure_run(path: Path, views: Views | None, pictures: PictureFiles, plain: np.ndarray) -> Iterator[Section]:
    """A run's trained transformer, and the total variation of its answers."""
    model = RunDirectory(path).load_model()
    rows: list[Row] = []
    if views is not None:
        for shown in (views, as_bytes(views)):
            for name, result in measure(model.transformer, shown, stretched=True).items():
                rows += rows_of(views.case, name, [result], trained=True)
        yield Section(f"Trained layers of {path.name}", NOTE, rows)
    rows = []
    for shown, images, prepare in ((FULL, pictures, PREPARE), (SMALL, plain, None)):
        result = invariance_error(model, images, prepare=prepare)
        for row in result.rows:
            asked = VARIATION if (row.change, row.prediction) == ("turned", "single view") else None
            chance = result.row(OTHER_GALAXY).total.mean
            if row.change != OTHER_GALAXY:
                way = f"{shown}, {row.prediction}"
                rows.append(Row(row.change, "answers", "total variation", way, row.total, chance, asked))
    yield Section(f"Answers of {path.name}", NOTE, rows)


def choose_pictures(folder: Path, count: int, runs: list[Path]) -> PictureFiles:
    """Galaxies that no run has used, drawn at random."""
    files = load_catalogue(folder / "votes.csv", folder, "gz1").files
    for run in runs:
        used = [row["id"] for row in RunDirectory(run).read_split() if row["part"] != "test"]
        files = exclude_ids(files, used)
    return PictureFiles(readable_files([str(file) for file in files], count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.pictures:
        print(f"pictures: {write_pictures(options.pictures)}")
    if options.folder is None:
        return
    sections: list[Section] = []
    for section in measured(options):
        print_section(section)
        sections.append(section)
    write(options, sections)


def measured(options: argparse.Namespace) -> Iterator[Section]:
    """All sections, one after another."""
    yield warp_checks()
    yield resampling_costs()
    pictures = choose_pictures(options.folder, options.count, options.run)
    plain = transformed_images(pictures, None, PREPARE)
    cases = [*((name,) for name in transformation_names()), SEQUENCE]
    all_views = {names: make_views(names, pictures, plain) for names in cases}
    rows = [row for views in all_views.values() for row in measure_untrained(views)]
    yield Section("Untrained layers", NOTE, rows)
    for run in options.run:
        config = RunDirectory(run).config.model
        size, remedy = (config.image_size, config.channels, config.crop_fraction), "Give runs of the default model."
        asked = (SIZE, PREPARE.channels, PREPARE.crop_fraction)
        check(size == asked, "--run", f"must take images of size, channels and crop {asked}", size, remedy)
        names = config.transformations
        if names and names not in all_views:
            all_views[names] = make_views(names, pictures, plain)
        yield from measure_run(run, all_views.get(names), pictures, plain)


def write(options: argparse.Namespace, sections: list[Section]) -> None:
    """The files that were asked for."""
    if options.json:
        record = {section.title: [dataclasses.asdict(row) for row in section.rows] for section in sections}
        with atomic_file(options.json) as temporary:
            temporary.write_text(json.dumps({"galaxies": options.count, **record}, indent=2) + "\n", encoding="utf-8")
    if options.markdown:
        heading = f"{options.count} real galaxies of `galaxyzoo1`; untrained layers of {SEEDS} seeds."
        old = options.markdown.read_text(encoding="utf-8") if options.markdown.is_file() else ""
        with atomic_file(options.markdown) as temporary:
            temporary.write_text(markdown(sections, heading, old), encoding="utf-8")


if __name__ == "__main__":
    main()
