"""What an export says about its data, votes, metrics, limits, versions and seed."""

import json

import pytest
from export_model import make_model

from tfgalaxy.errors import InputError
from tfgalaxy.export.model_card import model_card, run_card
from tfgalaxy.training.clocks import MONITOR
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_directory import RunDirectory

EPOCHS = [
    # The VAE's clock alone: its validation counts for nothing.
    {"epoch": 0, "phase": "unlabelled", "log_likelihood": "", MONITOR: -0.1, "val_accuracy": 0.9},
    {"epoch": 1, "phase": "alternating", "log_likelihood": -0.7, MONITOR: -0.6, "val_accuracy": 0.8},
    {"epoch": 2, "phase": "alternating", "log_likelihood": -0.5, MONITOR: -0.5, "val_accuracy": 0.85},
    {"epoch": 3, "phase": "alternating", "log_likelihood": -0.3, MONITOR: -0.55, "val_accuracy": 0.84},
]


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    config = RunConfig.from_dict({"data": {"questions": "gz1", "labels": 3}, "training": {"seed": 17}})
    directory.create(config, {"catalogue": "votes.csv", "images": "images", "unlabelled": None})
    parts = ["train"] * 3 + ["validation"] * 2 + ["test"] + ["unlabelled"] * 4
    rows = [{"id": f"g{number}", "part": part, "file": f"g{number}.jpg"} for number, part in enumerate(parts)]
    directory.write_table(directory.split_file, ["id", "part", "file"], rows)
    directory.write_history(EPOCHS)
    return directory


def test_data_votes_and_seed_of_the_run(run):
    card = run_card(run)
    assert card["data"]["sources"]["catalogue"] == "votes.csv"
    assert card["data"]["galaxies"] == {"test": 1, "train": 3, "unlabelled": 4, "validation": 2}
    assert card["data"]["questions"] == "gz1"
    assert card["votes"]["galaxies_with_votes_in_training"] == 3
    assert card["votes"]["likelihood"] == "dirichlet-multinomial"
    assert card["seed"] == 17
    assert "tensorflow" in card["trained_with"]


def test_validation_metrics_of_the_epoch_that_was_kept(run):
    expected = {"source": "validation", "epoch": 2, "multinomial_log_likelihood": -0.5, "accuracy": 0.85}
    assert run_card(run)["metrics"] == expected
    run.write_history([{**row, MONITOR: ""} for row in EPOCHS])
    assert run_card(run)["metrics"] is None


def test_metrics_with_intervals_of_an_evaluation(run, tmp_path):
    metrics = {"galaxies": 5, "log_likelihood": -0.4, "log_likelihood_interval": [-0.5, -0.3], "questions": {}}
    (tmp_path / "evaluation.json").write_text(json.dumps(metrics))
    assert run_card(run, tmp_path / "evaluation.json")["metrics"] == {"source": "evaluation", **metrics}


@pytest.mark.parametrize("content", ["[]", '{"galaxies": 5}'])
def test_files_that_are_no_evaluation(run, tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(InputError, match="evaluation must be what tfgalaxy evaluate --json writes"):
        run_card(run, tmp_path / "other.json")


def test_a_model_without_a_run_knows_its_own_entries(exported):
    card = json.loads((exported[1] / "assets.extra/model_card.json").read_text())
    assert card == json.loads(json.dumps(model_card(make_model(), "galaxy", 3)))
    assert card["model"]["image_size"] == 32
    assert card["data"] is None
    assert card["limits"]
    assert card["versions"]["python"]
    assert card["seed"] == 0
