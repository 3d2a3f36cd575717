"""What `benchmarks/speed.py` measures on: sizes of its two forms, and simulated galaxies in memory and in files."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.data.simulation import simulate, simulate_arrays
from tfgalaxy.models.config import ModelConfig

__all__ = ["FULL", "QUICK", "Galaxies", "Sizes", "cached_galaxies", "linked_run", "picture_files"]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much of everything.

    Attributes:
        model: of ours; the yardstick takes images of the same size.
        questions: the decision tree; a smaller one is traced faster.
        batch: images in a batch.
        repeats: turns of which medians are taken.
        steps, slow_steps: steps of ours and of the yardstick in one turn.
        both_dtypes: whether ours is timed in float32 and bfloat16, or in the chosen one only.
        matrix: side of the square matrices whose product is the arithmetic peak.
        pictures, picture_repeats: different JPEGs of 424 px for `predict`, and how often each is read.
        starts: models whose tracing is timed.
        fit_steps: steps of an epoch of `fit`.
        small_pictures: different JPEGs of twice the working size.
        growth: numbers of images, ascending; a turn's steps are one pass over the first.
        memory_images, memory_steps: of the run whose memory is measured.
    """

    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    questions: str = "gz2"
    batch: int = 64
    repeats: int = 5
    steps: int = 8
    slow_steps: int = 2
    both_dtypes: bool = True
    matrix: int = 3072
    pictures: int = 128
    picture_repeats: int = 16
    starts: int = 5
    fit_steps: int = 30
    small_pictures: int = 1000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000)
    memory_images: int = 100_000
    memory_steps: int = 300


FULL = Sizes()
QUICK = Sizes(
    model=ModelConfig(
        image_size=32, radii=16, angles=16, encoder_filters=(8, 8), decoder_filters=(8, 8), latent_size=4
    ),
    questions="gz1",
    batch=16,
    repeats=2,
    steps=2,
    slow_steps=1,
    both_dtypes=False,
    matrix=256,
    pictures=4,
    picture_repeats=4,
    starts=1,
    fit_steps=4,
    small_pictures=40,
    growth=(64, 128, 256),
    memory_images=200,
    memory_steps=2,
)


class Galaxies(NamedTuple):
    """Simulated galaxies: uint8 images [N, S, S, C], float32 votes [N, A] and the questions."""

    images: NDArray[np.uint8]
    votes: NDArray[np.float32]
    questions: Questions

    @classmethod
    def simulated(cls, count: int, sizes: Sizes, seed: int = 0) -> Galaxies:
        """So many of the working size."""
        images, votes, _ = simulate_arrays(count, seed, sizes.model.image_size, questions=sizes.questions)
        return cls(images, votes, load_questions(sizes.questions))

    def colour(self) -> tf.Tensor:
        """Images as ours take them, float32 [N, S, S, 3] between 0 and 1."""
        return tf.constant(self.images, tf.float32) / 255.0

    def grey(self) -> tf.Tensor:
        """Images as the yardstick takes them, float32 [N, S, S, 1] between 0 and 1."""
        return tf.reduce_mean(self.colour(), axis=-1, keepdims=True)

    def first_votes(self) -> tf.Tensor:
        """Votes for the answers to the first question, [N, 3]."""
        return tf.constant(self.votes[:, self.questions.slices[0]])


def cached_galaxies(galaxies: Galaxies, count: int, path: Path) -> tuple[Catalogue, Pixels]:
    """A catalogue of `count` galaxies with its pixels mapped from disk, as the cache gives them: the given ones over
    and over.
    """
    rows = np.arange(count) % len(galaxies.images)
    shape = (count, *galaxies.images.shape[1:])
    store = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for start in range(0, count, 4096):
        store[start : start + 4096] = galaxies.images[rows[start : start + 4096]]
    store.flush()
    ids = np.array([f"galaxy-{row:06d}" for row in range(count)], object)
    pixels = Pixels(np.load(path, mmap_mode="r"), np.arange(count), ids)
    return Catalogue(galaxies.questions, ids, ids, galaxies.votes[rows]), pixels


def picture_files(folder: Path, count: int, side: int, questions: str) -> list[str]:
    """So many simulated JPEGs of a size, with their catalogue beside them."""
    simulate(count, folder, image_size=side, questions=questions)
    return sorted(map(str, (folder / "images").iterdir()))


def linked_run(pictures: Path, folder: Path, count: int) -> tuple[Path, Path]:
    """A catalogue of the simulated pictures, and a folder of `count` images: them, and links to them without votes.

    Args:
        pictures: what `picture_files` filled.
        folder: is made.
        count: images in all.

    Returns:
        Path of the catalogue, and of the image folder.
    """
    files = sorted((pictures / "images").iterdir())
    images = folder / "images"
    images.mkdir(parents=True)
    for number in range(count):
        original = files[number % len(files)]
        name = original.name if number < len(files) else f"copy-{number:06d}.jpg"
        os.link(original, images / name)
    catalogue = folder / "catalogue.csv"
    shutil.copyfile(pictures / "catalogue.csv", catalogue)
    return catalogue, folder
