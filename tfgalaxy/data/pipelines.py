"""`tf.data` pipelines for the two clocks: labelled batches, unlabelled ones, and pairs of both."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.data.augmentation import Augmentation, augment
from tfgalaxy.data.autotuning import without_autotuning
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.image_index import find_images
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError

__all__ = ["alternating_batches", "batches", "unlabelled_batches"]

SEED_LIMIT = 2**31 - 1
# Batches made ahead of the step that takes them.
AHEAD = 4
Unlabelled = Catalogue | str | os.PathLike[str] | Sequence[str]


def _check_batch_size(batch_size: int) -> None:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError("batch_size", "must be a positive integer", batch_size, "Use 64.")


def _positions(
    count: int, batch_size: int, shuffle: bool, seed: int, repeat: bool, skip_batches: int, drop_remainder: bool
) -> tf.data.Dataset:
    """Batches of row numbers. Endless ones are a function of the seed and the number of batches skipped, nothing
    else.
    """
    _check_count(count)
    check(skip_batches >= 0, "skip_batches", "must be at least 0", skip_batches, "Give the number of batches seen.")
    check(repeat or not skip_batches, "skip_batches", "must be 0 unless repeat", skip_batches, "Pass repeat=True.")
    if not repeat:
        if drop_remainder and count < batch_size:
            remedy = "Use smaller batches, or keep the remainder."
            raise InputError("batch_size", f"must be at most the number of images, {count}", batch_size, remedy)
        rows = _shuffled(count, seed) if shuffle else without_autotuning(tf.data.Dataset.range(count))
        return rows.batch(batch_size, drop_remainder=drop_remainder)

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(tf.constant(count, tf.int64))
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, tf.stack([tf.constant(seed, tf.int64), epoch]))
        return tf.data.Dataset.from_tensor_slices(order)

    epochs, position = divmod(skip_batches * batch_size, count)
    stream = without_autotuning(tf.data.Dataset.counter(start=epochs)).flat_map(epoch_order)
    rows = stream.skip(position).batch(batch_size, drop_remainder=True)
    # `flat_map` forgets it, and `fit` would wait for an end instead of asking for `steps_per_epoch`.
    return rows.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _check_count(count: int) -> None:
    check(count >= 1, "images", "must hold at least one image", count, "Check the catalogue and the image folder.")


def _shuffled(count: int, seed: int) -> tf.data.Dataset:
    rows = without_autotuning(tf.data.Dataset.range(count))
    return rows.shuffle(count, seed=seed, reshuffle_each_iteration=True)


def _images(pixels: Pixels) -> Any:
    """A function from row numbers [B] to images float32 [B, S, S, C] in [0, 1]."""
    shape = (None, *pixels.store.shape[1:])
    if isinstance(pixels.store, np.memmap):

        def gather(rows: np.ndarray) -> np.ndarray:
            return pixels.store[pixels.rows[rows]]

        def take(rows: tf.Tensor) -> tf.Tensor:
            return tf.numpy_function(gather, [rows], tf.uint8)
    else:
        with tf.device("CPU"):  # where `tf.data` works
            store = tf.constant(pixels.array)  # captured by reference: no copy in the graph

        def take(rows: tf.Tensor) -> tf.Tensor:
            return tf.gather(store, rows)

    def images(rows: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.ensure_shape(take(rows), shape), tf.float32) / 255.0

    return images


def _load(files: Iterable[str], settings: Preprocessing, cache: str | os.PathLike[str] | None) -> Pixels:
    files = list(files)
    pixels = load_pixels(files, settings, cache)
    if files and not len(pixels):
        rule = "must hold at least one readable image"
        raise InputError("images", rule, pixels.excluded[0], "Check the files.")
    if pixels.excluded:
        file, reason = pixels.excluded[0]
        message = "%d of %d images are left out; the first: %s (%s)"
        logging.getLogger("tfgalaxy").warning(message, len(pixels.excluded), len(set(files)), file, reason)
    return pixels


def batches(
    catalogue: Catalogue,
    batch_size: int = 64,
    image_size: int = 64,
    *,
    channels: int = 3,
    crop_fraction: float = 0.5,
    pixels: Pixels | None = None,
    shuffle: bool = False,
    seed: int = 0,
    augmentation: Augmentation | None = None,
    cache: str | os.PathLike[str] | None = None,
    drop_remainder: bool = False,
    repeat: bool = False,
    skip_batches: int = 0,
) -> tf.data.Dataset:
    """Labelled batches: images float32 [B, S, S, C] in [0, 1], and votes float32 [B, A].

    Args:
        catalogue: labelled galaxies; those with broken images are left out.
        batch_size: galaxies in a batch.
        image_size, channels, crop_fraction: see `Preprocessing`; not used with `pixels`.
        pixels: decoded images that hold the catalogue's files, so that none is decoded twice.
        shuffle: whether the order is drawn anew for every epoch.
        seed: of order and augmentation.
        augmentation: random poses, for models that make no views of their own; a mirror flip exchanges votes.
        cache: folder that keeps decoded images; in memory when None.
        drop_remainder: whether an incomplete last batch is left out.
        repeat: whether batches never end. Then a batch may go on into the next epoch, and what it holds is a function
            of seed and number only.
        skip_batches: of endless ones: how many were seen before, as when a run is resumed.
    """
    _check_batch_size(batch_size)
    settings = Preprocessing(image_size=image_size, channels=channels, crop_fraction=crop_fraction)
    pixels = _load(catalogue.files, settings, cache) if pixels is None else pixels
    catalogue = exclude_broken(catalogue, pixels)
    rows = _positions(len(catalogue), batch_size, shuffle, seed, repeat, skip_batches, drop_remainder)
    labelled = _labelled(catalogue, pixels, rows)
    if augmentation is not None:
        seeds = _seeds(seed, repeat, skip_batches)
        labelled = _augmented(labelled, augmentation, catalogue.questions.flip_permutation, seeds)
    return labelled.prefetch(AHEAD)


def _labelled(catalogue: Catalogue, pixels: Pixels, rows: tf.data.Dataset) -> tf.data.Dataset:
    """Images and votes of the galaxies in each batch of row numbers."""
    images, votes = _images(pixels.select(catalogue.files)), tf.constant(catalogue.votes)

    def example(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images(row), tf.gather(votes, row)

    return rows.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _seeds(seed: int, repeat: bool, skip_batches: int) -> tf.data.Dataset:
    """A stateless seed, int32 [2], for each batch: of endless ones by their number, else new ones in every epoch."""
    if not repeat:
        numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
        return numbers.map(_narrow).batch(2, drop_remainder=True)
    first = tf.constant(seed % SEED_LIMIT, tf.int32)

    def numbered(number: tf.Tensor) -> tf.Tensor:
        return tf.stack([first, _narrow(number)])

    return tf.data.Dataset.counter(start=skip_batches).map(numbered)


def _narrow(number: tf.Tensor) -> tf.Tensor:
    return tf.cast(number % SEED_LIMIT, tf.int32)


def _augmented(
    labelled: tf.data.Dataset, augmentation: Augmentation, permutation: np.ndarray, seeds: tf.data.Dataset
) -> tf.data.Dataset:
    def change(example: tuple[tf.Tensor, tf.Tensor], seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return augment(*example, seed, augmentation, permutation)

    pairs = tf.data.Dataset.zip((labelled, seeds))
    return pairs.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def unlabelled_batches(
    unlabelled: Unlabelled | None = None,
    batch_size: int = 64,
    image_size: int = 64,
    *,
    channels: int = 3,
    crop_fraction: float = 0.5,
    pixels: Pixels | None = None,
    shuffle: bool = True,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    drop_remainder: bool = True,
    repeat: bool = False,
    skip_batches: int = 0,
) -> tf.data.Dataset:
    """Unlabelled batches: images float32 [B, S, S, C] in [0, 1].

    Args:
        unlabelled: a folder, files, or a catalogue, of which all images are taken, those of labelled galaxies included.
        pixels: decoded images, instead of `unlabelled`.
        (the others): as of `batches`.
    """
    _check_batch_size(batch_size)
    if pixels is None:
        settings = Preprocessing(image_size=image_size, channels=channels, crop_fraction=crop_fraction)
        pixels = _load(_files(unlabelled), settings, cache)
    rows = _positions(len(pixels), batch_size, shuffle, seed, repeat, skip_batches, drop_remainder)
    images = rows.map(_images(pixels), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return images.prefetch(AHEAD)


def _files(unlabelled: Unlabelled | None) -> list[str]:
    if unlabelled is None:
        raise InputError("unlabelled", "must be a folder, files or a catalogue", None, "Name a folder of images.")
    if isinstance(unlabelled, Catalogue):
        return [*unlabelled.files, *unlabelled.unlabelled_files]
    if isinstance(unlabelled, str | os.PathLike):
        return list(find_images(unlabelled, "unlabelled"))
    return [str(file) for file in unlabelled]


def alternating_batches(
    catalogue: Catalogue,
    unlabelled: str | os.PathLike[str] | Sequence[str] | None = None,
    batch_size: int = 64,
    image_size: int = 64,
    *,
    channels: int = 3,
    crop_fraction: float = 0.5,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> tf.data.Dataset:
    """Pairs for alternating steps: ((images, votes), unlabelled images).

    One epoch is one pass over the pool: the catalogue's own images, its `unlabelled_files` and `unlabelled`. Labelled
    batches start over as often as that takes; both orders are drawn anew for every epoch.

    Args:
        catalogue: labelled galaxies and their unlabelled pool.
        unlabelled: a folder or files of more images; copies of the catalogue's galaxies are left out.
        (the others): as of `batches`.
    """
    _check_batch_size(batch_size)
    catalogue = catalogue if unlabelled is None else catalogue.with_unlabelled(unlabelled)
    settings = Preprocessing(image_size=image_size, channels=channels, crop_fraction=crop_fraction)
    pixels = _load(_files(catalogue), settings, cache)
    catalogue = exclude_broken(catalogue, pixels)
    _check_count(len(catalogue))
    labelled = _labelled(catalogue, pixels, _shuffled(len(catalogue), seed).repeat().batch(batch_size, True))
    pool = unlabelled_batches(
        pixels=pixels, batch_size=min(batch_size, len(pixels)), seed=seed + 1, drop_remainder=True
    )
    return tf.data.Dataset.zip((labelled, pool)).prefetch(AHEAD)
