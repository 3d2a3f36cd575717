"""BASE/serving/: what TF Serving needs beside the model, written where missing and never over an operator's edits."""

from __future__ import annotations

import string
import warnings
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from tfgalaxy.errors import InputError
from tfgalaxy.export import serving_texts
from tfgalaxy.export.serving_messages import message_class
from tfgalaxy.export.warm_up import LARGEST_BATCH
from tfgalaxy.files import atomic_file

__all__ = ["FOLDER", "add_version", "check_model_name", "write_serving_configuration"]

FOLDER = "serving"
# The image's tag: of the oldest TensorFlow whose loader is tested with exports of either stack.
TAG = "2.15.1"
CPUS = 2
TEXTS = {
    "batching.config": serving_texts.BATCHING,
    "monitoring.config": serving_texts.MONITORING,
    "docker-compose.yml": serving_texts.COMPOSE,
    "README.md": serving_texts.README,
}
# A model's name stands in addresses, in configuration files and in a shell command.
NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_.")


def check_model_name(directory: Path) -> str:
    """The served model's name, which is its directory's.

    Raises:
        InputError: a name that TF Serving's addresses could not hold, or that of the configuration's folder.
    """
    name = directory.absolute().name
    if not name or not NAME_CHARACTERS.issuperset(name) or name == FOLDER:
        rule = f"must end in a name of letters, digits, '-', '_' and '.' other than {FOLDER!r}"
        raise InputError("output", rule, str(directory), "Name it BASE/NAME, as in models/galaxy.")
    return name


def write_serving_configuration(directory: Path, version: int) -> None:
    """Writes the files of `BASE/serving/` that are missing, and adds a version to its `models.config`.

    Args:
        directory: `BASE/NAME`.
        version: the new one, which becomes the canary; of a new model also the stable one.

    Warns:
        UserWarning: `models.config` was edited in ways that would be lost; `models.config.new` is written instead.
    """
    name = check_model_name(directory)
    folder = directory.absolute().parent / FOLDER
    folder.mkdir(exist_ok=True)
    values = {"name": name, "version": version, "tag": TAG, "cpus": CPUS, "largest_batch": LARGEST_BATCH}
    for file, text in TEXTS.items():
        if not (folder / file).exists():
            _write(folder / file, string.Template(text).substitute(values))
    _update_models(folder / "models.config", name, version)


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _update_models(path: Path, name: str, version: int) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else serving_texts.MODELS_HEADER
    try:
        edited = not text.startswith(serving_texts.MODELS_HEADER) or "#" in text[len(serving_texts.MODELS_HEADER) :]
        config = text_format.Parse(text, message_class("ModelServerConfig")())
    except text_format.ParseError:
        # A setting that the fields of `serving_messages` do not have.
        edited, config = True, message_class("ModelServerConfig")()
    add_version(config, name, version)
    if edited:
        new = path.with_name(f"{path.name}.new")
        warnings.warn(f"{path} has settings of its own and was not changed; see {new} for {name}", stacklevel=2)
        path = new
    _write(path, serving_texts.MODELS_HEADER + text_format.MessageToString(config))


def add_version(config: Any, name: str, version: int) -> None:
    """Makes a version of a model the canary, in a `ModelServerConfig`.

    A new model gets an entry in which the version is stable, too. The canary before it is no longer listed, unless
    another label names it; an entry whose policy is not a list of versions keeps its policy.
    """
    models = config.model_config_list.config
    entry = next((model for model in models if model.name == name), None)
    if entry is None:
        entry = models.add(name=name, base_path=f"/models/{name}", model_platform="tensorflow")
        entry.version_labels.add(key="stable", value=version)
        entry.model_version_policy.specific.SetInParent()
    labels = {label.key: label.value for label in entry.version_labels}
    before = labels.get("canary")
    labels["canary"] = version
    del entry.version_labels[:]
    for key, value in sorted(labels.items(), reverse=True):
        entry.version_labels.add(key=key, value=value)
    if entry.model_version_policy.HasField("specific"):
        listed = set(entry.model_version_policy.specific.versions) - {before} | set(labels.values())
        entry.model_version_policy.specific.versions[:] = sorted(listed)
