"""How well untrained Equivariant Transformers keep f(T x) = f(x) + theta on real galaxies (equation 4 of the poster).

    python benchmarks/self_consistency.py GALAXYZOO1 [--count 200] [--json FILE]

GALAXYZOO1 is the folder with votes.csv and images/. Each galaxy is turned by a random angle, which is no angle of the
grid, twice: the picture at its full resolution before it is cropped and averaged, and the 64 px image, bilinearly.
Beside the layer stands the constant predictor, whose error is what chance gives.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgalaxy.addons import transform
from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.layers import EquivariantTransformer
from tfgalaxy.models.pixel_likelihood import stretch

SEEDS = 3


def turning(angles: np.ndarray) -> tf.Tensor:
    """Matrices [N, 3, 3] of views that show the galaxy turned by the angles, from +x towards +y."""
    return EquivariantTransformer("rotation").transformation.matrix(-tf.constant(angles[:, np.newaxis], tf.float32))


def prepared(picture: tf.Tensor, angle: float | None = None) -> np.ndarray:
    """A decoded picture, turned if an angle is given, cropped and averaged to 64 px; not rounded on the way.

    Both views come from one decoding: two of JPEG's decoders differ by a grey level, and the square root of a dark sky
    shows that as much as a faint arm.
    """
    values = tf.cast(picture, tf.float32)[tf.newaxis] / 255.0
    if angle is not None:
        values = transform(values, turning(np.array([angle])))
    side = int(picture.shape[0]) // 2
    side += (int(picture.shape[0]) - side) % 2
    corner = (int(picture.shape[0]) - side) // 2
    square = values[:, corner : corner + side, corner : corner + side]
    return tf.image.resize(square, [64, 64], method="area")[0].numpy()


def errors(before: np.ndarray, after: np.ndarray, angles: np.ndarray) -> dict[str, float]:
    """Mean, median and 95th percentile of |after - before - angle| on the circle, in radians."""
    missed = np.abs(np.angle(np.exp(1j * (after - before - angles))))
    return {"mean": float(missed.mean()), "median": float(np.median(missed)), "p95": float(np.quantile(missed, 0.95))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    files = load_catalogue(options.folder / "votes.csv", options.folder, "gz1").files
    files = rng.choice(files, options.count, replace=False)
    angles = rng.uniform(-np.pi, np.pi, options.count)

    pictures = [tf.io.decode_jpeg(tf.io.read_file(file), channels=3) for file in files]
    plain = np.stack([prepared(picture) for picture in pictures])
    full = np.stack([prepared(picture, angle) for picture, angle in zip(pictures, angles, strict=True)])
    images = stretch(tf.constant(plain))
    views = {
        "turned at full resolution": stretch(tf.constant(full)),
        "turned at 64 px": stretch(transform(tf.constant(plain), turning(angles))),
    }
    rows = {"constant predictor": [errors(np.zeros_like(angles), np.zeros_like(angles), angles)]}
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        layer = EquivariantTransformer("rotation")
        layer(images[:1])
        before = layer.pose(images).mean[:, 0].numpy()
        for name, turned in views.items():
            rows.setdefault(name, []).append(errors(before, layer.pose(turned).mean[:, 0].numpy(), angles))
    print(f"untrained rotation layer, {options.count} galaxies, {SEEDS} seeds; radians")
    for name, results in rows.items():
        means = {key: float(np.mean([result[key] for result in results])) for key in results[0]}
        print(f"{name:28s}" + "".join(f"{key} {value:.4f}   " for key, value in means.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
