"""What the encoder learns from simulated galaxies, whose answers are known, before a run sees any real one.

A model of its own with all simulated questions learns them; its encoder is where the run's begins. No galaxy of the
run matters to it, and neither does how the run's own classifier is regularised: runs of one encoder and seed share the
file, as all trials of a search do.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import keras

from tfgalaxy.data.pipelines import batches
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.progress import progress_bar
from tfgalaxy.stack import versions
from tfgalaxy.training.checkpoint import load_state, save_state
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.progress import StepProgress
from tfgalaxy.training.run_model import make_model
from tfgalaxy.training.weight_average import WeightAverage

__all__ = ["SIMULATED_STARTS", "load_simulated_start", "make_simulated_start"]

SIMULATED_STARTS = "simulated-*.npz"  # names of the files
# Part of their names; to be raised when the simulation, or what the encoder does, changes.
START_VERSION = 3
# Of the model, what is the default's whatever the run's is.
REGULARISATION = ("dropout", "label_smoothing", "classifier_views")

# Of the configuration, what this start is made from; all else makes no other one.
READ = {
    "model": (
        *("image_size", "channels", "crop_fraction", "transformations", "radii", "angles", "maximum_radius"),
        *("encoder_filters", "latent_size", "normalization", "classifier_input", "keep_radius"),
        *("vote_likelihood", "precision"),
    ),
    "training": (
        *("batch_size", "classifier_learning_rate", "weight_decay", "weight_average", "simulated_galaxies"),
        *("simulated_steps", "deterministic", "seed"),
    ),
}


def make_simulated_start(config: RunConfig, folder: Path, quiet: bool = False) -> Path:
    """The file of a start in a folder, which is made if it is not there.

    `training.simulated_steps` classifier steps on `training.simulated_galaxies` galaxies (`simulated_lessons`), at the
    supervised regime's learning rate. A start that is killed begins anew.
    """
    values = config.to_dict()
    read = {section: {name: values[section][name] for name in names} for section, names in READ.items()}
    key = hashlib.blake2b(json.dumps([START_VERSION, read, versions()]).encode(), digest_size=20).hexdigest()
    path = folder / SIMULATED_STARTS.replace("*", key)
    if not path.is_file():
        save_state(path, _groups(_learn(config, quiet)), read)
    return path


def load_simulated_start(model: GalaxyVAE, path: Path) -> None:
    """Gives a model the start's pose predictor and encoder; both clocks begin with its statistics."""
    load_state(path, _groups(model))
    model.copy_statistics("classifier", "vae")


def _groups(model: GalaxyVAE) -> dict[str, list[Any]]:
    return {"transformer": model.transformer.weights, "encoder": model.encoder.weights}


def _learn(config: RunConfig, quiet: bool) -> GalaxyVAE:
    # Here, for few runs need it, and what draws galaxies (Astropy's models, SciPy's signals) takes a second to import.
    from tfgalaxy.data.simulation.lessons import simulated_lessons

    training, default = config.training, ModelConfig()
    model = config.model.replace(**{name: getattr(default, name) for name in REGULARISATION})
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    with progress_bar("simulating galaxies", "galaxies", quiet) as report:
        lessons, pixels = simulated_lessons(training.simulated_galaxies, settings, training.seed, report)
    scholar = make_model(config.replace(model=model), lessons)
    rate = keras.optimizers.schedules.CosineDecay(training.classifier_learning_rate, training.simulated_steps)
    scholar.compile(classifier_optimizer=keras.optimizers.AdamW(rate, weight_decay=training.weight_decay))
    average = WeightAverage(scholar, training.weight_average)
    with progress_bar("learning from simulated galaxies", "steps", quiet) as report:
        scholar.fit(
            batches(lessons, training.batch_size, pixels=pixels, seed=training.seed, shuffle=True, repeat=True),
            steps_per_epoch=training.simulated_steps,
            callbacks=[average, StepProgress(report, training.simulated_steps)],
            shuffle=False,
            verbose=0,
        )
    average.accept()
    return scholar
