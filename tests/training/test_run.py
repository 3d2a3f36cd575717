"""Runs: what they write, that they resume exactly, and what they refuse."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from small_run import make_catalogue, small_config

from tfgalaxy.errors import InputError
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("data"))


def weights(run):
    return [np.array(tf.convert_to_tensor(weight)) for weight in run.load_model().state_variables]


def assert_same(first, second):
    for ours, theirs in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.core
@pytest.mark.parametrize("regime", ["supervised", "alternating", "two-step"])
def test_each_regime_writes_a_whole_run(catalogue, tmp_path, regime):
    run = train(small_config(regime), catalogue, tmp_path / "run", quiet=True)
    assert run.finished
    assert not run.checkpoint_file.exists()
    names = {path.name for path in run.path.iterdir()}
    assert names == {"run.json", "split.csv", "excluded.csv", "history.csv", "tensorboard", "model.keras"}
    rows = list(csv.DictReader(run.history_file.open()))
    phases = {"supervised": ["supervised"] * 3, "alternating": ["unlabelled"] + ["alternating"] * 3}
    assert [row["phase"] for row in rows] == phases.get(regime, ["unlabelled"] + ["fine-tuning"] * 3)
    assert all(np.isfinite(float(row["val_log_likelihood"])) for row in rows)
    assert run.config == small_config(regime)
    assert json.loads(run.run_file.read_text())["versions"]["tensorflow"] == tf.__version__


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_what_was_trained_in_bfloat16_predicts_in_float32(catalogue, tmp_path):
    config = small_config("two-step", epochs=1, steps_per_epoch=1)
    config = config.replace(model=config.model.replace(precision="mixed_bfloat16"))
    run = train(config, catalogue, tmp_path / "run", quiet=True)
    assert run.config.model.precision == "mixed_bfloat16"
    model = run.load_model()
    assert model.config.precision == "float32"
    assert {layer.compute_dtype for layer in model.encoder.convolutions} == {"float32"}
    assert len({np.asarray(weight).dtype for weight in weights(run)}) == 1


@pytest.mark.usefixtures("eagerly")
def test_the_split_is_the_same_in_every_regime_and_nested(catalogue, tmp_path):
    parts = {}
    for regime, labels in (("supervised", 6), ("two-step", 12)):
        config = small_config(regime, epochs=1)
        config = config.replace(data=config.data.replace(labels=labels))
        run = train(config, catalogue, tmp_path / regime, quiet=True)
        for row in run.read_split():
            parts.setdefault((regime, row["part"]), set()).add(row["id"])
    few, more = parts["supervised", "train"], parts["two-step", "train"]
    assert len(few) == 6
    assert few < more
    assert len(more) == 12
    assert parts["supervised", "test"] == parts["two-step", "test"]
    assert not parts["two-step", "unlabelled"] & (parts["two-step", "test"] | parts["two-step", "validation"] | more)


def test_a_shared_start_changes_nothing_but_the_time(catalogue, tmp_path):
    def run(name, labels, regime, starts, **training):
        config = small_config(regime, epochs=2, unlabelled_epochs=2, **training)
        config = config.replace(data=config.data.replace(labels=labels))
        return train(config, catalogue, tmp_path / name, quiet=True, starts=starts)

    starts = tmp_path / "starts"
    run("first", 6, "two-step", starts, fine_tuning_learning_rate=5e-4)
    (entry,) = starts.iterdir()
    stamp = entry.stat().st_mtime_ns
    shared, own = run("shared", 12, "alternating", starts), run("own", 12, "alternating", None)
    assert_same(shared, own)
    assert entry.stat().st_mtime_ns == stamp
    rows = [list(csv.DictReader(history.history_file.open())) for history in (shared, own)]
    for row in (row for history in rows for row in history):
        del row["seconds"]
    trained = [[row for row in history if row["phase"] != "unlabelled"] for history in rows]
    assert trained[0] == trained[1]
    assert [row["elbo"] for row in rows[0]] == [row["elbo"] for row in rows[1]]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    """SIGKILL once after the first checkpoint; the outcome equals the undisturbed run's to the last bit."""
    galaxies = make_catalogue(tmp_path)
    config_file = tmp_path / "config.json"
    small_config("alternating", epochs=4, steps_per_epoch=6).to_json(config_file)
    command = [sys.executable, "-m", "tfgalaxy.cli", "train", "--quiet", "--config", str(config_file)]
    command += ["--catalogue", str(tmp_path / "galaxies/catalogue.csv"), "--images", str(tmp_path / "galaxies")]
    assert len(galaxies) == 40
    subprocess.run([*command, "--output", str(tmp_path / "whole")], check=True, capture_output=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [*command, "--output", str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (killed / "checkpoint.npz").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.05)  # into the next epoch
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "model.keras").exists()
    subprocess.run([*command, "--output", str(killed), "--resume"], check=True, capture_output=True)
    assert_same(RunDirectory(tmp_path / "whole"), RunDirectory(killed))
    histories = [Path(tmp_path / name / "history.csv").read_text().splitlines() for name in ("whole", "killed")]
    drop_seconds = [[line.split(",")[:2] + line.split(",")[3:] for line in lines] for lines in histories]
    assert drop_seconds[0] == drop_seconds[1]
    assert not list(killed.glob(".partial-*-model.keras"))


class InterruptionError(Exception):
    """In place of SIGKILL."""


class KillAfter(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise InterruptionError


def stored(run):
    """All that a finished model's file holds by number."""
    with zipfile.ZipFile(run.model_file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        found = {}
        file.visititems(
            lambda name, item: found.update({name: np.asarray(item)} if isinstance(item, h5py.Dataset) else {})
        )
        return found


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_a_model_does_not_tell_that_its_run_was_killed_after_the_last_epoch(catalogue, tmp_path):
    config = small_config("supervised", epochs=2)
    whole = stored(train(config, catalogue, tmp_path / "whole", quiet=True))
    with pytest.raises(InterruptionError):
        train(config, catalogue, tmp_path / "killed", quiet=True, callbacks=[KillAfter(1)])
    killed = stored(train(config, catalogue, tmp_path / "killed", quiet=True, resume=True))
    assert whole.keys() == killed.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, killed[name], err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_early_stopping_keeps_the_best_epoch(catalogue, tmp_path):
    run = train(
        small_config("supervised", epochs=8, patience=1, classifier_learning_rate=0.3),
        catalogue,
        tmp_path / "r",
        quiet=True,
    )
    rows = list(csv.DictReader(run.history_file.open()))
    scores = [float(row["val_multinomial_log_likelihood"]) for row in rows]
    # It stops one epoch after the first that gains nothing, so the best one is the last but one.
    assert len(rows) == min(8, int(np.argmax(scores)) + 2)


@pytest.mark.usefixtures("eagerly")
def test_a_finished_run_is_left_alone(catalogue, tmp_path):
    config = small_config("supervised", epochs=1)
    run = train(config, catalogue, tmp_path / "run", quiet=True)
    stamp = run.model_file.stat().st_mtime_ns
    train(config, catalogue, tmp_path / "run", resume=True, quiet=True)
    assert run.model_file.stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="output must not exist yet, or be empty"):
        train(config, catalogue, tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match="config must be the one in"):
        train(small_config("supervised", epochs=2), catalogue, tmp_path / "run", resume=True, quiet=True)


@pytest.mark.usefixtures("eagerly")
def test_a_run_of_the_other_stack_is_refused(catalogue, tmp_path):
    run = train(small_config("supervised", epochs=1), catalogue, tmp_path / "run", quiet=True)
    record = json.loads(run.run_file.read_text())
    record["stack"] = "another"
    run.run_file.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"RUN must have been made with the (classic|current) stack"):
        run.load_model()


def test_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"RUN must be the directory of a run \(with run.json\)"):
        RunDirectory(tmp_path).read()


@pytest.mark.usefixtures("eagerly")
def test_too_many_labels(catalogue, tmp_path):
    config = small_config("supervised")
    config = config.replace(data=config.data.replace(labels=4000))
    with pytest.raises(InputError, match="labels must be between 1 and the number of labelled galaxies"):
        train(config, catalogue, tmp_path / "run", quiet=True)


@pytest.mark.usefixtures("eagerly")
def test_broken_images_are_listed(tmp_path):
    galaxies = make_catalogue(tmp_path)
    train_part, validation, _ = galaxies.split(0)
    broken = [train_part.files[0], train_part.files[1], validation.files[0]]
    Path(broken[0]).write_bytes(b"")
    Path(broken[1]).write_bytes(Path(broken[1]).read_bytes()[:400])
    Path(broken[2]).write_text("not an image")
    run = train(small_config("two-step", epochs=1), galaxies, tmp_path / "run", quiet=True)
    rows = {row["file"]: row for row in csv.DictReader(run.excluded_file.open())}
    assert set(rows) == set(broken)
    assert "an empty file" in rows[broken[0]]["reason"]
    assert "truncated or damaged" in rows[broken[1]]["reason"]
    assert "JPEG, PNG or FITS" in rows[broken[2]]["reason"]
    split = {row["file"]: row["part"] for row in run.read_split()}
    assert not set(broken) & set(split)
    kept = dict(zip(galaxies.files, galaxies.ids, strict=True))
    assert all(row["id"] == kept[row["file"]] for row in run.read_split())
