"""Exports: the contract's files and signatures, numbers equal to the model's, read by other loaders."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from export_model import SIGNATURES, jpeg, make_model

from tfgalaxy.errors import InputError
from tfgalaxy.export import Predictor, ServedModel, next_version, open_predictor, save


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = make_model()
    return model, save(model, tmp_path_factory.mktemp("models") / "galaxy", version=3)


@pytest.mark.core
def test_files_of_the_contract(exported):
    model, path = exported
    assert path.name == "3"
    assert (path / "saved_model.pb").is_file()
    assert (path / "variables").is_dir()
    assert (path / "assets/labels.txt").read_text().split() == list(model.questions.answer_labels)
    assert json.loads((path / "assets/preprocessing.json").read_text())["image_size"] == 32
    assert "tensorflow" in json.loads((path / "assets.extra/model_card.json").read_text())["versions"]


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


def test_bytes_decode_as_in_training_and_broken_rows_harm_nobody(exported):
    model, path = exported
    good = [jpeg(seed, size) for seed, size in ((0, 64), (1, 101), (2, 90))]
    broken = [b"", b"no image", good[0][:200], good[0][:3] + b"\0" * 50]
    rows = tf.constant([good[0], broken[0], good[1], broken[1], broken[2], good[2], broken[3]])
    served = tf.saved_model.load(str(path)).signatures["classify_bytes"](image_bytes=rows)
    np.testing.assert_array_equal(served["valid"], [1, 0, 1, 0, 0, 1, 0])
    from tfgalaxy.data.images import decode_bytes
    from tfgalaxy.export.signatures import preprocessing_of

    for row, content in ((0, good[0]), (2, good[1]), (5, good[2])):
        image = tf.cast(decode_bytes(tf.constant(content), preprocessing_of(model)), tf.float32) / 255.0
        np.testing.assert_allclose(served["fraction"][row], model(image[tf.newaxis])["fraction"][0], atol=1e-5)
    assert all(np.isfinite(value).all() for value in served.values())


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


@pytest.mark.core
@pytest.mark.slow
def test_runs_in_the_loader_of_tf_serving_without_tfgalaxy(exported, tmp_path):
    """TF_LoadSessionFromSavedModel, the C++ loader, in a process that cannot import the package; every signature."""
    model, path = exported
    images = np.random.default_rng(0).uniform(0, 1, [7, 32, 32, 3]).astype(np.float32)
    np.savez(tmp_path / "in.npz", images=images, jpegs=np.array([jpeg(seed, 64) for seed in range(7)], dtype="S"))
    script = __file__.replace("test_saved_model.py", "c_api.py")
    command = [sys.executable, "-I", script, str(path), str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    outputs = np.load(tmp_path / "out.npz")
    expected = {**model.classify(tf.constant(images)), **model.embed(tf.constant(images))}
    for size in (1, 7):
        for name in ("fraction", "fraction_lower", "concentration", "asked_probability"):
            served = outputs[f"classify/{size}/{name}"]
            np.testing.assert_allclose(served, expected[name][:size], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(outputs[f"embed/{size}/pose"], expected["pose"][:size], atol=1e-4)
        for signature in SIGNATURES:
            assert any(key.startswith(f"{signature}/{size}/") for key in outputs.files), signature


def test_versions(exported, tmp_path):
    model, path = exported
    assert next_version(path.parent) == 4
    assert next_version(tmp_path / "none") == 1
    with pytest.raises(InputError, match="version must be new"):
        save(model, path.parent, version=3)
    for version in (0, -1, "1", True):
        with pytest.raises(InputError, match="version must be a positive integer"):
            save(model, path.parent, version=version)


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save(make_model(), tmp_path / "galaxy")
    assert list((tmp_path / "galaxy").iterdir()) == []


def test_predictor_of_a_model_shares_its_numbers():
    model = make_model()
    images = np.random.default_rng(1).integers(0, 255, [3, 32, 32, 3], dtype=np.uint8)
    outputs = Predictor.from_model(model).predict(images)
    expected = model(tf.constant(images, tf.float32) / 255.0)["fraction"]
    np.testing.assert_allclose(outputs["fraction"], expected, atol=1e-6)
    assert set(ServedModel(model).signatures()) == set(SIGNATURES)


def test_what_is_neither_run_nor_export(tmp_path, exported):
    with pytest.raises(InputError, match="RUN must be the directory of a run"):
        open_predictor(tmp_path)
    with pytest.raises(InputError, match=r"RUN\|EXPORT must be a run, or one version of an export"):
        open_predictor(exported[1].parent)
