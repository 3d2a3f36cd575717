"""Rooms that open their names when they are used: what one name needs is not waited for by another."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(room: str, homes: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        room: `__name__` of the package.
        homes: for each module of the package, the names that it defines.

    Example:
        __getattr__, __dir__ = lazy_names(__name__, {"saved_model": ("next_version", "save")})
    """
    modules = {name: f"{room}.{module}" for module, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[room], name, value)
        return value

    def directory() -> list[str]:
        module = sys.modules[room]
        return sorted({*vars(module), *module.__all__})

    return get, directory
