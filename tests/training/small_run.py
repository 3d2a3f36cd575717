"""A catalogue and a configuration small enough to train within seconds."""

from small_model import SMALL

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.simulation import simulate
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig


def small_config(regime="alternating", **training):
    settings = {
        "regime": regime,
        "batch_size": 8,
        "steps_per_epoch": 3,
        "epochs": 3,
        "unlabelled_epochs": 1,
        "simulated_galaxies": 0,
        "teachers": 0,
    }
    return RunConfig(
        data=DataConfig(questions="gz1", labels=12),
        model=SMALL.replace(prediction_views=1),
        training=TrainingConfig(**{**settings, **training}),
    )


def make_catalogue(folder, count=40):
    path = simulate(count, folder / "galaxies", questions="gz1", image_size=64)
    return load_catalogue(path, path.parent, "gz1")
