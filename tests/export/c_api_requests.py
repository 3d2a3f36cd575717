"""Sends requests through `c_api.py`, in a process that cannot import tfgalaxy."""

import subprocess
import sys
from pathlib import Path

import numpy as np


def answer(export, requests, folder):
    """Outputs by (request, signature) for inputs by the same keys."""
    arrays = {f"{key}/{name}/{i}": value for (key, name), inputs in requests.items() for i, value in inputs.items()}
    np.savez(folder / "in.npz", **arrays)
    script = str(Path(__file__).with_name("c_api.py"))
    command = [sys.executable, "-I", script, str(export), str(folder / "in.npz"), str(folder / "out.npz")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    outputs = {}
    with np.load(folder / "out.npz") as found:
        for key in found.files:
            request, name, output = key.split("/")
            outputs.setdefault((request, name), {})[output] = found[key]
    return outputs
