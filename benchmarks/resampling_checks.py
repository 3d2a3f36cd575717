"""Whether resampling is exact where it can be, agrees with other samplers, and what it costs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from equivariance_report import Row, Section
from scipy.ndimage import map_coordinates

from tfgalaxy.evaluation import Spread
from tfgalaxy.layers import CanonicalResampling, bilinear_sample, get_transformation, warp

SIZE, BATCH, REPEATS = 64, 64, 300
FORWARD, GRADIENT = 2.0, 4.0  # milliseconds


def _largest(name: str, first: np.ndarray, second: np.ndarray, target: float | None) -> Row:
    sizes = np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64))
    largest = Spread(float(sizes.max()), float(np.median(sizes)), float(np.quantile(sizes, 0.95)))
    return Row(name, "difference", "brightness", "measured", largest, target_mean=target)


def warp_checks() -> Section:
    """Identity, quarter turns, and random points against SciPy and, where it is installed, TF Addons."""
    generator = np.random.default_rng(0)
    images = generator.random((4, SIZE, SIZE, 3)).astype(np.float32)
    rows = [_largest("identity", warp(images, tf.eye(3, batch_shape=[4])), images, 1e-6)]
    for turns, name in enumerate(("quarter turn", "half turn", "three quarter turns"), start=1):
        # The view at M x shows the galaxy turned by the inverse; y points down, so +x goes to +y clockwise.
        matrices = get_transformation("rotation").matrix(tf.fill([4, 1], -turns * np.pi / 2))
        expected = np.rot90(images, -turns, axes=(1, 2))
        rows.append(_largest(name, warp(images, matrices), expected, 0.0))
    points = generator.uniform(-1.1, 1.1, (4, 1000, 2)).astype(np.float32)
    sampled = bilinear_sample(images, points).numpy()
    pixels = (points.astype(np.float64) + 1) * SIZE / 2 - 0.5
    planes = np.moveaxis(images, -1, 1)
    expected = [[_scipy_sample(plane, at) for plane in image] for image, at in zip(planes, pixels, strict=True)]
    rows.append(_largest("scipy.ndimage.map_coordinates", sampled, np.moveaxis(expected, 1, -1), 1e-4))
    rows += _addons_check(images, points, sampled)
    return Section("Warps", "largest / median (95th percentile) difference of pixels from 0 to 1", rows)


def _scipy_sample(plane: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return map_coordinates(plane.astype(np.float64), pixels[:, ::-1].T, order=1, mode="nearest")


def _addons_check(images: np.ndarray, points: np.ndarray, sampled: np.ndarray) -> list[Row]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces its end of life at every import
            import tensorflow_addons as tfa
    except ImportError:
        return []
    pixels = tf.constant((points + 1) * SIZE / 2 - 0.5)
    expected = tfa.image.interpolate_bilinear(tf.constant(images), pixels, indexing="xy").numpy()
    return [_largest("tfa.image.interpolate_bilinear", sampled, expected, 1e-4)]


def resampling_costs() -> Section:
    """Milliseconds of a fixed canonical grid for 64 images of 64x64x1, alone and with gradients to the images."""
    images = tf.random.stateless_uniform([BATCH, SIZE, SIZE, 1], [0, 0])
    rows = []
    for spacing in ("polar", "log-polar"):
        layer = CanonicalResampling(32, 64, spacing=spacing)
        layer.build(images.shape)
        forward = tf.function(layer)

        @tf.function
        def gradient(pictures: tf.Tensor, layer: CanonicalResampling = layer) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(pictures)
                loss = tf.reduce_sum(tf.square(layer(pictures)))
            return tape.gradient(loss, pictures)

        rows += [
            _timed(f"{spacing} 32x64, forward", forward, images, FORWARD),
            _timed(f"{spacing} 32x64, with gradients", gradient, images, GRADIENT),
        ]
    note = f"shortest / median (95th percentile) of {REPEATS} calls; what else runs on the machine only adds to them"
    return Section("Cost of canonical resampling", note, rows)


def _timed(name: str, function: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, target: float) -> Row:
    function(images)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(images).numpy()
        times.append(1000 * (time.perf_counter() - start))
    spread = Spread(min(times), float(np.median(times)), float(np.quantile(times, 0.95)))
    return Row(name, "time", "ms", f"{BATCH} images {SIZE}x{SIZE}x1", spread, target_mean=target)
