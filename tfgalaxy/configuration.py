"""Frozen dataclasses that read and write JSON; an unknown key or a wrong type is an error, never a silent default."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tfgalaxy.errors import InputError
from tfgalaxy.files import atomic_file

__all__ = ["Configuration", "check", "leaves", "read_json"]

C = TypeVar("C", bound="Configuration")


def check(holds: bool, argument: str, rule: str, value: Any, remedy: str) -> None:
    """Raises `InputError` unless `holds`; keeps a list of rules readable as one line each."""
    if not holds:
        raise InputError(argument, rule, value, remedy)


def _convert(argument: str, hint: Any, value: Any) -> Any:
    """`value` as JSON gives it, turned into what the field's type hint says (tuples, nested configurations)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (hint,) = [choice for choice in arguments if choice is not type(None)]
        return _convert(argument, hint, value)
    if origin is typing.Literal:
        check(value in arguments, argument, f"must be one of {', '.join(map(str, arguments))}", value, "Choose one.")
        return value
    if origin is tuple:
        check(isinstance(value, list | tuple), argument, "must be a list", value, "Write it in square brackets.")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(argument, arguments[0], item) for item in value)
        check(len(value) == len(arguments), argument, f"must have {len(arguments)} entries", value, "Give them all.")
        return tuple(_convert(argument, kind, item) for kind, item in zip(arguments, value, strict=True))
    if isinstance(hint, type) and issubclass(hint, Configuration):
        return value if isinstance(value, hint) else hint.from_dict(value, argument)
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
        check(number, argument, "must be a finite number", value, "Give a number.")
        return float(value)
    exact = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    check(exact, argument, f"must be of type {hint.__name__}", value, "Correct the value.")
    return value


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest float
        return False


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Base of the data, model and training configurations.

    Subclasses are frozen dataclasses whose fields are JSON's types, `Literal`s, tuples of these, or configurations.
    Types are checked whenever one is made; a subclass states its further rules in `validate`.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _convert(field.name, hints[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self.validate()

    def validate(self) -> None:
        """Raises `InputError` if a value breaks a rule that its type does not state."""

    def replace(self: C, **changes: Any) -> C:
        """A copy with some fields changed, checked like a new one."""
        known = {field.name for field in dataclasses.fields(self)}
        self._refuse_unknown(changes, known, type(self).__name__)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries and lists of JSON's types."""
        return typing.cast(dict[str, Any], json.loads(json.dumps(dataclasses.asdict(self))))

    @classmethod
    def from_dict(cls: type[C], values: Mapping[str, Any], argument: str = "configuration") -> C:
        """The inverse of `to_dict`; missing keys take their defaults.

        Raises:
            InputError: an unknown key, a wrong type, or a value out of range.
        """
        check(isinstance(values, Mapping), argument, "must be a JSON object", values, "Write it in curly brackets.")
        cls._refuse_unknown(values, {field.name for field in dataclasses.fields(cls)}, argument)
        return cls(**values)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes the configuration to a file, in one step."""
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls: type[C], path: str | os.PathLike[str]) -> C:
        """Reads a file that `to_json` or a user wrote."""
        return cls.from_dict(read_json(path), str(path))

    @staticmethod
    def _refuse_unknown(given: Mapping[str, Any], known: set[str], argument: str) -> None:
        unknown = sorted(set(given) - known)
        check(not unknown, argument, f"must have only the keys {', '.join(sorted(known))}", unknown, "Correct the key.")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file; a missing or broken file is an `InputError`."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), "must be a readable JSON file", error.strerror, "Check the path.") from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, an integer of 5,000 digits, or too deep
        raise InputError(str(path), "must hold valid JSON", str(error), "Correct the file.") from error


def leaves(values: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested dictionaries under dotted names, as in `{"model.dropout": 0.5}`."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {
        leaf: item
        for name, value in values.items()
        for leaf, item in leaves(value, f"{prefix}.{name}" if prefix else name).items()
    }
