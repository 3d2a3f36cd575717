"""Simulated galaxies to learn from: pictures at a model's size, good and poor ones, and votes on all that is known."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.images import prepare_array
from tfgalaxy.data.pixels import Pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.simulation.camera import render
from tfgalaxy.data.simulation.parameters import draw_galaxy, random_generator
from tfgalaxy.data.simulation.poor_images import poor_images
from tfgalaxy.data.simulation.simulate import galaxy_id
from tfgalaxy.data.simulation.votes import all_simulated_questions, answer_probabilities, cast_votes

__all__ = ["simulated_lessons"]

VOTERS = 40
THREADS = 2  # more gain nothing: drawing holds Python's lock half of the time


def simulated_lessons(
    count: int, preprocessing: Preprocessing, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[Catalogue, Pixels]:
    """Draws galaxies with the votes of 40 simulated volunteers on `all_simulated_questions`.

    Each galaxy is there twice with the same votes: as it is, and as a poorer survey shows it (`poor_images`).

    Args:
        count: number of galaxies N.
        preprocessing: of the model that is to learn from them.
        seed: of the catalogue, as in `simulate`.
        progress: is called with the number of galaxies drawn and `count`.

    Returns:
        A catalogue of 2 N rows and their pixels, in memory; its files are names, no paths.
    """
    check(count >= 1, "count", "must be at least 1", count, "Give a positive number of galaxies.")
    tree = all_simulated_questions()
    # The galaxy stands in the central half of its frame, as in the surveys' cut-outs.
    frame = int(np.clip(round(preprocessing.image_size / preprocessing.crop_fraction), 16, 1024))

    def draw(index: int) -> tuple[np.ndarray, np.ndarray]:
        galaxy = draw_galaxy(seed, index)
        rng = random_generator(seed, index, "votes")
        votes = cast_votes(answer_probabilities(galaxy, tree), tree, VOTERS, rng)
        return prepare_array(render(galaxy, seed, index, frame), preprocessing), votes

    drawn = []
    with ThreadPoolExecutor(THREADS) as pool:
        for example in pool.map(draw, range(count)):
            drawn.append(example)
            if progress is not None:
                progress(len(drawn), count)
    images, votes = (np.stack(values) for values in zip(*drawn, strict=True))
    names = [galaxy_id(seed, index) for index in range(count)]
    ids = np.array([*names, *(f"{name}-poor" for name in names)], dtype=object)
    store = np.concatenate([images, poor_images(images, seed)])
    catalogue = Catalogue(tree, ids, ids, np.concatenate([votes, votes]))
    return catalogue, Pixels(store, np.arange(len(store)), ids)
