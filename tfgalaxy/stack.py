"""Which versions are running, so that a run can say what made it."""

from __future__ import annotations

import importlib.metadata
import platform

__all__ = ["PACKAGES", "stack_name", "versions"]

PACKAGES = ("tfgalaxy", "tensorflow", "keras", "tensorflow-probability", "tensorflow-addons", "numpy")


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that numbers depend on; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def stack_name() -> str:
    """Either "classic" (Keras 2.15) or "current" (Keras 3): weights files of one cannot be read by the other."""
    return "classic" if importlib.metadata.version("keras").startswith("2.") else "current"
