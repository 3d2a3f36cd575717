"""Batches for `fit` from a TFDS dataset of galaxies."""

from __future__ import annotations

import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.data.images import decode_bytes
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions, load_questions

__all__ = ["tfds_batches"]


def tfds_batches(
    dataset: tf.data.Dataset,
    questions: str | Questions,
    preprocessing: Preprocessing | None = None,
    batch_size: int = 64,
    shuffle: int = 0,
    seed: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Turns examples of `galaxy_zoo2`, `galaxy_zoo_challenge` or `simulated_galaxies` into batches for `model.fit`.

    Pictures go through the same operations as in `batches` and on the server. Load with
    `decoders={"image": tfds.decode.SkipDecoding()}`: then only the central part of a JPEG is decoded. Pictures that
    TFDS has decoded work too, more slowly.

    Args:
        dataset: examples with `image` (uint8 [H, W, 3], or the bytes of a JPEG or PNG) and `votes` [A].
        questions: the questions of the votes, to check that they fit.
        preprocessing: crop and size; the default is `Preprocessing()`.
        batch_size: galaxies per batch.
        shuffle: size of the buffer that is shuffled anew every epoch; 0 keeps the order.
        seed: of the shuffling.
        drop_remainder: leave out a last batch that is not full.

    Returns:
        Batches of (images float32 [B, S, S, C] in [0, 1], votes float32 [B, A]).

    Raises:
        InputError: examples without `image` or `votes`, votes of other questions, or a size out of range.

    Example:
        import tensorflow_datasets as tfds
        import tfgalaxy.data.simulated_galaxies.simulated_galaxies_dataset_builder
        galaxies = tfds.load("simulated_galaxies", split="train", decoders={"image": tfds.decode.SkipDecoding()})
        model.fit(tfds_batches(galaxies, "gz2", shuffle=1000))
    """
    settings = Preprocessing() if preprocessing is None else preprocessing
    check(batch_size >= 1, "batch_size", "must be at least 1", batch_size, "Give a positive number of galaxies.")
    check(shuffle >= 0, "shuffle", "must be at least 0", shuffle, "Give the number of examples to shuffle, or 0.")
    _check_examples(dataset, load_questions(questions))

    def prepare(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        picture = example["image"]
        # Lossless, so that decoded and stored pictures take one path.
        content = picture if picture.dtype == tf.string else tf.io.encode_png(picture)
        image = tf.cast(decode_bytes(content, settings), tf.float32) / 255.0
        return image, tf.cast(example["votes"], tf.float32)

    if shuffle:
        dataset = dataset.shuffle(shuffle, seed=seed, reshuffle_each_iteration=True)
    dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size, drop_remainder=drop_remainder).prefetch(tf.data.AUTOTUNE)


def _check_examples(dataset: tf.data.Dataset, questions: Questions) -> None:
    spec = dataset.element_spec
    good = isinstance(spec, dict) and {"image", "votes"} <= set(spec)
    value = sorted(spec) if isinstance(spec, dict) else spec
    check(good, "dataset", "must have examples with image and votes", value, "Load it without as_supervised and batch.")
    shape = spec["votes"].shape
    rule = f"must have the {questions.num_answers} votes of questions '{questions.name}'"
    fits = shape.rank == 1 and shape[0] == questions.num_answers
    check(fits, "dataset", rule, tuple(shape), "Name the dataset's own questions, and do not batch it before.")
