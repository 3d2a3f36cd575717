"""The fixtures that watch over all tests do so."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest


def test_autograph_fallback_is_seen(autograph_fallbacks):
    tf = pytest.importorskip("tensorflow")
    names: dict = {}
    # Code whose source file does not exist is what AutoGraph cannot read.
    exec(compile("def step(x):\n    return x + 1\n", "no_such_file.py", "exec"), {}, names)
    tf.function(names["step"])(tf.constant(1))
    assert len(autograph_fallbacks) == 1
    autograph_fallbacks.clear()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_policy_starts_as_float32(policy):
    keras = pytest.importorskip("keras")
    assert keras.mixed_precision.global_policy().name == "float32"
    keras.mixed_precision.set_global_policy(policy)


@pytest.mark.parametrize("repetition", [0, 1])
def test_seeds_are_set(repetition):
    assert random.random() == random.Random(0).random()


def run_pytest(folder: Path, source: str, real_data: str | None) -> str:
    """Report of a fresh pytest, with this conftest, on one made-up test file."""
    (folder / "test_made_up.py").write_text(source)
    environment = {name: value for name, value in os.environ.items() if name != "TFGALAXY_REAL_DATA"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    if real_data is not None:
        environment["TFGALAXY_REAL_DATA"] = real_data
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-rs", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ["1 skipped", "TFGALAXY_REAL_DATA is not set"]),
        ("absent", ["1 error", "TFGALAXY_REAL_DATA must name a folder, not 'absent'"]),
        (".", ["1 passed"]),
    ],
)
def test_real_data(tmp_path, value, words):
    source = "def test_it(real_data):\n    assert real_data.is_absolute() and real_data.is_dir()\n"
    report = run_pytest(tmp_path, source, value)
    assert [word for word in words if word not in report] == [], report


def test_autograph_fallback_fails_a_test(tmp_path):
    source = (
        "import logging\ndef test_it():\n    logging.getLogger('tensorflow').warning('AutoGraph could not do it')\n"
    )
    assert "AutoGraph fell back in" in run_pytest(tmp_path, source, None)
