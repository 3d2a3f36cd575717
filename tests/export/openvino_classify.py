"""Runs the default signature of a SavedModel in OpenVINO: a program for a process of its own, without TensorFlow.

openvino_classify.py EXPORT IN.npz OUT.npz. OpenVINO has no rule for the quantiles of the Beta distribution (Betainc,
Lgamma, Ndtri): the outputs that need them stay unconverted and are cut off.
"""

import sys

import numpy as np
import openvino
from openvino.frontend import FrontEndManager

OUTPUTS = {"fraction", "asked_probability", "concentration", "valid"}


def main(export, given, target):
    assert "tensorflow" not in sys.modules
    frontend = FrontEndManager().load_by_framework("tf")
    whole = frontend.convert_partially(frontend.load(export))
    results = [output.get_node() for output in whole.outputs if output.get_names() & OUTPUTS]
    model = openvino.Model(results, whole.get_parameters())
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
