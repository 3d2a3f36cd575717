"""Options of the command line that stand for settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfgalaxy.training.config import RunConfig

__all__ = ["with_options"]

# Where an option of `train` stands in the configuration.
OPTIONS = {
    "questions": (("data", "questions"),),
    "labels": (("data", "labels"),),
    "voters": (("data", "voters"),),
    "image_size": (("model", "image_size"),),
    "regime": (("training", "regime"),),
    "epochs": (("training", "epochs"),),
    "seed": (("training", "seed"), ("data", "label_seed")),
}


def with_options(config: RunConfig, options: Mapping[str, Any]) -> RunConfig:
    """The configuration with the options that were given put over it."""
    for option, places in OPTIONS.items():
        value = options.get(option)
        for section, field in places if value is not None else ():
            config = config.replace(**{section: getattr(config, section).replace(**{field: value})})
    return config
