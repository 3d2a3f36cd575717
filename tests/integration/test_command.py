"""The `tfgalaxy` command from simulated galaxies to an export, and what it says when something is wrong."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

CONFIG = RunConfig(
    data=DataConfig(questions="gz1"),
    model=SMALL.replace(prediction_views=1),
    training=TrainingConfig(
        batch_size=8, steps_per_epoch=2, epochs=1, unlabelled_epochs=1, simulated_galaxies=0, teachers=0
    ),
)


def run_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Simulated galaxies, a configuration and a finished run."""
    folder = tmp_path_factory.mktemp("place")
    command = ("simulate", "--count", 60, "--image-size", 64, "--questions", "gz1", "--output", folder / "sim")
    assert run_command(*command, "--quiet").exit_code == 0
    CONFIG.to_json(folder / "config.json")
    result = run_command("train", *galaxies(folder), "--labels", 20, *trained(folder, "run"))
    assert result.exit_code == 0, result.output
    return folder


def galaxies(folder):
    return ("--catalogue", folder / "sim/catalogue.csv", "--images", folder / "sim")


def trained(folder, name):
    return ("--config", folder / "config.json", "--output", folder / name, "--quiet")


def test_run_holds_the_options_over_the_file(place):
    config = json.loads((place / "run/run.json").read_text())["config"]
    assert config["data"]["labels"] == 20
    assert config["training"]["steps_per_epoch"] == 2
    assert "sim/catalogue.csv" in json.loads((place / "run/run.json").read_text())["sources"]["catalogue"]


def test_evaluate_writes_the_contract(place):
    result = run_command("evaluate", place / "run", *galaxies(place), "--json", place / "scores.json", "--quiet")
    assert result.exit_code == 0, result.output
    assert "smooth-or-featured" in result.output
    scores = json.loads((place / "scores.json").read_text())
    for row in (scores, scores["questions"]["smooth-or-featured"]):
        assert {"galaxies", "rmse", "total_absolute_error", "accuracy", "log_likelihood"} <= set(row)
    split = pd.read_csv(place / "run/split.csv")
    assert scores["galaxies"] == (split.part == "test").sum()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_predict_gives_a_row_for_every_image(place, suffix):
    broken = place / "sim/images/broken.jpg"
    broken.write_bytes(b"not an image")
    output = place / f"predictions.{suffix}"
    result = run_command("predict", place / "run", "--images", place / "sim", "--output", output, "--quiet")
    broken.unlink()
    assert result.exit_code == 0, result.output
    if suffix == "fits":
        from astropy.table import Table

        table = Table.read(output, format="fits").to_pandas()
        column = "smooth_or_featured_smooth_fraction"
    else:
        table = pd.read_csv(output) if suffix == "csv" else pd.read_parquet(output)
        column = "smooth-or-featured_smooth_fraction"
    assert len(table) == 61
    assert table["valid"].sum() == 60
    assert table[column].notna().sum() == 60
    reason = table.loc[table["valid"] == 0, "reason"].iloc[0]
    assert "must be a JPEG, PNG or FITS image" in (reason.decode() if isinstance(reason, bytes) else reason)


def test_predict_in_the_order_of_a_catalogue(place):
    names = [f"{number}" for number in pd.read_csv(place / "sim/catalogue.csv", dtype=str)["id"][[7, 3, 5]]]
    pd.DataFrame({"id": [*names, "none"]}).to_csv(place / "few.csv", index=False)
    output = place / "few.vot"
    given = ("--catalogue", place / "few.csv", "--images", place / "sim", "--embedding", "--voters", 10)
    result = run_command("predict", place / "run", *given, "--output", output, "--quiet")
    assert result.exit_code == 0, result.output
    assert "(4 images, 1 broken ones with the reason)" in result.output
    from astropy.table import Table

    table = Table.read(output, format="votable", use_names_over_ids=True)
    assert list(table["id"]) == [*names, "none"]
    assert table["reason"][3] == "no image 'none' in the image folder"
    votes = table["smooth-or-featured_smooth_fraction"] * 10
    assert list(table["smooth-or-featured_smooth_expected_votes"][:3]) == pytest.approx(list(votes[:3]), rel=1e-5)
    assert "latent_mean_3" in table.colnames


def test_predict_tfrecords(place):
    import tensorflow as tf

    images = sorted((place / "sim/images").glob("*.jpg"))[:3]
    with tf.io.TFRecordWriter(str(place / "x.tfrecord")) as writer:
        for image in images:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.read_bytes()]))
            writer.write(tf.train.Example(features=tf.train.Features(feature={"jpg": feature})).SerializeToString())
    given = ("--tfrecords", place / "*.tfrecord", "--image-feature", "jpg", "--output", place / "records.csv")
    assert run_command("predict", place / "run", *given, "--quiet").exit_code == 0
    table = pd.read_csv(place / "records.csv")
    assert table["id"].tolist() == ["x.tfrecord:0", "x.tfrecord:1", "x.tfrecord:2"]
    assert table["valid"].tolist() == [1, 1, 1]


def test_an_export_predicts_what_its_run_predicts(place):
    result = run_command("export", place / "run", "--output", place / "models/galaxy")
    assert result.exit_code == 0, result.output
    version = place / "models/galaxy/1"
    for name, model in (("a", place / "run"), ("b", version)):
        command = ("predict", model, "--images", place / "sim", "--output", place / f"{name}.csv", "--quiet")
        assert run_command(*command).exit_code == 0
    first, second = (pd.read_csv(place / f"{name}.csv") for name in ("a", "b"))
    pd.testing.assert_frame_equal(first, second, atol=1e-5)
    scores = run_command("evaluate", version, *galaxies(place), "--quiet")
    assert scores.exit_code == 0, scores.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "{place}/none", *("--catalogue", "x", "--images", "y")), "RUN must be the directory of a run"),
        (
            ("predict", "{place}/run", "--images", "{place}/sim", "--output", "p.xlsx"),
            "output must end in .csv, .parquet",
        ),
        (("predict", "{place}/run", "--images", "{place}/none", "--output", "p.csv"), "images must"),
        (("predict", "{place}/run", "--output", "p.csv"), "--images must be given, or --tfrecords, but not both"),
        (
            ("predict", "{place}/run", "--images", "{place}/sim", "--output", "{place}/p.csv", "--voters", "0"),
            "voters must be above 0, not 0.0",
        ),
        (("train", "--catalogue", "{place}/none.csv", "--images", "{place}/sim", "--output", "{place}/r"), "none.csv"),
        (
            ("train", "{galaxies}", "--questions", "gz9", "--output", "{place}/r"),
            "questions must",
        ),
        (
            ("train", "{galaxies}", "--questions", "gz1", "--labels", "5000", "--output", "{place}/r2", "--quiet"),
            "labels must be between 1 and",
        ),
        (("train", "{galaxies}", "--questions", "gz1", "--output", "{place}/run"), "output must not exist yet"),
        (("train", "{galaxies}", "--epochs", "0", "--output", "{place}/r"), "epochs must be at least 1, not 0"),
        (("export", "{place}/run", "--output", "{place}/m", "--version", "0"), "version must be a positive integer"),
        (("simulate", "--count", "0", "--output", "{place}/s"), "count must"),
        (("demo", "--output", "{place}"), "output must not exist yet, or be empty"),
    ],
)
def test_errors_are_one_line_and_exit_2(place, arguments, words):
    filled = []
    for argument in arguments:
        filled += list(galaxies(place)) if argument == "{galaxies}" else [argument.format(place=place)]
    result = run_command(*filled)
    assert result.exit_code == 2, result.output
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("tfgalaxy: ")
    assert words in line


def test_nothing_half_written_is_left(place):
    assert not list(Path(place).rglob(".partial-*"))
    assert not (place / "r2" / "model.keras").exists()


def test_resume_of_a_finished_run(place):
    result = run_command("train", *galaxies(place), "--output", place / "run", "--resume", "--quiet")
    assert result.exit_code == 0, result.output
    assert "model.keras" in result.output


def test_the_demo(tmp_path, monkeypatch):
    """The whole journey with fewer galaxies and epochs than `make demo`, which CI runs in full on one stack."""
    import tfgalaxy.demo

    for name, value in (("GALAXIES", 150), ("LABELS", 30), ("EPOCHS", 1), ("UNLABELLED_EPOCHS", 1)):
        monkeypatch.setattr(tfgalaxy.demo, name, value)
    monkeypatch.setattr(sys, "argv", ["tfgalaxy"])  # what spawned processes see
    original = tfgalaxy.demo.TrainingConfig
    monkeypatch.setattr(tfgalaxy.demo, "TrainingConfig", lambda **given: original(steps_per_epoch=2, **given))
    result = run_command("demo", "--output", tmp_path / "demo", "--quiet")
    assert result.exit_code == 0, result.output
    assert "alternating" in result.output
    for name in ("gallery", "comparison", "learning_curves"):
        assert (tmp_path / f"demo/figures/{name}.png").stat().st_size > 5000
    assert len(pd.read_csv(tmp_path / "demo/predictions.csv")) == 150
