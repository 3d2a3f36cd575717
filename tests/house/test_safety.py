"""What SECURITY.md says of the code holds in every module."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for folder in ("tfgalaxy", "tuning", "export") for path in (ROOT / folder).rglob("*.py"))
MODULES_THAT_RUN_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "tarfile", "yaml"}
CALLS_THAT_RUN_CODE = {"eval", "exec", "enable_unsafe_deserialization", "unpack_archive", "extractall"}


def faults(source: str) -> list[str]:
    """Lines that unpickle, evaluate, extract or load unsafely."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            if {name.split(".")[0] for name in names} & MODULES_THAT_RUN_CODE:
                found.append(f"{node.lineno}: imports {names}")
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        plain = isinstance(node.func, ast.Name) or name != "eval"  # a method of that name is no builtin
        if name in CALLS_THAT_RUN_CODE and plain:
            found.append(f"{node.lineno}: {name}")
        for option, safe in (("allow_pickle", False), ("safe_mode", True), ("shell", False)):
            value = keywords.get(option)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is safe):
                found.append(f"{node.lineno}: {option}")
    return found


def test_faults_are_found():
    assert len(faults("import pickle\nfrom yaml import load\neval('1')\nnumpy.load(x, allow_pickle=True)")) == 4
    assert len(faults("keras.saving.load_model(x, safe_mode=False)\nrun(x, shell=True)")) == 2
    assert faults("import json\nnumpy.load(x, allow_pickle=False)\nframe.eval('a')") == []


def test_no_module_runs_what_a_file_says():
    found = {path.relative_to(ROOT).as_posix(): faults(path.read_text("utf-8")) for path in MODULES}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_model_file_with_code_is_not_opened(tmp_path):
    """A `Lambda` whose Python function stands in the file, put into a finished run's model."""
    import keras

    from tfgalaxy.models import GalaxyVAE

    model = keras.Sequential([keras.Input([1]), keras.layers.Lambda(lambda x: x + 1)])
    path = tmp_path / "model.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert b'"Lambda"' in archive.read("config.json")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        keras.saving.load_model(path, custom_objects={"GalaxyVAE": GalaxyVAE}, compile=False)
