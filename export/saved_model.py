"""Writes a fitted model as a versioned SavedModel that TF Serving loads as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.export.signatures import ServedModel, preprocessing_of
from tfgalaxy.files import atomic_directory
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.stack import versions

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
    """Writes `base/<version>/`: the signatures of DESIGN.md, assets and a model card.

    Args:
        model: a fitted `GalaxyVAE`.
        base: the directory of the model's name, as in `models/galaxy`.
        version: a positive integer; the next free one when None. Written under another name and renamed when whole.
        card: further entries of the model card, as metrics and data.

    Returns:
        The version's directory.

    Raises:
        InputError: the version is not a positive integer, or exists already: a version is never overwritten.
    """
    version = next_version(base) if version is None else version
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        remedy = "TF Serving skips every other directory without a word."
        raise InputError("version", "must be a positive integer", version, remedy)
    target = Path(base) / str(version)
    if target.exists():
        raise InputError("version", "must be new", str(target), f"Use version={next_version(base)} or leave it out.")
    with atomic_directory(target) as temporary:
        served = ServedModel(model)
        # A served function is never differentiated; without this every loader warns of gradients that were not saved.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(served, str(temporary), signatures=served.signatures(), options=options)
        _write_assets(model, temporary, card or {})
    return target


def _write_assets(model: GalaxyVAE, directory: Path, card: dict[str, Any]) -> None:
    assets, extra = directory / "assets", directory / "assets.extra"
    assets.mkdir(exist_ok=True)
    extra.mkdir(exist_ok=True)
    model.questions.to_json(assets / "questions.json")
    (assets / "labels.txt").write_text("".join(f"{label}\n" for label in model.questions.answer_labels), "utf-8")
    preprocessing_of(model).to_json(assets / "preprocessing.json")
    full_card = {"model": model.config.to_dict(), "versions": versions(), **card}
    (extra / "model_card.json").write_text(json.dumps(full_card, indent=2) + "\n", "utf-8")
