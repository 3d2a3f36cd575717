"""A catalogue and a configuration small enough to train within seconds."""

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.simulation import simulate
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

MODEL = ModelConfig(
    image_size=32,
    radii=16,
    angles=16,
    encoder_filters=(8, 8),
    decoder_filters=(8, 8),
    latent_size=4,
    prediction_views=1,
)


def small_config(regime="alternating", **training):
    settings = {"regime": regime, "batch_size": 8, "steps_per_epoch": 3, "epochs": 3, "unlabelled_epochs": 1}
    return RunConfig(
        data=DataConfig(questions="gz1", labels=12),
        model=MODEL,
        training=TrainingConfig(**{**settings, **training}),
    )


def make_catalogue(folder, count=40):
    path = simulate(count, folder / "galaxies", questions="gz1", image_size=64)
    return load_catalogue(path, path.parent, "gz1")
