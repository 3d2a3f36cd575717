"""Ends a run whose losses are no longer finite, before a checkpoint of it is written."""

from __future__ import annotations

import math
from typing import Any

import keras

from tfgalaxy.errors import InputError

__all__ = ["FiniteTerms"]

# A term stands before the sums that hold it, so that the one named is where it began.
ORDER = ("pixel_log_prob", "kl_divergence", "contrast", "log_likelihood", "accuracy", "elbo", "loss")


class FiniteTerms(keras.callbacks.Callback):
    """Stops training at the end of the epoch in which a term became NaN or infinite, with an error that names it.

    In the list of callbacks it stands before what writes checkpoints: the last one then is of the last finite epoch.
    Means are looked at once an epoch, for a look at every step would wait for the device.

    Raises:
        InputError: at the end of an epoch; the value says which term and when.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(float(value))]
        if not broken:
            return
        first = min(broken, key=_rank)
        remedy = "Lower the learning rates, or train in float32; the last checkpoint is of a finite epoch."
        raise InputError(
            "training", "must have finite terms", f"{first} = {(logs or {})[first]} in epoch {epoch}", remedy
        )


def _rank(name: str) -> tuple[bool, int]:
    """Training before validation, terms before their sums."""
    plain = name.removeprefix("val_")
    return name != plain, ORDER.index(plain) if plain in ORDER else -1
