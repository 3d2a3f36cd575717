"""Checks of an export's files and of its serving configuration, which need neither TensorFlow nor tfgalaxy.

Used by `verification_process.py`.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

from google.protobuf import text_format

__all__ = ["ExportError", "check_configuration", "check_files", "require"]

message_class = runpy.run_path(str(Path(__file__).with_name("serving_messages.py")))["message_class"]

FILES = (
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.index",
    "assets/questions.json",
    "assets/labels.txt",
    "assets/preprocessing.json",
    "assets.extra/tf_serving_warmup_requests",
    "assets.extra/model_card.json",
    "assets.extra/golden.npz",
)
CARD = ("model", "questions", "data", "votes", "metrics", "limits", "versions", "seed")


class ExportError(Exception):
    """What is wrong with the export."""


def require(holds: bool, what: str) -> None:
    """Raises `ExportError` unless something holds."""
    if not holds:
        raise ExportError(what)


def check_files(path: Path) -> str:
    """The version's name, files and assets."""
    require(path.name.isdigit() and int(path.name) > 0, f"TF Serving loads integer names only, not {path.name!r}")
    missing = [name for name in FILES if not (path / name).is_file()]
    require(not missing, f"missing: {', '.join(missing)}")
    labels = (path / "assets/labels.txt").read_text("utf-8").splitlines()
    questions = json.loads((path / "assets/questions.json").read_text("utf-8"))
    answers = [answer for question in questions["questions"] for answer in question["answers"]]
    require(len(labels) == len(set(labels)) == len(answers), "labels.txt and questions.json have different answers")
    preprocessing = json.loads((path / "assets/preprocessing.json").read_text("utf-8"))
    require({"image_size", "channels", "crop_fraction"} <= preprocessing.keys(), "preprocessing.json lacks an entry")
    card = json.loads((path / "assets.extra/model_card.json").read_text("utf-8"))
    missing = [name for name in CARD if name not in card]
    require(not missing, f"model_card.json lacks {', '.join(missing)}")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
    return f"{len(FILES)} files, {len(labels)} answers, {size:.1f} MB"


def read_text(path: Path, message: str) -> Any:
    """A configuration file in protobuf's text format."""
    require(path.is_file(), f"missing: {path}")
    try:
        return text_format.Parse(path.read_text("utf-8"), message_class(message)(), allow_unknown_field=True)
    except text_format.ParseError as error:
        raise ExportError(f"{path.name}: {error}") from error


def check_configuration(path: Path) -> str:
    """BASE/serving/: readable, and models.config knows the model and versions that exist."""
    folder, name = path.parent.parent / "serving", path.parent.name
    batching = read_text(folder / "batching.config", "BatchingParameters")
    require(batching.max_batch_size.value >= 1, "batching.config has no max_batch_size")
    monitoring = read_text(folder / "monitoring.config", "MonitoringConfig").prometheus_config
    require(monitoring.enable and bool(monitoring.path), "monitoring.config does not enable Prometheus")
    require((folder / "docker-compose.yml").is_file(), "missing: docker-compose.yml")
    models = read_text(folder / "models.config", "ModelServerConfig").model_config_list.config
    entries = [model for model in models if model.name == name]
    require(len(entries) == 1, f"models.config has {len(entries)} entries for {name!r}")
    specific = set(entries[0].model_version_policy.specific.versions)
    labels = {label.key: label.value for label in entries[0].version_labels}
    for version in sorted(specific | set(labels.values())):
        require((path.parent / str(version)).is_dir(), f"models.config names version {version}, which does not exist")
    unlisted = {label for label, version in labels.items() if specific and version not in specific}
    require(not unlisted, f"models.config does not load the version of {', '.join(sorted(unlisted))}")
    return f"{name}: " + ", ".join(f"{label} is version {version}" for label, version in sorted(labels.items()))
