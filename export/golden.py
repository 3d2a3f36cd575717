"""Inputs and outputs that an export carries with it, so that whoever loads it can tell that it answers as it should."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfgalaxy.data.images import decode_bytes, prepare_array
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.export.signatures import input_names

__all__ = ["golden_inputs", "golden_pictures", "write_golden"]

# Rows of every input; larger batches repeat them.
ROWS = 8
CANDIDATES = 32


def golden_pictures(galaxies: np.ndarray) -> list[bytes]:
    """Galaxies in every kind of picture that is decoded: JPEG and PNG, grey, RGB and RGBA, square and oblong, large
    and small.

    Args:
        galaxies: uint8 [8, H, W, 3].
    """
    size = galaxies.shape[1]
    grey = np.round(galaxies.mean(axis=-1, keepdims=True)).astype(np.uint8)
    alpha = np.concatenate([galaxies, np.full_like(grey, 128)], axis=-1)
    cut = size // 10
    small = tf.cast(tf.round(tf.image.resize(galaxies[7:8], [size // 3, size // 3], "area")), tf.uint8)[0]
    pictures = [
        tf.io.encode_jpeg(galaxies[0], quality=95),
        tf.io.encode_png(galaxies[1]),
        tf.io.encode_jpeg(grey[2], quality=95),
        tf.io.encode_png(grey[3]),
        tf.io.encode_png(alpha[4]),
        tf.io.encode_jpeg(galaxies[5][cut:], quality=80),
        tf.io.encode_png(galaxies[6][:, cut : -2 * cut]),
        tf.io.encode_jpeg(small, quality=95),
    ]
    return [picture.numpy() for picture in pictures]


def golden_inputs(embed: Any, preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """What signatures take, by name: `image_bytes` [8] bytes, `image` float32 [8, S, S, C] of the same pictures, and
    `seed` int32 [8].

    Of simulated galaxies, always the same ones, those whose pose is the clearest: that of a round galaxy is decided by
    rounding errors, and would tell nothing of the loader.

    Args:
        embed: the signature.
        preprocessing: crop and size.
    """
    from tfgalaxy.data.simulation import simulate_arrays  # takes a second, which only an export has to wait for

    size = min(max(2 * preprocessing.image_size, 64), 512)
    galaxies, _, _ = simulate_arrays(CANDIDATES, seed=5, image_size=size, questions="gz1")
    images = np.stack([prepare_array(galaxy, preprocessing) for galaxy in galaxies]).astype(np.float32) / 255.0
    clearness = embed(tf.constant(images))["pose_concentration"].numpy().min(axis=-1, initial=np.inf)
    pictures = golden_pictures(galaxies[np.argsort(-clearness, kind="stable")[:ROWS]])
    decoded = np.stack([decode_bytes(tf.constant(picture), preprocessing).numpy() for picture in pictures])
    # Neither format ends in a zero byte, which NumPy's fixed-width strings would drop.
    inputs = {"image_bytes": np.array(pictures, dtype=np.bytes_), "image": decoded.astype(np.float32) / 255.0}
    return {**inputs, "seed": np.arange(ROWS, dtype=np.int32)}


def write_golden(path: str | os.PathLike[str], signatures: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """Runs every signature and writes `golden.npz`: `input/<name>` and `output/<signature>/<name>`.

    Args:
        path: of the file.
        signatures: concrete functions by name.
        inputs: as `golden_inputs` gives them.
    """
    arrays = {f"input/{name}": array for name, array in inputs.items()}
    for signature, function in signatures.items():
        outputs = function(**{name: tf.constant(inputs[name]) for name in input_names(function)})
        arrays.update({f"output/{signature}/{name}": value.numpy() for name, value in outputs.items()})
    np.savez_compressed(path, **arrays)
