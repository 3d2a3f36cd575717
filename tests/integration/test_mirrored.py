"""`GalaxyVAE` under MirroredStrategy, with two virtual CPU devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.core
@pytest.mark.minutes
def test_two_replicas_equal_one_device_in_each_regime():
    script = Path(__file__).with_name("mirrored_steps.py")
    helpers = {**os.environ, "PYTHONPATH": os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])}
    helpers.pop("TF_CONFIG", None)
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=helpers)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-3:] == ["supervised equal", "two-step equal", "alternating equal"]
