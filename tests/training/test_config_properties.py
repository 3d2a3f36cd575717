"""Configurations go to JSON and back unchanged, and of any JSON file comes the package's error only."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfgalaxy.configuration import Configuration
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import RunConfig, TrainingConfig

FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**30), 2**63])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
RATES = st.floats(1e-6, 1.0)
TRAININGS = st.builds(
    TrainingConfig,
    regime=st.sampled_from(["supervised", "alternating", "two-step"]),
    batch_size=st.integers(1, 10_000),
    epochs=st.none() | st.integers(1, 1000),
    unlabelled_epochs=st.integers(0, 1000),
    simulated_galaxies=st.integers(0, 10_000),
    teachers=st.integers(0, 8),
    simulated_steps=st.integers(1, 10_000),
    patience=st.none() | st.integers(1, 50),
    vae_learning_rate=RATES,
    weight_average=st.floats(0, 1, exclude_max=True),
    deterministic=st.booleans(),
    seed=st.integers(),
)
MODELS = st.builds(
    ModelConfig,
    image_size=st.integers(16, 512),
    channels=st.sampled_from([1, 3]),
    crop_fraction=st.floats(0.01, 1),
    encoder_filters=st.lists(st.integers(1, 64), min_size=2, max_size=3).map(tuple),
    answer_fractions=st.none() | st.lists(st.floats(0, 1), max_size=5).map(tuple),
    pixel_scale=st.floats(1e-6, 1e6),
)


def with_changes(kind: type[Configuration]):
    """The JSON of a configuration with some of its values, at any depth, replaced by anything, and new keys."""

    @st.composite
    def draw_values(draw):
        record = kind().to_dict()
        for _ in range(draw(st.integers(1, 3))):
            holder = record
            key = draw(st.sampled_from(sorted(holder)))
            while isinstance(holder[key], dict) and holder[key] and draw(st.booleans()):
                holder = holder[key]
                key = draw(st.sampled_from(sorted(holder)))
            holder[draw(st.sampled_from([key, key, key, "unknown"]))] = draw(VALUES)
        return record

    return draw_values()


@FAST
@given(TRAININGS, MODELS)
def test_a_run_configuration_comes_back_from_its_file(tmp_path_factory, training, model):
    path = tmp_path_factory.mktemp("config") / "config.json"
    config = RunConfig(training=training, model=model)
    config.to_json(path)
    again = RunConfig.from_json(path)
    assert again == config
    assert again.to_dict() == config.to_dict()


@pytest.mark.parametrize("kind", [RunConfig, ModelConfig, TrainingConfig, Preprocessing])
def test_changed_values_are_taken_or_refused_by_name(kind):
    @FAST
    @given(with_changes(kind))
    def check(record):
        try:
            config = kind.from_dict(record)
        except InputError:
            return
        assert kind.from_dict(config.to_dict()) == config

    check()


@FAST
@given(VALUES | st.binary(max_size=60))
def test_any_file_is_a_configuration_or_an_input_error(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode("utf-8", "surrogatepass"))
    errors = []
    try:
        assert isinstance(Preprocessing.from_json(path), Preprocessing)
    except InputError as error:
        errors.append(error)
    fields = Preprocessing.__dataclass_fields__
    assert all(str(path) in str(error) or error.argument in fields for error in errors)
