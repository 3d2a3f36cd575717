"""Catalogues of simulated galaxies: images, votes, and the truth behind them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.configuration import Configuration, check
from tfgalaxy.data.questions import Questions
from tfgalaxy.data.simulation.camera import render
from tfgalaxy.data.simulation.parameters import draw_galaxy, random_generator
from tfgalaxy.data.simulation.votes import answer_probabilities, cast_votes, simulated_questions
from tfgalaxy.files import atomic_directory

__all__ = ["SimulationConfig", "galaxy_id", "simulate", "simulate_arrays", "simulate_one"]

_CHUNK = 50
_JPEG_QUALITY = 95

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class SimulationConfig(Configuration):
    """Which galaxies to simulate, and how.

    Args:
        count: number of galaxies.
        seed: the catalogue's; galaxy i of a seed is the same whatever the other settings, but for its image's size and
            its votes.
        image_size: width and height of the images in pixels; the galaxy stands in the central half.
        voters: people who see each galaxy.
        questions: the decision tree, `gz2` or `gz1`; the latter asks for the handedness of spirals.
    """

    count: int = 1000
    seed: int = 0
    image_size: int = 128
    voters: int = 40
    questions: str = "gz2"

    def validate(self) -> None:
        check(self.count >= 1, "count", "must be at least 1", self.count, "Give a positive number of galaxies.")
        check(self.seed >= 0, "seed", "must be at least 0", self.seed, "Give a number that is not negative.")
        sizes = 16 <= self.image_size <= 1024
        check(sizes, "image_size", "must be from 16 to 1024 pixels", self.image_size, "128 suits models of 64 pixels.")
        check(self.voters >= 1, "voters", "must be at least 1", self.voters, "Give a positive number of people.")
        simulated_questions(self.questions)


def galaxy_id(seed: int, index: int) -> str:
    """The id of galaxy `index` of catalogue `seed`; unlike a number, it survives a spreadsheet.

    Example:
        >>> galaxy_id(0, 12)
        'sim0-000012'
    """
    return f"sim{seed}-{index:06d}"


def simulate_one(
    config: SimulationConfig, index: int, tree: Questions
) -> tuple[NDArray[np.uint8], NDArray[np.float32], dict[str, Any]]:
    """Galaxy `index` of a catalogue.

    Returns:
        Its image, uint8 [H, W, 3]; its votes [A]; and its truth: the fields of `Galaxy`, then the probability of each
        answer, under names with the prefix `truth_`.
    """
    galaxy = draw_galaxy(config.seed, index)
    probabilities = answer_probabilities(galaxy, tree)
    votes = cast_votes(probabilities, tree, config.voters, random_generator(config.seed, index, "votes"))
    truth = {f"truth_{name}": value for name, value in dataclasses.asdict(galaxy).items()}
    truth.update(zip((f"truth_{label}" for label in tree.answer_labels), probabilities.tolist(), strict=True))
    return render(galaxy, config.seed, index, config.image_size), votes, truth


def simulate_arrays(
    count: int, seed: int = 0, image_size: int = 128, voters: int = 40, questions: str = "gz2"
) -> tuple[NDArray[np.uint8], NDArray[np.float32], pd.DataFrame]:
    """Simulated galaxies in memory.

    Args:
        count, seed, image_size, voters, questions: as in `SimulationConfig`.

    Returns:
        Images, uint8 [N, H, W, 3]; votes, float32 [N, A], counts; and the truth, a table of N rows with `id` and the
        columns `truth_...`: the fields of `Galaxy` (lengths in half-widths of the frame, angles in radians from +x
        towards +y, y down), and the probability of each answer.

    Raises:
        InputError: a setting out of range.

    Example:
        >>> images, votes, truth = simulate_arrays(2, seed=1, image_size=64)
        >>> images.shape, votes.shape, votes[:, :3].sum(axis=1).tolist()
        ((2, 64, 64, 3), (2, 37), [40.0, 40.0])
    """
    config = SimulationConfig(count, seed, image_size, voters, questions)
    tree = simulated_questions(questions)
    images, votes, truths = zip(*(simulate_one(config, index, tree) for index in range(count)), strict=True)
    table = pd.DataFrame(list(truths))
    table.insert(0, "id", [galaxy_id(seed, index) for index in range(count)])
    return np.stack(images), np.stack(votes), table


def simulate(
    count: int,
    directory: str | os.PathLike[str],
    seed: int = 0,
    image_size: int = 128,
    voters: int = 40,
    processes: int = 1,
    progress: Progress | None = None,
    questions: str = "gz2",
) -> Path:
    """Writes `images/<id>.jpg` and `catalogue.csv`: columns `id`, `file`, the votes, and the truth as in
    `simulate_arrays`.

    The directory appears under its name when it is whole. Its content depends on neither `processes` nor, for the
    galaxies there are, on `count`.

    Args:
        count, seed, image_size, voters, questions: as in `SimulationConfig`.
        directory: must not exist yet, or be empty.
        processes: how many to use; with more than one, a script needs the usual `if __name__ == "__main__":`.
        progress: is called with the number of galaxies done and `count`.

    Returns:
        The path of `catalogue.csv`; `load_catalogue(path, images=directory, questions=questions)` reads it.

    Raises:
        InputError: a setting out of range, or a directory that holds files.
    """
    config = SimulationConfig(count, seed, image_size, voters, questions)
    check(processes >= 1, "processes", "must be at least 1", processes, "Give a positive number.")
    with atomic_directory(directory) as folder:
        (folder / "images").mkdir()
        rows: list[dict[str, Any]] = []
        for chunk in _chunks(config, folder, processes):
            rows.extend(chunk)
            if progress is not None:
                progress(len(rows), count)
        pd.DataFrame(rows).to_csv(folder / "catalogue.csv", index=False)
    return Path(directory) / "catalogue.csv"


def _chunks(config: SimulationConfig, folder: Path, processes: int) -> Iterator[list[dict[str, Any]]]:
    starts = range(0, config.count, _CHUNK)
    stops = [min(start + _CHUNK, config.count) for start in starts]
    processes = min(processes, len(starts))
    if processes == 1:
        yield from (_write_chunk(config, folder, start, stop) for start, stop in zip(starts, stops, strict=True))
        return
    # Not forked: TensorFlow's threads may hold locks, which a fork would copy in their locked state.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = [
            pool.submit(_write_chunk, config, folder, start, stop) for start, stop in zip(starts, stops, strict=True)
        ]
        try:
            yield from (future.result() for future in futures)
        finally:
            pool.shutdown(cancel_futures=True)


def _write_chunk(config: SimulationConfig, folder: Path, start: int, stop: int) -> list[dict[str, Any]]:
    """Writes the images of galaxies `start` to `stop` and returns their rows of the catalogue."""
    from PIL import Image  # here, so that simulated arrays need no image writer

    tree = simulated_questions(config.questions)
    names = [name for (name,) in tree.columns.votes[0].answer_columns(tree)]
    rows = []
    for index in range(start, stop):
        image, votes, truth = simulate_one(config, index, tree)
        identifier = galaxy_id(config.seed, index)
        file = f"images/{identifier}.jpg"
        Image.fromarray(image).save(folder / file, quality=_JPEG_QUALITY, subsampling=0)
        counts = zip(names, votes.astype(int).tolist(), strict=True)
        rows.append({"id": identifier, "file": file, **dict(counts), **truth})
    return rows
