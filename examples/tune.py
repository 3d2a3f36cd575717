"""Searches for a dropout and a label smoothing with KerasTuner; `tfgalaxy tune` does more, without a script.

python examples/tune.py CATALOGUE IMAGES OUTPUT [QUESTIONS] [TRIALS] [EPOCHS]
"""

import sys

import keras_tuner

import tfgalaxy as tg
from tfgalaxy.training import RunConfig, TrainingConfig


def main(catalogue, images, output, questions="gz2", trials=8, epochs=12, model=tg.ModelConfig()):  # noqa: B008
    """Returns the best trial's hyperparameters, by the log-likelihood of the validation galaxies' votes."""
    train, validation, _ = tg.data.load_catalogue(catalogue, images, questions).split(seed=0)
    everything_else = dict.fromkeys(tg.tuning.SearchSpace().to_dict())
    space = tg.tuning.SearchSpace(**{**everything_else, "dropout": (0.2, 0.6), "label_smoothing": (0.0, 0.1)})
    config = RunConfig(model=model, training=TrainingConfig(regime="supervised"))
    tuner = keras_tuner.RandomSearch(
        tg.tuning.GalaxyHyperModel(train.questions, space=space, config=config),
        objective=tg.tuning.objective("val_log_likelihood"),
        max_trials=int(trials),
        directory=output,
        project_name="search",
    )
    size = model.image_size
    batches = tg.data.batches(train, batch_size=16, image_size=size, shuffle=True)
    tuner.search(batches, validation_data=tg.data.batches(validation, image_size=size), epochs=int(epochs))
    return tuner.get_best_hyperparameters()[0].values


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
