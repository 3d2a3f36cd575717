"""From a trial's hyperparameters to the configuration of a run."""

from __future__ import annotations

import contextlib
from typing import Any

import keras_tuner

from tfgalaxy.training.config import RunConfig
from tfgalaxy.tuning.settings import SETTINGS, Setting
from tfgalaxy.tuning.space import SearchSpace

__all__ = ["declare", "trial_config"]

# Digits kept of a drawn number: the protocol of chief and workers carries hyperparameters as 32-bit floats.
DIGITS = 6


def trial_config(hp: keras_tuner.HyperParameters, space: SearchSpace, config: RunConfig) -> RunConfig:
    """Declares the space to KerasTuner and gives the configuration of a trial.

    What a regime does not read is declared in a conditional scope of the regime's hyperparameter where regimes are
    searched, and not at all where the one regime there is does not read it.

    Args:
        hp: of the trial; a fresh one is given the space, with the values that the search starts from.
        space: what is searched.
        config: all else; the values to start from are its own, as far as the space holds them.

    Raises:
        InputError: the values do not go together.
    """
    result = config
    for setting, value in declare(hp, space, config):
        result = setting.put(result, value)
    return result


def declare(hp: keras_tuner.HyperParameters, space: SearchSpace, config: RunConfig) -> list[tuple[Setting, Any]]:
    """Names the whole space to KerasTuner; gives the settings that are active, with their values."""
    chosen = []
    for setting in SETTINGS:
        values = getattr(space, setting.name)
        if values is None or not (readers := _readers(setting, space, config)):
            continue
        with _scope(hp, setting, space, readers):
            value = _declare(hp, setting, values, setting.get(config))
        if value is not None:
            chosen.append((setting, value))
    return chosen


def _readers(setting: Setting, space: SearchSpace, config: RunConfig) -> list[str]:
    """The search's regimes that read a setting."""
    present = list(space.regime or (config.training.regime,))
    from_latent = setting.name == "latent_size" and config.model.classifier_input == "latent"
    return [regime for regime in present if not setting.regimes or regime in setting.regimes or from_latent]


def _scope(hp: keras_tuner.HyperParameters, setting: Setting, space: SearchSpace, readers: list[str]) -> Any:
    """Within which hyperparameters are active in those regimes only."""
    if setting.name == "regime" or len(readers) == len(space.regime or readers):
        return contextlib.nullcontext()
    return hp.conditional_scope("regime", readers)


def _declare(hp: keras_tuner.HyperParameters, setting: Setting, values: tuple, own: Any) -> Any:
    """The hyperparameter's value; None where it is not active."""
    if setting.kind == "choice":
        by_text = {_text(value): value for value in values}
        default = _text(own) if _text(own) in by_text else _text(values[0])
        return by_text.get(hp.Choice(setting.name, list(by_text), default=default))
    low, high = values
    start = min(max(own, low), high)
    if setting.kind == "integer":
        return hp.Int(setting.name, low, high, default=start)
    drawn = hp.Float(setting.name, low, high, default=start, sampling=setting.kind)
    return None if drawn is None else min(max(float(f"{drawn:.{DIGITS}g}"), low), high)


def _text(value: Any) -> Any:
    """What KerasTuner can choose from: numbers as they are, all else as text."""
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or "none"
    return value
