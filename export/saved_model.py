"""Writes a fitted model as a versioned SavedModel that TF Serving loads as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.export.golden import golden_inputs, write_golden
from tfgalaxy.export.model_card import model_card
from tfgalaxy.export.serving_configuration import check_model_name, write_serving_configuration
from tfgalaxy.export.signatures import ServedModel, preprocessing_of
from tfgalaxy.export.warm_up import write_warm_up
from tfgalaxy.files import atomic_directory
from tfgalaxy.models import GalaxyVAE

__all__ = ["next_version", "save"]


def next_version(base: str | os.PathLike[str]) -> int:
    """One more than the largest integer directory in `base`; 1 where there is none."""
    path = Path(base)
    found = [int(entry.name) for entry in path.iterdir() if entry.name.isdigit()] if path.is_dir() else []
    return max(found, default=0) + 1


def save(
    model: GalaxyVAE,
    base: str | os.PathLike[str],
    version: int | None = None,
    card: dict[str, Any] | None = None,
) -> Path:
    """Writes `base/<version>/`: all signatures, assets, warm-up requests, golden examples and a model card; and what TF
    Serving needs beside it, in the folder `serving` next to `base`, as far as it is missing there.

    Args:
        model: a fitted `GalaxyVAE`.
        base: the directory of the model's name, as in `models/galaxy`.
        version: a positive integer; the next free one when None. Written under a name that is no integer, which TF
            Serving does not look at, and renamed when whole.
        card: entries of the model card, as `tfgalaxy.export.model_card.run_card` gives them.

    Returns:
        The version's directory.

    Raises:
        InputError: the version is not a positive integer, or exists already (a version is never overwritten); or the
            last part of `base` is no name for a served model.
    """
    name = check_model_name(Path(base))
    version = next_version(base) if version is None else version
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        remedy = "TF Serving skips every other directory without a word."
        raise InputError("version", "must be a positive integer", version, remedy)
    target = Path(base) / str(version)
    if target.exists():
        raise InputError("version", "must be new", str(target), f"Use version={next_version(base)} or leave it out.")
    with atomic_directory(target) as temporary:
        _write_version(model, temporary, {**model_card(model, name, version), **(card or {})})
    write_serving_configuration(Path(base), version)
    return target


def _write_version(model: GalaxyVAE, directory: Path, card: dict[str, Any]) -> None:
    served = ServedModel(model)
    signatures = served.signatures()
    # A served function is never differentiated; without this every loader warns of gradients that were not saved.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(served, str(directory), signatures=signatures, options=options)
    _write_assets(model, directory / "assets")
    extra = directory / "assets.extra"
    extra.mkdir(exist_ok=True)
    inputs = golden_inputs(signatures["embed"], preprocessing_of(model))
    write_golden(extra / "golden.npz", signatures, inputs)
    write_warm_up(extra / "tf_serving_warmup_requests", signatures, inputs, card["name"])
    (extra / "model_card.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")


def _write_assets(model: GalaxyVAE, directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    model.questions.to_json(directory / "questions.json")
    (directory / "labels.txt").write_text("".join(f"{label}\n" for label in model.questions.answer_labels), "utf-8")
    preprocessing_of(model).to_json(directory / "preprocessing.json")
