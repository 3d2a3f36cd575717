"""Predicts into a file in a process that kills itself: interrupted_prediction.py IMAGES OUTPUT MOMENT.

MOMENT: "block 3" (behind the third block of this process), "part 1" (the second part is written, not yet renamed) or
"assembly" (the output is put together, not yet renamed).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from export_model import make_model

from tfgalaxy.export import Predictor, folder_images, predict_to_file, prediction_parts

PART_ROWS = 128


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(moment):
    """Makes the process kill itself at the moment, and returns what is to be called as progress."""
    kind, _, number = moment.partition(" ")
    calls = []
    original = os.replace

    def replace(source, target):
        name = os.path.basename(target)
        if (kind == "part" and name == f"{int(number):06d}.parquet") or (
            kind == "assembly" and name == os.path.basename(sys.argv[2])
        ):
            die()
        original(source, target)

    def progress(done, total):
        calls.append(done)
        if kind == "block" and len(calls) == int(number):
            die()

    os.replace = replace
    return progress


def run_to(folder, output, moment):
    """Runs this file in a process of its own, to the moment at which it kills itself."""
    script = Path(__file__)
    path = os.pathsep.join([str(script.parent), str(script.parents[1])])
    command = [sys.executable, str(script), str(folder), str(output), moment]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


if __name__ == "__main__":
    images, output, moment = sys.argv[1:]
    prediction_parts.PART_ROWS = PART_ROWS
    progress = kill_at(moment)
    predict_to_file(Predictor.from_model(make_model()), folder_images(images), output, progress=progress)
