"""What an experiment was made from: stored in its directory, and what going on with it must agree with."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfgalaxy.configuration import Configuration, leaves, read_json
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.label_efficiency.plan import Plan
from tfgalaxy.files import atomic_file
from tfgalaxy.stack import stack_name, versions
from tfgalaxy.training.config import RunConfig

__all__ = ["Manifest", "git_commit", "read_manifest", "store_manifest", "stored_config"]


@dataclasses.dataclass(frozen=True)
class Manifest(Configuration):
    """All that an experiment's numbers depend on, but for its plan's size.

    Attributes:
        plan: the cells. Numbers of labels, seeds, regimes, baselines and the second folder may be added later.
        config: of all runs; labels, regime and seeds are each cell's own.
        questions: the decision tree.
        cnn_steps: steps of the plain CNN.
        galaxies: number of labelled galaxies.
        catalogue: hash of questions, ids, votes and the names of images.
        unlabelled: hash of the names of the second folder's images; None without one.
        stack: "classic" or "current": one cannot read the other's models.
    """

    plan: Plan
    config: RunConfig
    questions: Questions
    cnn_steps: int
    galaxies: int
    catalogue: str
    unlabelled: str | None = None
    stack: str = dataclasses.field(default_factory=stack_name)


def read_manifest(path: Path) -> Manifest:
    """The manifest that `store_manifest` wrote."""
    record = dict(read_json(path))
    for name in ("versions", "commit", "sources"):
        record.pop(name, None)
    return Manifest.from_dict(record, str(path))


def stored_config(directory: Path) -> RunConfig | None:
    """The configuration of the experiment in a directory, which going on with it need not repeat; None without one."""
    path = directory / "experiment.json"
    return read_manifest(path).config if path.is_file() else None


def store_manifest(path: Path, manifest: Manifest, sources: Mapping[str, Any]) -> Manifest:
    """Writes a new experiment's manifest, or adds cells to the one that is there.

    Args:
        path: `experiment.json`.
        manifest: what is to be run now.
        sources: where the data came from, for the record.

    Returns:
        The manifest as stored, with the cells of all calls.

    Raises:
        InputError: the experiment that is there was made from something else, by the first thing that differs.
    """
    if path.is_file():
        stored = read_manifest(path)
        _check_same(path, stored, manifest)
        plan = stored.plan.merge(manifest.plan)
        manifest = stored.replace(plan=plan, unlabelled=stored.unlabelled or manifest.unlabelled)
        if manifest == stored:
            return stored
    record = {**manifest.to_dict(), "sources": dict(sources), "versions": versions(), "commit": git_commit()}
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return manifest


def _check_same(path: Path, stored: Manifest, given: Manifest) -> None:
    """Raises `InputError` unless both are of one experiment, whatever their plans ask for."""
    before, now = (leaves(item.to_dict()) for item in (stored, given))
    for key in sorted({*before, *now}):
        if key.startswith("plan.") and key != "plan.folds":
            continue
        if key == "unlabelled" and None in (before.get(key), now.get(key)):
            continue
        if before.get(key) != now.get(key):
            rule = f"must hold an experiment with {key} = {now.get(key)!r}"
            remedy = "Go on with the options that it was started with, or name another --output."
            raise InputError(str(path.parent), rule, before.get(key), remedy)


def git_commit() -> str | None:
    """The commit of the package's source, with "+" where files differ from it; None outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        if not git("ls-files", "--", str(Path(__file__).parent.parent)):
            return None  # an installed copy inside some other repository
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None
