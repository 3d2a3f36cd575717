"""The state after a run's unlabelled epochs, kept for runs that begin alike: they differ in labels or regime only.

The VAE's clock sees no votes, so that what it has learnt by itself is the same for every number of labels as long as
pool, configuration and seed are. A run that takes such a start ends with the very weights that it would have reached
from its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tfgalaxy.data.pixels import Pixels
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.stack import versions
from tfgalaxy.training.checkpoint import load_state, save_state
from tfgalaxy.training.config import RunConfig

__all__ = ["SharedStart"]

# What only the classifier's clock, or what comes after the start, reads. All else makes another start.
READ_LATER = {
    "data": ("labels", "label_seed", "voters"),
    "model": ("dropout", "label_smoothing", "voters", "classifier_views", "prediction_views"),
    "training": (
        "regime",
        "epochs",
        "teachers",
        "voted_share",
        "patience",
        "classifier_learning_rate",
        "fine_tuning_learning_rate",
        "fine_tune",
        "alternating_views",
        "alternating_contrast_weight",
        "vae_steps",
        "classifier_steps",
    ),
}


class SharedStart:
    """One entry of a folder of starts.

    Args:
        folder: where they are kept.
        config: of the run; what `READ_LATER` names does not matter.
        pool: the images of the unlabelled pool, in an order that does not depend on the labels.
        model, vae_optimizer: whose state is kept: all weights but the classifier's, and the optimiser's.
    """

    def __init__(self, folder: Path, config: RunConfig, pool: Pixels, model: GalaxyVAE, vae_optimizer: Any) -> None:
        values = config.to_dict()
        values["training"]["unlabelled_epochs"] = config.training.start_epochs
        for section, names in READ_LATER.items():
            for name in names:
                del values[section][name]
        total = hashlib.blake2b(json.dumps([values, versions()]).encode(), digest_size=20)
        total.update(np.ascontiguousarray(pool.array).data)
        self.path = folder / f"{total.hexdigest()}.npz"
        layers = (model.transformer, model.encoder, model.decoder)
        weights = [*(weight for layer in layers for weight in layer.weights), model.log_pixel_scale]
        variables = vae_optimizer.variables
        self.groups = {"model": weights, "vae_optimizer": list(variables() if callable(variables) else variables)}

    def take(self) -> list[dict[str, Any]] | None:
        """Restores the state and gives the history of its epochs; None if no run has left it yet."""
        if not self.path.is_file():
            return None
        rows: list[dict[str, Any]] = load_state(self.path, self.groups)["rows"]
        return rows

    def keep(self, rows: list[dict[str, Any]]) -> None:
        """Writes the state, in one step."""
        save_state(self.path, self.groups, {"rows": rows})
