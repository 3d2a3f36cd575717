"""A search small enough to run within seconds."""

import csv
import sys

from small_model import SMALL

from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.simulation import simulate
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.tuning.run_search import search
from tfgalaxy.tuning.space import NOTHING, SearchSpace

CONFIG = RunConfig(
    data=DataConfig(questions="gz1", labels=12),
    model=SMALL.replace(prediction_views=1, vote_likelihood="multinomial"),
    training=TrainingConfig(regime="supervised", batch_size=4, steps_per_epoch=1, epochs=2),
)
SPACE = SearchSpace(**{**NOTHING, "dropout": (0.0, 0.7), "classifier_learning_rate": (1e-3, 1e-1)})


def write_galaxies(folder, count=40):
    return simulate(count, folder / "galaxies", questions="gz1", image_size=48)


def open_galaxies(path):
    return load_catalogue(path, path.parent, "gz1")


if __name__ == "__main__":  # a search that a test kills
    from pathlib import Path

    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    config = CONFIG.replace(training=CONFIG.training.replace(epochs=4))
    search(sys.argv[2], open_galaxies(Path(sys.argv[1])), config, SPACE, algorithm="random", trials=3, quiet=True)


def kept_score(run, objective="val_log_likelihood"):
    """The objective at the epoch whose weights a run keeps, read off its history."""
    with run.history_file.open() as stream:
        rows = list(csv.DictReader(stream))
    return float(max(rows, key=lambda row: float(row["val_multinomial_log_likelihood"]))[objective])
