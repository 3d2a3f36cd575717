"""Whether the installed packages are those that the package's metadata (setup.cfg) asks for."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import shlex
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

__all__ = ["PackageState", "extras", "install_command", "package_states", "python_state"]

DISTRIBUTION = "tfgalaxy"


@dataclasses.dataclass(frozen=True)
class PackageState:
    """A package that is asked for, and the version that is there.

    Attributes:
        name: of the package.
        bounds: versions that are asked for, as in ">=2.15.1,<2.16".
        installed: the version that is there, or None.
        satisfied: whether that is within the bounds.
    """

    name: str
    bounds: str
    installed: str | None
    satisfied: bool


def python_state() -> PackageState:
    """This interpreter against `python_requires`."""
    bounds = SpecifierSet(",".join(importlib.metadata.metadata(DISTRIBUTION).get_all("Requires-Python") or []))
    version = platform.python_version()
    return PackageState("python", str(bounds), version, bounds.contains(version, prereleases=True))


def extras() -> list[str]:
    """Names of the optional groups of packages."""
    return importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []


def package_states(extra: str = "") -> list[PackageState]:
    """Every package that this interpreter needs, or that an extra adds.

    Args:
        extra: name of an optional group; without one, what is always needed.
    """
    wanted = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or []]
    chosen = []
    for requirement in wanted:
        always, with_extra = (
            requirement.marker is None or requirement.marker.evaluate({"extra": name}) for name in ("", extra)
        )
        if with_extra and not (extra and always):
            chosen.append(requirement)
    return [_package_state(requirement) for requirement in chosen]


def _package_state(requirement: Requirement) -> PackageState:
    try:
        installed: str | None = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        installed = None
    satisfied = installed is not None and requirement.specifier.contains(installed, prereleases=True)
    return PackageState(requirement.name, str(requirement.specifier), installed, satisfied)


def install_command(extra: str = "") -> str:
    """The shell command that installs what is asked for into this interpreter, from the checkout if this is one."""
    root = Path(__file__).absolute().parents[1]
    group = f"[{extra}]" if extra else ""
    target = ["-e", f"{root}{group}"] if (root / "setup.cfg").is_file() else [f"{DISTRIBUTION}{group}"]
    return shlex.join([sys.executable, "-m", "pip", "install", *target])
