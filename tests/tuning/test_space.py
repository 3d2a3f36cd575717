"""The space as data, and from hyperparameters to a run's configuration."""

import itertools
import json

import keras_tuner
import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.training.config import RunConfig
from tfgalaxy.tuning.settings import SETTINGS
from tfgalaxy.tuning.space import NOTHING, SPACES, SearchSpace, load_space
from tfgalaxy.tuning.trial_config import trial_config

UNLABELLED = {
    "latent_size",
    "decoder_filters",
    "pixel_likelihood",
    "kl_weight",
    "kl_warm_up_steps",
    "contrast_weight",
    "start_zoom",
    "start_gain",
    "vae_learning_rate",
    "teachers",
    "voted_share",
}
ALTERNATING = {"alternating_learning_rate", "alternating_contrast_weight", "vae_steps", "classifier_steps"}
ACTIVE = {"supervised": set(), "alternating": UNLABELLED | ALTERNATING, "two-step": UNLABELLED | {"fine_tune"}}
# With what is searched only where it is named.
EVERYTHING: dict = {"teachers": (0, 2), "voted_share": (0.1, 0.5)}


def space(**searched):
    return SearchSpace(**{**NOTHING, **searched})


def declared(searched, config=None, **values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    result = trial_config(hp, searched, config or RunConfig())
    return hp, result


def test_a_search_starts_from_the_configuration():
    config = RunConfig()
    hp, result = declared(SearchSpace(**EVERYTHING), config)
    assert result == config
    assert {hyperparameter.name for hyperparameter in hp.space} == {setting.name for setting in SETTINGS}
    _, clipped = declared(space(dropout=(0.0, 0.3), latent_size=(8, 16)), config)
    assert (clipped.model.dropout, clipped.model.latent_size) == (0.3, 8)


@pytest.mark.parametrize("regime", ["supervised", "alternating", "two-step"])
def test_only_what_the_regime_reads_is_active(regime):
    hp, result = declared(SearchSpace(**EVERYTHING), regime=regime)
    conditional = UNLABELLED | ALTERNATING | {"fine_tune"}
    assert set(hp.values) & conditional == ACTIVE[regime]
    assert result.training.regime == regime
    one = SearchSpace(regime=None, **EVERYTHING)
    config = RunConfig().replace(training=RunConfig().training.replace(regime=regime))
    hp, _ = declared(one, config)
    assert {hyperparameter.name for hyperparameter in hp.space} & conditional == ACTIVE[regime]


def test_the_latent_size_matters_to_a_classifier_that_reads_it():
    config = RunConfig().replace(model=RunConfig().model.replace(classifier_input="latent"))
    hp, _ = declared(SearchSpace(), config, regime="supervised")
    assert "latent_size" in hp.values


def test_each_setting_finds_its_place():
    values = {
        "regime": "alternating",
        "transformation": "translation-rotation",
        "latent_size": 16,
        "encoder_filters": "24-32-48-64",
        "decoder_filters": "32-24",
        "dropout": 0.25,
        "label_smoothing": 0.1,
        "zoom": 0.3,
        "gain": 0.2,
        "batch_size": 32,
        "fine_tuning_learning_rate": 0.00123456789,
        "pixel_likelihood": "laplace",
        "kl_weight": 0.5,
        "kl_warm_up_steps": 77,
        "contrast_weight": 1.5,
        "start_zoom": 0.4,
        "start_gain": 0.45,
        "vae_learning_rate": 0.003,
        "alternating_learning_rate": 2e-4,
        "alternating_contrast_weight": 0.75,
        "vae_steps": 2,
        "classifier_steps": 2,
        "teachers": 2,
        "voted_share": 0.4,
    }
    _, config = declared(SearchSpace(**EVERYTHING), **values)
    model, training = config.model, config.training
    assert model.transformations == ("translation", "rotation")
    assert (model.latent_size, model.encoder_filters, model.decoder_filters) == (16, (24, 32, 48, 64), (32, 24))
    assert (model.dropout, model.label_smoothing, model.pixel_likelihood) == (0.25, 0.1, "laplace")
    assert (model.classifier_views.zoom, model.classifier_views.gain) == (0.3, 0.2)
    assert (model.kl_warm_up_steps, model.contrast_weight, training.kl_weight) == (77, 1.5, 0.5)
    assert (training.start_views.zoom, training.start_views.gain) == (0.4, 0.45)
    assert (training.batch_size, training.vae_steps, training.classifier_steps) == (32, 2, 2)
    assert (training.vae_learning_rate, training.alternating_learning_rate) == (0.003, 2e-4)
    assert (training.alternating_contrast_weight, training.teachers, training.voted_share) == (0.75, 2, 0.4)
    # Six digits: what the protocol of chief and workers carries whole.
    assert training.fine_tuning_learning_rate == 0.00123457
    assert model.vae_views == RunConfig().model.vae_views


def test_teachers_are_searched_only_where_they_are_named():
    hp, _ = declared(SearchSpace())
    assert {setting.name for setting in SETTINGS} - {one.name for one in hp.space} == EVERYTHING.keys()


def test_the_space_as_json(tmp_path):
    SearchSpace(zoom=(0.1, 0.2)).to_json(tmp_path / "space.json")
    assert SearchSpace.from_json(tmp_path / "space.json") == SearchSpace(zoom=(0.1, 0.2))
    (tmp_path / "few.json").write_text(json.dumps({"dropout": [0.1, 0.2], "encoder_filters": [[8, 8], [8, 8, 8]]}))
    few = load_space(tmp_path / "few.json")
    assert few == space(dropout=(0.1, 0.2), encoder_filters=((8, 8), (8, 8, 8)))
    assert load_space("all") == SearchSpace()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dropout": [0.5, 0.1]}, r"dropout must be a range \(low, high\)"),
        ({"dropout": [0.5, 1.5]}, r"dropout must lie in \[0, 1\)"),
        ({"kl_weight": [0.0, 1.0]}, "kl_weight must be above 0, on a log scale"),
        ({"latent_size": []}, "latent_size must name at least one choice"),
        ({"batch_size": [32, 32]}, "batch_size must not repeat a choice"),
        ({"batch_size": [0, 32]}, "batch_size must be at least 1"),
        ({"regime": ["two-steps"]}, "regime must be one of supervised, alternating, two-step"),
        ({"transformation": [["rotate"]]}, "transformation must name transformations among .*rotation"),
        ({"dropouts": [0.1, 0.2]}, "must have only the keys"),
        ({}, "space must leave something to search"),
        ([0.1], "must hold a JSON object"),
    ],
)
def test_what_a_space_must_not_be(tmp_path, values, words):
    (tmp_path / "space.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=words):
        load_space(tmp_path / "space.json")


def test_only_what_the_classifier_reads_leaves_the_start_alike():
    assert SPACES["classifier"].shares_start
    assert not SearchSpace().shares_start
    of_start = {"vae_learning_rate": (1e-3, 2e-3), "contrast_weight": (0.0, 1.0), "latent_size": (8, 16)}
    of_later = {"regime": ("alternating", "two-step"), "zoom": (0.1, 0.2), "vae_steps": (1, 2)}
    for name, value in of_later.items():
        assert space(**{name: value}).shares_start
    for (name, value), (other, theirs) in itertools.product(of_start.items(), of_later.items()):
        assert not space(**{name: value, other: theirs}).shares_start
