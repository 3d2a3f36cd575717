"""The export in other hands: TF Serving's C++ loader through the C API, its protos, and OpenVINO."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from c_api_requests import answer
from export_model import SIGNATURES
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

pytestmark = [pytest.mark.core, pytest.mark.slow]


@pytest.fixture(scope="module")
def golden(exported):
    with np.load(exported[1] / "assets.extra" / "golden.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def batch(golden, signature, size):
    return {name: golden[f"input/{name}"][np.arange(size) % 8] for name in SIGNATURES[signature][0]}


def warm_up_requests(path):
    """What TF Serving's own protos read in the warm-up file."""
    requests = {}
    for record in tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests")):
        log = PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "galaxy"
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        inputs = {name: value.astype("S") if value.dtype == object else value for name, value in inputs.items()}
        size = len(next(iter(inputs.values())))
        requests[f"warm-up-{size}", request.model_spec.signature_name] = inputs
    return requests


def test_every_signature_runs_in_the_loader_of_tf_serving_and_the_warm_up_is_replayed(exported, golden, tmp_path):
    """One process that cannot import tfgalaxy: TF_LoadSessionFromSavedModel and TF_SessionRun."""
    _, path = exported
    requests = {(str(size), name): batch(golden, name, size) for name in SIGNATURES for size in (1, 7)}
    warm_up = warm_up_requests(path)
    assert set(warm_up) == {(f"warm-up-{size}", name) for name in SIGNATURES for size in (1, 64)}
    outputs = answer(path, {**requests, **warm_up}, tmp_path)
    for (request, name), values in outputs.items():
        assert set(values) == SIGNATURES[name][1]
        size = int(request.rpartition("-")[2])
        for output, value in values.items():
            assert value.shape[0] == size
            assert np.isfinite(value).all()
            if (request, name) in requests:
                expected = golden[f"output/{name}/{output}"][:size]
                gap = np.abs(value - expected) / np.maximum(1, np.abs(expected))
                assert gap.max() <= 1e-5, (name, output, size)
    assert set(outputs) == set(requests) | set(warm_up)


def with_default(path, signature, copy):
    """A copy of an export that has one signature: OpenVINO reads the default one only."""
    shutil.copytree(path, copy)
    model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    signatures = model.meta_graphs[0].signature_def
    chosen = signatures[signature]
    for name in [name for name in signatures if not name.startswith("__")]:
        if name != signature:
            del signatures[name]
    signatures["serving_default"].CopyFrom(chosen)
    (copy / "saved_model.pb").write_bytes(model.SerializeToString())
    return copy


def test_openvino_agrees_on_classify(exported, golden, tmp_path):
    """A second runtime that shares no code with the first, in a process without TensorFlow."""
    pytest.importorskip("openvino")
    path = with_default(exported[1], "classify", tmp_path / "classify")
    np.savez(tmp_path / "in.npz", **{str(size): golden["input/image"][:size] for size in (1, 8)})
    script = Path(__file__).with_name("openvino_classify.py")
    command = [sys.executable, "-I", script, path, tmp_path / "in.npz", tmp_path / "out.npz"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    with np.load(tmp_path / "out.npz") as found:
        assert len(found.files) == 12  # six outputs, at two batch sizes
        for key in found.files:
            size, name = key.split("/")
            expected = golden[f"output/classify/{name}"][: int(size)]
            gap = np.abs(found[key] - expected) / np.maximum(1, np.abs(expected))
            assert gap.max() <= 1e-5, key
