"""A run's configuration: JSON in and out, errors, and what phases follow from it."""

import json

import pytest
import tensorflow as tf

from tfgalaxy.errors import InputError
from tfgalaxy.training.config import RunConfig, TrainingConfig
from tfgalaxy.training.regimes import make_optimizers, phases


def test_json_round_trip(tmp_path):
    config = RunConfig().replace(training=TrainingConfig(regime="two-step", epochs=3))
    config.to_json(tmp_path / "config.json")
    assert RunConfig.from_json(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"modle": {}}, "must have only the keys data, model, training, not .'modle'."),
        ({"training": {"regime": "half"}}, "regime must be one of supervised, alternating, two-step, not 'half'"),
        ({"training": {"epochs": 0}}, "epochs must be at least 1, not 0"),
        ({"training": {"epochs": "many"}}, "epochs must be of type int, not 'many'"),
        ({"training": {"weight_average": 1.0}}, r"weight_average must lie in \[0, 1\), not 1.0"),
        ({"data": {"split_fractions": [0.5, 0.5]}}, "split_fractions must have 3 entries"),
        ({"model": {"classifier_views": {"zoom": 7}}}, "zoom must lie between 0 and 1, not 7.0"),
        ({"model": {"seed": True}}, "seed must be of type int, not True"),
        ([], "must be a JSON object"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, content, words):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        RunConfig.from_json(path)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(InputError, match="must be a readable JSON file, not 'No such file"):
        RunConfig.from_json(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="must hold valid JSON"):
        RunConfig.from_json(tmp_path / "broken.json")


@pytest.mark.parametrize(
    ("regime", "expected"),
    [
        ("supervised", [("supervised", "labelled", 0, 5)]),
        ("two-step", [("unlabelled", "unlabelled", 0, 4), ("fine-tuning", "labelled", 4, 9)]),
        ("alternating", [("unlabelled", "unlabelled", 0, 4), ("alternating", "pairs", 4, 9)]),
    ],
)
def test_phases_of_each_regime(regime, expected):
    config = TrainingConfig(regime=regime, epochs=5, unlabelled_epochs=4)
    plan = phases(config, labels=100)
    assert [(p.name, p.batches, p.first_epoch, p.last_epoch) for p in plan] == expected
    assert [p.counts_towards_best for p in plan] == [p.batches != "unlabelled" for p in plan]


def test_no_start_of_the_unlabelled_clock():
    plan = phases(TrainingConfig(regime="alternating", epochs=5, unlabelled_epochs=0), labels=100)
    assert [(p.name, p.first_epoch, p.last_epoch) for p in plan] == [("alternating", 0, 5)]


@pytest.mark.parametrize(("regime", "rate"), [("supervised", 1e-2), ("alternating", 1e-3), ("two-step", 1e-3)])
def test_a_trained_encoder_has_a_rate_of_its_own(regime, rate):
    training = TrainingConfig(regime=regime, classifier_learning_rate=1e-2, fine_tuning_learning_rate=1e-3)
    optimizer = make_optimizers(training, labels=100)["classifier_optimizer"]
    assert float(tf.convert_to_tensor(optimizer.learning_rate)) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({"regime": "supervised", "unlabelled_epochs": 7}, 0),
        ({"regime": "two-step"}, 40),
        ({"regime": "alternating"}, 0),
        ({"regime": "alternating", "simulated_galaxies": 0}, 40),
        ({"regime": "alternating", "unlabelled_epochs": 7}, 7),
    ],
)
def test_epochs_of_the_unlabelled_clock_alone(given, epochs):
    training = TrainingConfig(**given, epochs=3)
    assert training.start_epochs == epochs
    assert phases(training, labels=100)[-1].first_epoch == epochs
