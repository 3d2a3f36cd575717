"""Whether an image costs more time where there are more of them, in training from the disk cache and in `predict`."""

from __future__ import annotations

import functools
import itertools
import operator
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf
from prediction import prediction
from speed_data import Galaxies, Sizes, cached_galaxies
from speed_report import Measured, Section
from speed_steps import make_model

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pipelines import batches
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.export import ImageFiles, Predictor
from tfgalaxy.export.prediction import predicted_parts
from tfgalaxy.export.prediction_table import write_tables

__all__ = ["measure_growth"]

GROWTH = 1.15
PART_ROWS = 2048

# Works on some images, and says on how many.
Work = Callable[[], int]
Cached = dict[int, tuple[Catalogue, Pixels]]


def measure_growth(sizes: Sizes, precision: str, predictor: Predictor, files: list[str], folder: Path) -> Section:
    """Microseconds per image at several numbers of images, side by side.

    Args:
        sizes: numbers of images.
        precision: dtype policy of training.
        predictor: what predicts.
        files: simulated pictures, which are read again and again.
        folder: where the caches go.
    """
    galaxies = Galaxies.simulated(min(1000, sizes.growth[0]), sizes)
    cached = {count: cached_galaxies(galaxies, count, folder / f"{count}.npy") for count in sizes.growth}
    turns = max(sizes.repeats, sizes.growth[1] // sizes.growth[0])
    figures = [
        *_growth("training from the cache", _training(cached, sizes, precision), turns, GROWTH),
        *_growth("a whole pass over the cache alone", _passes(cached, sizes), sizes.repeats, None),
        *_growth("`predict`", _predictions(predictor, files, sizes, folder), sizes.repeats, GROWTH),
    ]
    return Section("Growth with the number of images", figures)


def _growth(name: str, works: dict[int, Work], turns: int, target: float | None) -> Iterator[Measured]:
    """Microseconds per image, and those of many images over the least of fewer ones, turn by turn."""
    microseconds: dict[int, list[float]] = {count: [] for count in works}
    for turn in range(1 + turns):
        for count, work in works.items():
            start = time.perf_counter()
            images = work()
            if turn:  # the first one is for tracing
                microseconds[count].append(1e6 * (time.perf_counter() - start) / images)
    for count, values in microseconds.items():
        yield Measured.of(f"{name}, {count:,} images", values, "us an image")
    (_, least), *others = microseconds.items()
    for count, values in others:
        yield Measured.of(f"{name}, {count:,} over fewer", map(operator.truediv, values, least), "times", target)
        least = list(map(min, least, values))


def _training(cached: Cached, sizes: Sizes, precision: str) -> dict[int, Work]:
    """Supervised steps on shuffled batches: as many in a turn as one pass over the fewest images has."""
    step, steps = tf.function(make_model(sizes, precision).train_step), max(1, sizes.growth[0] // sizes.batch)

    def train(iterator: Iterator) -> int:
        for _ in range(steps):
            result = step(next(iterator))
        float(result["loss"])
        return steps * sizes.batch

    works: dict[int, Work] = {}
    for count, (catalogue, pixels) in cached.items():
        iterator = iter(batches(catalogue, sizes.batch, pixels=pixels, shuffle=True, repeat=True))
        works[count] = functools.partial(train, iterator)
    return works


def _passes(cached: Cached, sizes: Sizes) -> dict[int, Work]:
    """The batches of a whole epoch, without a network."""

    def go_through(catalogue: Catalogue, pixels: Pixels) -> int:
        for _ in batches(catalogue, sizes.batch, pixels=pixels, shuffle=True):
            pass
        return len(catalogue)

    return {count: functools.partial(go_through, *both) for count, both in cached.items()}


def _predictions(predictor: Predictor, files: list[str], sizes: Sizes, folder: Path) -> dict[int, Work]:
    """From files to Parquet; of the most images a part in each turn, which together are one prediction."""

    def inputs(count: int) -> ImageFiles:
        return ImageFiles(list(itertools.islice(itertools.cycle(files), count)))

    def whole(images: ImageFiles) -> int:
        prediction(predictor, images, folder / "whole.parquet")
        return len(images)

    most = sizes.growth[-1]
    share = most // (1 + sizes.repeats)
    rows = min(PART_ROWS, max(64, share // 64 * 64))
    parts = predicted_parts(predictor, inputs(most), rows)

    def next_parts() -> int:
        tables = list(itertools.islice(parts, max(1, share // rows)))
        write_tables(lambda: tables, folder / "part.parquet")
        return sum(map(len, tables))

    works: dict[int, Work] = {count: functools.partial(whole, inputs(count)) for count in sizes.growth[:-1]}
    return {**works, most: next_parts}
