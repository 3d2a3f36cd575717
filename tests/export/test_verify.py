"""`tfgalaxy verify`: a good export passes, and each kind of damage is found and named."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from tfgalaxy.cli import main
from tfgalaxy.errors import InputError
from tfgalaxy.export.serving_messages import message_class
from tfgalaxy.export.verify import verify

NAMES = [
    "files and assets",
    "loads in a fresh process",
    "names, types and shapes",
    "operations",
    "golden examples",
    "bytes and pixels agree",
    "broken bytes",
    "warm-up requests",
    "serving configuration",
]


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of BASE to be damaged; the path of the version."""
    shutil.copytree(exported[1].parents[1], tmp_path / "models")
    return tmp_path / "models" / "galaxy" / "3"


def failures(path):
    return {check.name: check.detail for check in verify(path) if not check.passed}


@pytest.mark.core
@pytest.mark.slow
def test_a_good_export_passes_every_check(exported):
    result = CliRunner().invoke(main, ["verify", str(exported[1])])
    assert result.exit_code == 0, result.output
    assert [line.split("│")[1].strip() for line in result.output.splitlines() if "passed" in line] == NAMES
    assert "without tfgalaxy" in " ".join(result.output.split())


def damage_everything(path):
    """One fault for each check that can find it by itself."""
    (path / "assets" / "labels.txt").write_text("only-one\n")
    with np.load(path / "assets.extra" / "golden.npz") as arrays:
        golden = {name: arrays[name] for name in arrays.files}
    golden["output/embed/latent_mean"][3, 0] += 1e-3
    golden["output/classify_bytes/fraction"][0] += 1e-3
    np.savez(path / "assets.extra" / "golden.npz", **golden)
    log = message_class("PredictionLog")()
    request = log.predict_log.request
    request.model_spec.signature_name = "classify"
    pixels = tf.make_tensor_proto(np.zeros([1, 9, 9, 3], np.float32))
    request.inputs.add(key="image", value=pixels.SerializeToString())
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    (path.parents[1] / "serving" / "monitoring.config").write_text("prometheus_config { enable: false }")


@pytest.mark.slow
def test_every_fault_is_named_and_the_exit_code_is_1(copy):
    damage_everything(copy)
    result = CliRunner().invoke(main, ["verify", str(copy)])
    assert result.exit_code == 1
    reasons = [line for line in result.output.splitlines() if line.startswith("tfgalaxy: ")]
    found = {name: line for name in NAMES for line in reasons if f": {name}: " in line}
    assert len(found) == len(reasons)
    assert "labels.txt and questions.json have different answers" in found.pop("files and assets")
    assert "fraction has 7 columns for 1 answers" in found.pop("names, types and shapes")
    assert "classify_bytes/fraction at batch 1 is off by 1.0e-03" in found.pop("golden examples")
    assert "classify_bytes/fraction of a broken row's neighbour is off by 1.0e-03" in found.pop("broken bytes")
    assert "Cannot feed value of shape (1, 9, 9, 3)" in found.pop("warm-up requests")
    assert "monitoring.config does not enable Prometheus" in found.pop("serving configuration")
    assert found == {}


@pytest.mark.slow
def test_an_export_of_python_does_not_load_unseen(copy):
    """A model that calls Python loads, lacks signatures and is told by its ops."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def call(self, x):
            return {"y": tf.numpy_function(lambda value: value + 1, [x], tf.float32) + tf.random.uniform([1])}

    module = Module()
    for name in ("variables", "saved_model.pb", "fingerprint.pb"):
        target = copy / name
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    tf.saved_model.save(module, str(copy), signatures=module.call)
    found = failures(copy)
    assert found["operations"] == "the graph holds PyFunc, RandomUniform"
    assert found["names, types and shapes"] == "signatures are serving_default"


@pytest.mark.slow
def test_what_does_not_load(copy):
    (copy / "saved_model.pb").write_bytes(b"not a model")
    (copy / "assets.extra" / "golden.npz").unlink()
    models = copy.parents[1] / "serving" / "models.config"
    models.write_text(models.read_text().replace("versions: 3", "versions: 8"))
    checks = verify(copy)
    assert [check.name for check in checks] == [*NAMES[:2], NAMES[-1]]
    files, loads, configuration = checks
    assert files.detail == "missing: assets.extra/golden.npz"
    assert not loads.passed
    assert configuration.detail == "models.config names version 8, which does not exist"


def test_paths_that_are_no_export(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="EXPORT must be a version's directory, BASE/NAME/N"):
            verify(path)
    result = CliRunner().invoke(main, ["verify", str(tmp_path)])
    assert result.exit_code == 2
    assert "EXPORT must be a version's directory" in result.output


def test_a_process_that_ends_is_a_failed_check(copy, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os, sys\nsys.stderr.write('segmentation fault')\nsys.stderr.flush()\nos._exit(139)\n")
    monkeypatch.setattr("tfgalaxy.export.verify.PROGRAM", program)
    (check,) = verify(copy)
    assert (check.name, check.passed) == ("answers", False)
    assert check.detail == "the process ended with code 139: segmentation fault"


def test_results_are_json_of_the_checks(copy, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    rows = [{"name": "a", "passed": True, "detail": "b"}]
    program.write_text(f"import sys\nopen(sys.argv[2], 'w').write({json.dumps(json.dumps(rows))})\n")
    monkeypatch.setattr("tfgalaxy.export.verify.PROGRAM", program)
    (check,) = verify(copy)
    assert (check.name, check.passed, check.detail) == ("a", True, "b")
