"""The fit of concentrations on held-out votes, against votes drawn with a known one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import dirichlet_multinomial
from small_model import SMALL

from tfgalaxy.data.questions import load_questions
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import VoteParameters
from tfgalaxy.training.calibration import calibrate_concentration, concentration_offsets

QUESTIONS = load_questions("gz1")


def _drawn_votes(count: int, concentration: float) -> np.ndarray:
    """Votes [N, A] of 40 volunteers for each question, all fractions equal."""
    random = np.random.default_rng(0)
    parts = []
    for part in QUESTIONS.slices:
        answers = part.stop - part.start
        probabilities = random.dirichlet(np.full(answers, concentration / answers), count)
        parts.append(np.stack([random.multinomial(40, p) for p in probabilities]))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _parameters(count: int, concentration: float) -> VoteParameters:
    """All answers of a question equally likely."""
    spread = tf.fill([count, QUESTIONS.num_questions], float(np.log(concentration)))
    return VoteParameters(tf.zeros([count, QUESTIONS.num_answers]), spread)


def test_offsets_find_the_concentration_that_votes_were_drawn_with():
    offsets = concentration_offsets(QUESTIONS, _drawn_votes(400, 5.0), _parameters(400, 40.0))
    np.testing.assert_allclose(offsets, np.log(5.0 / 40.0), atol=0.15)


def test_offset_is_the_maximum_of_scipys_likelihood():
    votes = _drawn_votes(50, 3.0)
    offsets = concentration_offsets(QUESTIONS, votes, _parameters(50, 10.0))
    part = QUESTIONS.slices[0]
    answers = part.stop - part.start
    grid = np.linspace(-3, 3, 2001)
    scores = [
        sum(
            dirichlet_multinomial.logpmf(row, np.full(answers, 10.0 * np.exp(d) / answers), 40)
            for row in votes[:, part]
        )
        - 0.5 * d**2
        for d in grid[::40]
    ]
    assert abs(offsets[0] - grid[::40][int(np.argmax(scores))]) < 0.1


def test_unanswered_question_keeps_its_concentration():
    votes = _drawn_votes(20, 5.0)
    votes[:, QUESTIONS.slices[1]] = 0
    offsets = concentration_offsets(QUESTIONS, votes, _parameters(20, 40.0))
    assert abs(offsets[1]) < 1e-12
    assert offsets[0] < -1


def test_model_is_calibrated_through_its_bias_alone():
    model = GalaxyVAE(QUESTIONS, SMALL)
    images = np.random.default_rng(1).integers(0, 255, (12, SMALL.image_size, SMALL.image_size, 3), np.uint8)
    votes = _drawn_votes(12, 2.0)
    before = [np.array(weight) for weight in model.state_variables]
    parameters = model.predicted_votes(tf.constant(images / np.float32(255)))
    calibrate_concentration(model, images, votes, batch_size=5)
    changed = {
        index: np.array(new) - old
        for index, (old, new) in enumerate(zip(before, model.state_variables, strict=True))
        if not np.array_equal(old, np.array(new))
    }
    (change,) = changed.values()
    expected = concentration_offsets(QUESTIONS, votes, parameters)
    np.testing.assert_allclose(change, expected, atol=1e-5)
    assert np.all(expected < -0.5)  # untrained, it expects 20; the votes were drawn with 2


@pytest.mark.usefixtures("eagerly")
def test_multinomial_votes_have_nothing_to_calibrate():
    model = GalaxyVAE(QUESTIONS, SMALL.replace(vote_likelihood="multinomial"))
    before = [np.array(weight) for weight in model.state_variables]
    size = SMALL.image_size
    calibrate_concentration(model, np.zeros([2, size, size, 3], np.uint8), np.ones([2, QUESTIONS.num_answers]))
    assert all(np.array_equal(old, np.array(new)) for old, new in zip(before, model.state_variables, strict=True))
