"""Vote likelihoods against SciPy and numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.models.vote_likelihood import (
    VoteParameters,
    asked_probability,
    fraction_interval,
    smooth_votes,
    vote_fractions,
    vote_log_prob,
    vote_totals,
)

TREE = Questions(
    "tree",
    (
        Question("shape", ("smooth", "disk", "star")),
        Question("edge", ("yes", "no"), (("shape", "disk"),)),
        Question("odd", ("yes", "no"), (("shape", "smooth"), ("edge", "yes"), ("edge", "no"))),
    ),
)
LOGITS = np.array([[0.3, -0.2, 1.0, 0.0, 2.0, -1.0, 1.0], [5.0, -5.0, 0.0, 1.0, 1.0, 0.5, -3.0]], np.float32)
VOTES = np.array([[3, 5, 2, 1, 4, 0, 8], [7, 0, 0, 0, 0, 2, 5]], np.float32)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_multinomial_equals_scipy():
    result = vote_log_prob(TREE, VOTES, VoteParameters(LOGITS, None)).numpy()
    for row in range(2):
        for index, part in enumerate(TREE.slices):
            votes = VOTES[row, part]
            expected = stats.multinomial.logpmf(votes, votes.sum(), softmax(LOGITS[row, part].astype(np.float64)))
            np.testing.assert_allclose(result[row, index], expected if votes.sum() else 0.0, rtol=1e-4, atol=1e-5)


def test_dirichlet_multinomial_equals_scipy():
    log_concentration = np.log([[5.0, 20.0, 3.0], [100.0, 2.0, 40.0]]).astype(np.float32)
    result = vote_log_prob(TREE, VOTES, VoteParameters(LOGITS, log_concentration)).numpy()
    for row in range(2):
        for index, part in enumerate(TREE.slices):
            votes = VOTES[row, part].astype(int)
            if votes.sum() == 0:
                assert result[row, index] == 0.0
                continue
            alpha = np.exp(log_concentration[row, index]) * softmax(LOGITS[row, part].astype(np.float64))
            expected = stats.dirichlet_multinomial.logpmf(votes, alpha, votes.sum())
            np.testing.assert_allclose(result[row, index], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("concentration", [None, 20.0])
def test_value_and_gradient_are_finite_at_extremes(concentration):
    """No votes, a million votes, and a fraction that underflows."""
    votes = tf.constant([[0.0] * 7, [1e6, 0, 0, 0, 0, 1e6, 0]])
    logits = tf.Variable(np.array([[200.0, -200.0, 0, 0, 0, 0, 0], [-200.0, 200.0, 0, 0, 0, 0, 300]], np.float32))
    spread = None if concentration is None else tf.math.log(tf.fill([2, 3], concentration))
    with tf.GradientTape() as tape:
        result = vote_log_prob(TREE, votes, VoteParameters(logits, spread))
        loss = tf.reduce_sum(result)
    assert np.isfinite(result.numpy()).all()
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()
    np.testing.assert_array_equal(result.numpy()[0], 0.0)


def test_one_vote_does_not_depend_on_the_concentration():
    votes = np.eye(7, dtype=np.float32)[[1, 3]]
    plain = vote_log_prob(TREE, votes, VoteParameters(LOGITS, None))
    spread = vote_log_prob(TREE, votes, VoteParameters(LOGITS, np.full([2, 3], 1.3, np.float32)))
    np.testing.assert_allclose(plain, spread, atol=1e-4)


def test_fractions_and_totals():
    fractions = vote_fractions(TREE, LOGITS).numpy()
    for part in TREE.slices:
        np.testing.assert_allclose(fractions[:, part], softmax(LOGITS[:, part]), rtol=1e-5)
    np.testing.assert_array_equal(vote_totals(TREE, VOTES).numpy(), [[10, 5, 8], [7, 0, 7]])


def test_asked_probability_by_hand_and_as_in_numpy():
    fractions = np.array([[0.5, 0.4, 0.1, 0.25, 0.75, 0.2, 0.8]], np.float32)
    # odd is asked after smooth (0.5) and after either answer about the edge (0.4 * 0.25 + 0.4 * 0.75).
    np.testing.assert_allclose(asked_probability(TREE, tf.constant(fractions)), [[1.0, 0.4, 0.9]], rtol=1e-6)
    gz2 = Questions.preset("gz2")
    drawn = vote_fractions(gz2, np.random.default_rng(0).normal(size=(5, gz2.num_answers)))
    np.testing.assert_allclose(asked_probability(gz2, drawn), gz2.asked_probability(drawn.numpy()), rtol=1e-5)


def test_smoothing_keeps_totals():
    means = np.array([0.6, 0.3, 0.1, 0.2, 0.8, 0.5, 0.5], np.float32)
    smoothed = smooth_votes(TREE, tf.constant(VOTES), means, 0.1)
    np.testing.assert_allclose(vote_totals(TREE, smoothed), vote_totals(TREE, VOTES), rtol=1e-6)
    np.testing.assert_allclose(smoothed[0, :3], 0.9 * VOTES[0, :3] + 0.1 * 10 * means[:3], rtol=1e-6)
    np.testing.assert_array_equal(smoothed[1, 3:5], 0.0)


@pytest.mark.parametrize("concentration", [None, 12.0])
def test_interval_covers_simulated_volunteers(concentration):
    """Of beta-binomial counts with the stated parameters, about 90 % fall inside of the 90 % interval."""
    coin = Questions("coin", (Question("side", ("a", "b")),))
    p, n, draws = 0.3, 40, 40_000
    logits = np.log([[p, 1 - p]]).astype(np.float32)
    spread = None if concentration is None else np.log([[concentration]]).astype(np.float32)
    lower, upper = (end.numpy()[0, 0] for end in fraction_interval(coin, VoteParameters(logits, spread), n))
    rng = np.random.default_rng(0)
    true = p if concentration is None else rng.beta(concentration * p, concentration * (1 - p), draws)
    fractions = rng.binomial(n, true, draws) / n
    # Counts are whole: half a vote on either side belongs to the nearest one.
    inside = np.mean((fractions >= lower - 0.5 / n) & (fractions <= upper + 0.5 / n))
    assert 0.87 <= inside <= 0.95
    assert lower < p < upper


@pytest.mark.parametrize("voters", [5, 40])
@pytest.mark.parametrize("concentration", [None, 12.0])
def test_interval_holds_none_and_all_of_the_votes_where_they_are_likely(concentration, voters):
    """Votes are whole: an answer that often gets none has an interval from 0, and it covers what it should."""
    coin = Questions("coin", (Question("side", ("a", "b")),))
    p = np.array([0.003, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5], np.float64)
    logits = np.log(np.stack([p, 1 - p], axis=-1)).astype(np.float32)
    spread = None if concentration is None else np.full([len(p), 1], np.log(concentration), np.float32)
    lower, upper = (end.numpy() for end in fraction_interval(coin, VoteParameters(logits, spread), voters))
    np.testing.assert_allclose(upper[:, 0], 1 - lower[:, 1], atol=2e-6)
    counts = np.arange(voters + 1)
    if concentration is None:
        mass = stats.binom.pmf(counts, voters, p[:, np.newaxis])
    else:
        alpha = concentration * p[:, np.newaxis]
        mass = stats.betabinom.pmf(counts, voters, alpha, concentration - alpha)
    fractions = counts / voters
    inside = (fractions >= lower[:, :1] - 1e-6) & (fractions <= upper[:, :1] + 1e-6)
    covered = np.sum(mass * inside, axis=-1)
    assert covered.min() > 0.75  # one vote of five is a fifth: no interval of it covers just 90 %
    assert 0.87 < covered.mean() < 0.96
    assert np.all(lower[mass[:, 0] > 0.12, 0] == 0)
    assert np.all(lower[mass[:, 0] < 0.02, 0] > 0)


def test_ends_of_the_interval_do_not_jump():
    """The last digits of a fraction differ between batches; the ends may not differ by more than those digits."""
    coin = Questions("coin", (Question("side", ("a", "b")),))
    p = np.linspace(1e-3, 1 - 1e-3, 200_001)
    logits = np.log(np.stack([p, 1 - p], axis=-1)).astype(np.float32)
    spread = np.full([len(p), 1], np.log(12.0), np.float32)
    for end in fraction_interval(coin, VoteParameters(logits, spread), 40):
        assert np.abs(np.diff(end.numpy()[:, 0])).max() < 10 * (p[1] - p[0])


def test_interval_is_finite_and_ordered_at_extremes():
    logits = np.array([[60.0, -60, 0, 0, 0, 0, 90]], np.float32)
    lower, upper = fraction_interval(TREE, VoteParameters(logits, np.full([1, 3], 0.0, np.float32)), 40)
    fractions = vote_fractions(TREE, logits).numpy()
    assert np.isfinite(lower).all()
    assert np.isfinite(upper).all()
    assert (lower.numpy() <= fractions).all()
    assert (upper.numpy() >= fractions).all()
    assert (lower.numpy() >= 0).all()
    assert (upper.numpy() <= 1).all()
