"""Which dtype trains faster here: measured, since processors with and without bfloat16 arithmetic look alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from tfgalaxy.configuration import check

__all__ = ["PRECISIONS", "Precision", "PrecisionProbe", "choose_precision", "probe_precision"]

Precision = Literal["float32", "mixed_bfloat16"]
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
# A gain below this is not worth the shorter mantissa.
WORTHWHILE = 1.2


class PrecisionProbe(NamedTuple):
    """Seconds of a convolution with its gradients in either dtype."""

    float32: float
    bfloat16: float

    @property
    def precision(self) -> Precision:
        """bfloat16 where it is faster by a fifth, else float32."""
        return "mixed_bfloat16" if self.float32 > WORTHWHILE * self.bfloat16 else "float32"

    def __str__(self) -> str:
        ratio = self.float32 / self.bfloat16
        return f"precision {self.precision}: a convolution in bfloat16 is {ratio:.1f} times as fast as in float32"


def _convolution_step(dtype: tf.DType) -> Callable[[], Any]:
    """The second block of the default encoder, whose convolution is the dearest, with its gradients."""
    random = tf.random.Generator.from_seed(0)
    images = tf.cast(random.normal([64, 16, 32, 32]), dtype)
    kernel = tf.cast(random.normal([3, 3, 32, 48]), dtype)

    @tf.function(jit_compile=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            result = tf.nn.conv2d(images, kernel, 1, "SAME")
        return tape.gradient(result, [images, kernel], output_gradients=result)

    return step


def probe_precision(seconds: float = 0.5) -> PrecisionProbe:
    """Times a convolution in float32 and bfloat16, in turn, for about so many seconds; the fastest of each counts."""
    steps = [_convolution_step(dtype) for dtype in (tf.float32, tf.bfloat16)]
    for step in steps:  # traced and warmed up
        step()
    best = [float("inf"), float("inf")]
    end = time.perf_counter() + seconds
    while True:
        for index, step in enumerate(steps):
            start = time.perf_counter()
            step()[0].numpy()
            best[index] = min(best[index], time.perf_counter() - start)
        if time.perf_counter() >= end:
            return PrecisionProbe(*best)


def choose_precision(requested: str, report: Callable[[str], Any] = print) -> Precision:
    """The dtype policy to train with: the requested one, or for "auto" the one that `probe_precision` finds faster.

    Args:
        requested: "auto", "float32" or "mixed_bfloat16".
        report: is given one line that says what was measured.

    Raises:
        InputError: another name.
    """
    check(requested in PRECISIONS, "precision", f"must be one of {', '.join(PRECISIONS)}", requested, "Use auto.")
    if requested != "auto":
        return requested  # type: ignore[return-value]
    probe = probe_precision()
    report(str(probe))
    return probe.precision
