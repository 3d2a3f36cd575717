"""The whole state of a run in one file, so that a killed run goes on as if nothing had happened."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file
from tfgalaxy.training.weight_average import get_values, set_values

__all__ = ["load_state", "read_record", "save_state"]

_REMEDY = "Resume with the configuration that the run was started with."
_DAMAGE = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile)


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
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {
                name: [stored[f"{name}/{index:04d}"] for index in range(len(variables))]
                for name, variables in groups.items()
            }
    except _DAMAGE as error:
        raise InputError(str(path), "must be a checkpoint of this run", str(error), _REMEDY) from error
    record = read_record(path)
    for name, variables in groups.items():
        shapes = [tuple(value.shape) for value in values[name]]
        expected = [tuple(variable.shape) for variable in variables]
        if shapes != expected:
            raise InputError(str(path), f"must hold {name} weights of shapes {expected[:3]}...", shapes[:3], _REMEDY)
    for name, variables in groups.items():
        set_values(variables, values[name])
    return record


def read_record(path: Path) -> dict[str, Any]:
    """What `save_state` was given to remember, without the variables.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            record: dict[str, Any] = json.loads(stored["record"].tobytes().decode())
    except _DAMAGE as error:
        raise InputError(str(path), "must be a checkpoint of a run", str(error), _REMEDY) from error
    return record
