"""Runs the default signature of a SavedModel in OpenVINO: a program for a process of its own, without TensorFlow.

openvino_classify.py EXPORT IN.npz OUT.npz
"""

import sys

import numpy as np
import openvino
from openvino.frontend import FrontEndManager


def main(export, given, target):
    assert "tensorflow" not in sys.modules
    frontend = FrontEndManager().load_by_framework("tf")
    model = frontend.convert(frontend.load(export))
    # Its default on processors that have bfloat16 is bfloat16.
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with np.load(given) as images:
        answers = {size: compiled(images[size]) for size in images.files}
    found = {}
    for size, answer in answers.items():
        for output in compiled.outputs:
            (name,) = output.get_names()
            found[f"{size}/{name}"] = answer[output]
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
