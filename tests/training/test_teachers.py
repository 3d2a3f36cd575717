"""Teachers: the votes that they expect, who is taught, and runs that learn from them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_model import SMALL
from small_run import make_catalogue, small_config

from tfgalaxy.data.pixels import Pixels
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.batches import phase_batches
from tfgalaxy.training.regimes import phases
from tfgalaxy.training.run import train
from tfgalaxy.training.run_data import prepare_data
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.teachers import soft_votes, teacher_config, with_soft_votes


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("data"))


def weights(run):
    return [np.array(tf.convert_to_tensor(weight)) for weight in run.load_model().state_variables]


@pytest.mark.core
def test_soft_votes_are_what_people_are_expected_to_give():
    questions = Questions.preset("gz1")
    models = [GalaxyVAE(questions, SMALL.replace(seed=seed)) for seed in (0, 1)]
    for model in models:  # an untrained head answers alike for all galaxies
        kernel = model.head.trainable_variables[0]
        kernel.assign(np.random.default_rng(model.config.seed).normal(size=kernel.shape))
    size = SMALL.image_size
    store = np.random.default_rng(2).integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    rows = np.array([4, 0, 2])
    votes = soft_votes(models, Pixels(store, rows, np.array(["a", "b", "c"], dtype=object)), voters=30.0)
    images = tf.constant(store[rows] / np.float32(255))
    mean = np.mean([model(images)["fraction"] for model in models], axis=0)
    assert np.ptp(mean, axis=0).max() > 0.01
    # By the tree, question by question: people who reach it times the fraction.
    for row, fractions in zip(votes, mean, strict=True):
        for question, part in zip(questions.questions, questions.slices, strict=True):
            parents = [questions.answer_labels.index(f"{name}_{answer}") for name, answer in question.asked_after]
            people = row[parents].sum() if parents else 30.0
            np.testing.assert_allclose(row[part], people * fractions[part], rtol=1e-4, atol=1e-5)


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_a_run_is_taught_and_leaves_no_teachers(catalogue, tmp_path, monkeypatch):
    """Also: what was stopped goes on with the teachers that it has, to the same weights."""
    config = small_config(teachers=2, epochs=2, steps_per_epoch=2)
    whole = train(config, catalogue, tmp_path / "whole", quiet=True)
    assert whole.finished
    assert not (whole.path / "teachers").exists()

    class StopError(Exception):
        pass

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise StopError

    with pytest.raises(StopError):
        train(config, catalogue, tmp_path / "stopped", quiet=True, callbacks=[Stop()])
    teachers = [RunDirectory(tmp_path / "stopped" / "teachers" / name) for name in ("0", "1")]
    assert [teacher.config for teacher in teachers] == [teacher_config(config, number) for number in (0, 1)]
    assert [teacher.config.training.regime for teacher in teachers] == ["supervised"] * 2
    made = [teacher.model_file.stat().st_mtime_ns for teacher in teachers]
    looked_at = []
    monkeypatch.setattr(
        "tfgalaxy.training.teachers.soft_votes",
        lambda models, *rest: (
            looked_at.extend(t.model_file.stat().st_mtime_ns for t in teachers),
            soft_votes(models, *rest),
        )[1],
    )
    resumed = train(config, catalogue, tmp_path / "stopped", quiet=True, resume=True)
    assert looked_at == made
    for ours, theirs in zip(weights(resumed), weights(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    alone = train(
        config.replace(training=config.training.replace(teachers=0)), catalogue, tmp_path / "alone", quiet=True
    )
    assert any((ours != theirs).any() for ours, theirs in zip(weights(alone), weights(whole), strict=True))


def taught_data(config, catalogue):
    data = prepare_data(config, catalogue, quiet=True)

    class Expecting:
        def load_model(self):
            return GalaxyVAE(catalogue.questions, config.model)

    return with_soft_votes(config, data, "nowhere", lambda own, folder: Expecting(), quiet=True)


@pytest.mark.core
def test_those_without_votes_are_taught_and_fill_the_batches(catalogue):
    config = small_config(teachers=1)
    data = taught_data(config, catalogue)
    assert set(data.taught.files) == set(data.pool_files) - set(data.train.files)
    assert not set(data.taught.files) & {*data.validation.files, *data.test.files}
    phase = phases(config.training, len(data.train))[-1]
    voted, taught = ({tuple(row) for row in part.votes} for part in (data.train, data.taught))
    for (images, votes), unlabelled in phase_batches(phase, data, config.training, 0).take(4):
        assert len(images) == len(votes) == len(unlabelled) == 8
        rows = [tuple(row) for row in votes.numpy()]
        for half in (rows[:4], rows[4:]):  # a quarter of either: a batch may be cut
            assert sum(row in voted for row in half) == 1
            assert sum(row in taught for row in half) == 3


@pytest.mark.parametrize("changes", [{"teachers": 0}, {"regime": "supervised", "teachers": 2}])
def test_without_teachers_nobody_is_taught(catalogue, changes):
    assert taught_data(small_config(**changes), catalogue).taught is None


def test_without_other_galaxies_nobody_is_taught(catalogue):
    everything = dataclasses.replace(catalogue, unlabelled_files=np.empty(0, object))
    config = small_config(teachers=2)
    config = config.replace(data=config.data.replace(labels=None))
    assert taught_data(config, everything).taught is None


def test_a_share_without_votes_is_refused():
    with pytest.raises(InputError, match="voted_share must lie above 0 and at most at 1"):
        small_config(voted_share=0.0)
