"""Exports: the contract's files and signatures, numbers equal to the model's, versions, nothing half-written."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from export_model import SIGNATURES, jpeg, make_model

from tfgalaxy.data.images import decode_bytes
from tfgalaxy.errors import InputError
from tfgalaxy.export import Predictor, ServedModel, next_version, open_predictor, save
from tfgalaxy.export.signatures import preprocessing_of


@pytest.mark.core
def test_files_of_the_contract(exported):
    model, path = exported
    assert path.name == "3"
    assert (path / "saved_model.pb").is_file()
    assert (path / "variables").is_dir()
    assert (path / "assets/labels.txt").read_text().split() == list(model.questions.answer_labels)
    assert json.loads((path / "assets/preprocessing.json").read_text())["image_size"] == 32
    extra = {file.name for file in (path / "assets.extra").iterdir()}
    assert extra == {"tf_serving_warmup_requests", "model_card.json", "golden.npz"}
    serving = {file.name for file in (path.parents[1] / "serving").iterdir()}
    assert serving == {"models.config", "batching.config", "monitoring.config", "docker-compose.yml", "README.md"}


@pytest.mark.core
def test_signatures_equal_the_model_for_every_batch_size(exported):
    model, path = exported
    images = np.random.default_rng(0).uniform(0, 1, [5, 32, 32, 3]).astype(np.float32)
    expected = {**model.classify(tf.constant(images)), **model.embed(tf.constant(images))}
    predictor = open_predictor(path)
    for size in (1, 2, 5):
        outputs = {}
        for signature in ("classify", "embed", "reconstruct"):
            outputs.update(predictor.predict(images, signature, batch_size=size))
        for name, value in expected.items():
            np.testing.assert_allclose(outputs[name], value, atol=1e-5, err_msg=f"{name}, batches of {size}")
        assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in outputs.values())


@pytest.mark.core
def test_outputs_of_the_contract(exported):
    _, path = exported
    signatures = tf.saved_model.load(str(path)).signatures
    assert set(signatures) == set(SIGNATURES)
    for name, (inputs, outputs) in SIGNATURES.items():
        assert set(signatures[name].structured_input_signature[1]) == inputs, name
        assert set(signatures[name].structured_outputs) == outputs, name
        for spec in signatures[name].structured_outputs.values():
            assert spec.dtype == tf.float32
            assert spec.shape.rank >= 1


def test_bytes_give_what_local_prediction_gives(exported):
    model, path = exported
    good = [jpeg(seed, size) for seed, size in ((0, 64), (1, 101), (2, 90))]
    broken = [b"", b"no image", good[0][:200]]
    rows = tf.constant([good[0], broken[0], good[1], broken[1], broken[2], good[2]])
    served = tf.saved_model.load(str(path)).signatures["classify_bytes"](image_bytes=rows)
    np.testing.assert_array_equal(served["valid"], [1, 0, 1, 0, 0, 1])
    images = np.stack([decode_bytes(tf.constant(content), preprocessing_of(model)).numpy() for content in good])
    local = Predictor.from_model(model).predict(images)
    for name in ("fraction", "fraction_lower", "fraction_upper", "concentration", "asked_probability"):
        np.testing.assert_allclose(tf.gather(served[name], [0, 2, 5]), local[name], atol=1e-5, err_msg=name)


def test_samples_are_a_function_of_the_seed(exported):
    model, path = exported
    sample = tf.saved_model.load(str(path)).signatures["sample"]
    image = tf.random.stateless_uniform([3, 32, 32, 3], [1, 2])
    first = sample(image=image, seed=tf.constant([1, 2, 3]))["fraction_samples"].numpy()
    np.testing.assert_array_equal(first, sample(image=image, seed=tf.constant([1, 2, 3]))["fraction_samples"])
    alone = sample(image=image[1:2], seed=tf.constant([2]))["fraction_samples"].numpy()
    np.testing.assert_allclose(alone[0], first[1], atol=1e-5)
    assert not np.allclose(first[0], sample(image=image, seed=tf.constant([9, 2, 3]))["fraction_samples"][0])
    for part in model.questions.slices:
        np.testing.assert_allclose(first[..., part].sum(-1), 1.0, rtol=1e-4)


def test_versions(exported, tmp_path):
    model, path = exported
    assert next_version(path.parent) == 4
    assert next_version(tmp_path / "none") == 1
    with pytest.raises(InputError, match="version must be new"):
        save(model, path.parent, version=3)
    for version in (0, -1, "1", True):
        with pytest.raises(InputError, match="version must be a positive integer"):
            save(model, path.parent, version=version)
    with pytest.raises(InputError, match="output must end in a name of letters"):
        save(model, tmp_path / "my galaxies")


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(ServedModel, "signatures", lambda self: {})
    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save(make_model(), tmp_path / "galaxy")
    assert list((tmp_path / "galaxy").iterdir()) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["galaxy"]


# Exports, and before it opens or renames anything in the version's folder tells so and waits.
KILLED = """
import os, sys
sys.path[:0] = [{tests!r}, {tests!r} + "/export"]
from export_model import make_model
from tfgalaxy.export import save
model = make_model()
def tell(event, arguments):
    if event in ("open", "os.mkdir", "os.rename") and ".partial-" in str(arguments[0]):
        print(event, arguments[0], flush=True)
        sys.stdin.readline()
sys.addaudithook(tell)
save(model, sys.argv[1])
"""


@pytest.mark.slow
def test_an_export_killed_at_any_moment_leaves_nothing_that_tf_serving_loads(tmp_path):
    """What is on disk at each moment is what SIGKILL would leave there; it comes just before the version's rename."""
    tests = os.path.dirname(os.path.dirname(__file__))
    base, moments = tmp_path / "galaxy", []
    command = [sys.executable, "-c", KILLED.format(tests=tests), str(base)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        for line in process.stdout:
            assert not [entry for entry in base.iterdir() if entry.name.isdigit()], line
            event, _, path = line.strip().partition(" ")
            moments.append(os.path.basename(path))
            if event == "os.rename" and os.path.dirname(path) == str(base):
                process.send_signal(signal.SIGKILL)
                break
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.returncode == -signal.SIGKILL
    assert {"labels.txt", "golden.npz", "model_card.json"} <= set(moments)
    (left,) = base.iterdir()
    assert (left / "saved_model.pb").is_file()
    assert not left.name.isdigit()
    assert next_version(base) == 1


def test_predictor_of_a_model_shares_its_numbers():
    model = make_model()
    images = np.random.default_rng(1).integers(0, 255, [3, 32, 32, 3], dtype=np.uint8)
    outputs = Predictor.from_model(model).predict(images)
    expected = model(tf.constant(images, tf.float32) / 255.0)["fraction"]
    np.testing.assert_allclose(outputs["fraction"], expected, atol=1e-6)


def test_what_is_neither_run_nor_export(tmp_path, exported):
    with pytest.raises(InputError, match="RUN must be the directory of a run"):
        open_predictor(tmp_path)
    with pytest.raises(InputError, match=r"RUN\|EXPORT must be a run, or one version of an export"):
        open_predictor(exported[1].parent)
