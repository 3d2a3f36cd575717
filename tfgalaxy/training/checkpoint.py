"""The whole state of a run in one file, so that a killed run goes on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file
from tfgalaxy.training.weight_average import get_values, set_values

__all__ = ["load_state", "save_state"]


def save_state(path: Path, groups: Mapping[str, list[Any]], record: Mapping[str, Any]) -> None:
    """Writes all variables and a record of JSON's types to one `.npz`, in one step.

    Args:
        path: the file.
        groups: lists of variables by name; their order is what identifies them.
        record: what else is to be remembered (epoch, history).
    """
    arrays = {
        f"{name}/{index:04d}": value
        for name, variables in groups.items()
        for index, value in enumerate(get_values(variables))
    }
    arrays["record"] = np.frombuffer(json.dumps(dict(record)).encode(), dtype=np.uint8)
    with atomic_file(path) as temporary:
        np.savez(temporary, **arrays)


def load_state(path: Path, groups: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Assigns what `save_state` wrote to the same variables and returns the record.

    Raises:
        InputError: the file is of a run with another configuration, or is damaged; no variable is changed then.
    """
    remedy = "Resume with the configuration that the run was started with."
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {
                name: [stored[f"{name}/{index:04d}"] for index in range(len(variables))]
                for name, variables in groups.items()
            }
            record = json.loads(stored["record"].tobytes().decode())
    except (OSError, KeyError, ValueError) as error:
        raise InputError(str(path), "must be a checkpoint of this run", str(error), remedy) from error
    for name, variables in groups.items():
        shapes = [tuple(value.shape) for value in values[name]]
        expected = [tuple(variable.shape) for variable in variables]
        if shapes != expected:
            raise InputError(str(path), f"must hold {name} weights of shapes {expected[:3]}...", shapes[:3], remedy)
    for name, variables in groups.items():
        set_values(variables, values[name])
    return record
