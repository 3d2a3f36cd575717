"""`GalaxyVAE` under MirroredStrategy, with two virtual CPU devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.core
@pytest.mark.slow
def test_two_replicas_fit_in_each_regime_and_equal_one_device():
    script = Path(__file__).with_name("mirrored_steps.py")
    helpers = {**os.environ, "PYTHONPATH": str(script.parents[1])}
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=helpers)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-4:] == ["equal", "supervised ok", "unlabelled ok", "alternating ok"]
