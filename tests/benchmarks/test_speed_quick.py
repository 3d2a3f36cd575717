"""The benchmark runs from end to end in its quick form; what it measures there means nothing and is not judged."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).resolve().parents[2] / "benchmarks" / "speed.py"
SECTIONS = 6


@pytest.mark.minutes
def test_the_quick_form_measures_everything(tmp_path):
    record, page = tmp_path / "speed.json", tmp_path / "speed.md"
    command = [sys.executable, str(SPEED), "--quick", "--json", str(record), "--markdown", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text("utf-8"))
    assert len(found["figures"]) == SECTIONS
    for title, figures in found["figures"].items():
        assert figures
        assert f"### {title}" in page.read_text("utf-8")
        for figure in figures:
            assert math.isfinite(figure["value"])
            assert figure["value"] >= 0
            assert figure["target"] is None
            assert figure["repeats"]
