"""Objectives by name."""

import keras_tuner
import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.tuning.objectives import DIRECTIONS, check_objective, objective


def test_the_direction_is_the_name_s_own():
    assert objective("val_log_likelihood") == keras_tuner.Objective("val_log_likelihood", "max")
    assert objective("val_loss", "min").direction == "min"
    with pytest.raises(InputError, match=r"objective must have the direction 'max' for val_accuracy, not 'min'"):
        objective("val_accuracy", "min")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(InputError, match=r"objective must be one of val_log_likelihood, val_accuracy, .*, not 'val_l'"):
        objective("val_l")


def test_a_tuner_s_objective_is_fatal_if_wrong():
    check_objective(keras_tuner.Objective("val_elbo", DIRECTIONS["val_elbo"]))
    with pytest.raises(keras_tuner.errors.FatalValueError, match="objective must be one of"):
        check_objective(keras_tuner.Objective("accuracy", "max"))
    several = [keras_tuner.Objective("val_loss", "min"), keras_tuner.Objective("val_elbo", "min")]
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=several, max_trials=1)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="must have the direction 'max' for val_elbo"):
        check_objective(oracle.objective)
