"""Metrics against hand-worked numbers, plain loops and SciPy's distributions."""

import numpy as np
import pytest
from scipy import stats

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.metrics import baseline_fractions, log_likelihoods, metric_terms, metric_values

QUESTIONS = Questions(
    "tiny",
    (
        Question("shape", ("smooth", "featured", "other")),
        Question("arms", ("yes", "no"), asked_after=(("shape", "featured"),)),
    ),
)
VOTES = np.array([[3, 1, 0, 0, 0], [0, 6, 2, 1, 3], [0, 0, 0, 0, 0], [2, 2, 0, 2, 0]])
FRACTION = np.array(
    [[0.5, 0.5, 0.0, 0.5, 0.5], [0.25, 0.5, 0.25, 0.75, 0.25], [1.0, 0.0, 0.0, 1.0, 0.0], [0.25, 0.5, 0.25, 1.0, 0.0]]
)


def compute(votes=VOTES, weighting="galaxies", **predictions):
    predictions = {"fraction": FRACTION, **predictions}
    terms = metric_terms(QUESTIONS, votes, predictions, weighting)
    return {name: metric_values(name, item.numerator.sum(0), item.denominator.sum(0)) for name, item in terms.items()}


def random_case(seed, galaxies=60):
    generator = np.random.default_rng(seed)
    parts = [generator.dirichlet(np.ones(size), galaxies) for size in (3, 2)]
    counts = [generator.integers(0, 40, galaxies) * (generator.random(galaxies) < 0.7) for _ in parts]
    votes = np.concatenate([generator.multinomial(n, p) for n, p in zip(counts, parts, strict=True)], axis=1)
    fraction = np.concatenate([generator.dirichlet(np.ones(size), galaxies) for size in (3, 2)], axis=1)
    return votes, fraction, generator.gamma(2.0, 10.0, (galaxies, 2))


def test_rmse_by_hand():
    # shape: errors (.25, -.25, 0), (-.25, .25, 0), (.25, 0, -.25); each row's squares sum to .125; 9 entries.
    # arms: (-.5, .5) and (0, 0); 4 entries.
    values = compute()["rmse"]
    np.testing.assert_allclose(values[1], np.sqrt(0.375 / 9), rtol=1e-12)
    np.testing.assert_allclose(values[2], np.sqrt(0.5 / 4), rtol=1e-12)
    np.testing.assert_allclose(values[0], np.sqrt(0.875 / 13), rtol=1e-12)


def test_cumulative_rmse_by_hand():
    # Shares of all people. Arms: row 0 nobody, predicted .5 of whom .5 and .5; row 1 .75 of whom .25 and .75, predicted
    # .5 of whom .75 and .25; row 3 right. Row 2 has no votes. Shape is asked of all: as rmse.
    arms = (0.25**2 + 0.25**2) + ((0.375 - 0.1875) ** 2 + (0.125 - 0.5625) ** 2)
    values = compute()["cumulative_rmse"]
    np.testing.assert_allclose(values, np.sqrt([(0.375 + arms) / 15, 0.375 / 9, arms / 6]), rtol=1e-12)
    # By votes: 4, 8 and 4 people saw the galaxies.
    by_votes = compute(weighting="votes")["cumulative_rmse"]
    weighed = 4 * 2 * 0.25**2 + 8 * ((0.375 - 0.1875) ** 2 + (0.125 - 0.5625) ** 2)
    np.testing.assert_allclose(by_votes[1:], np.sqrt([16 * 0.125 / 48, weighed / 32]), rtol=1e-12)


def test_total_absolute_error_by_hand():
    # Each of the three shape rows misses by .5 in sum, the arms by 1 and 0.
    np.testing.assert_allclose(compute()["total_absolute_error"], [2.5 / 5, 0.5, 0.5], rtol=1e-12)
    # By votes: shape rows have 4, 8, 4 votes; arms 4 (error 1) and 2 (error 0).
    by_votes = compute(weighting="votes")["total_absolute_error"]
    np.testing.assert_allclose(by_votes, [12 / 22, 0.5, 4 / 6], rtol=1e-12)


def test_total_absolute_error_spans_0_to_2():
    opposite = np.array([[0, 1, 0, 0, 1]])
    exact = np.array([[1.0, 0, 0, 1, 0]])
    assert compute(np.array([[4, 0, 0, 4, 0]]), fraction=exact)["total_absolute_error"].tolist() == [0, 0, 0]
    assert compute(5 * opposite, fraction=exact)["total_absolute_error"].tolist() == [2, 2, 2]


def test_accuracy_counts_a_tied_plurality_as_right():
    # shape: row 0 predicts a tie (first answer taken, right), row 1 right, row 3 predicts one of the tied: right.
    # arms: row 1 wrong, row 3 right. Row 2 has no votes and weighs nothing.
    np.testing.assert_allclose(compute()["accuracy"], [4 / 5, 1, 1 / 2])
    untied = VOTES.copy()
    untied[3] = [3, 2, 0, 2, 0]
    np.testing.assert_allclose(compute(untied)["accuracy"], [3 / 5, 2 / 3, 1 / 2])


@pytest.mark.parametrize("seed", [0, 1])
def test_log_likelihood_matches_scipy(seed):
    votes, fraction, concentration = random_case(seed)
    multinomial = log_likelihoods(QUESTIONS, votes, fraction)
    dirichlet = log_likelihoods(QUESTIONS, votes, fraction, concentration)
    for index, part in enumerate((slice(0, 3), slice(3, 5))):
        for row in range(len(votes)):
            count = votes[row, part].sum()
            expected = stats.multinomial.logpmf(votes[row, part], count, fraction[row, part]) if count else 0.0
            np.testing.assert_allclose(multinomial[row, index], expected, rtol=1e-10, atol=1e-10)
            alpha = concentration[row, index] * fraction[row, part]
            expected = stats.dirichlet_multinomial.logpmf(votes[row, part], alpha, count) if count else 0.0
            np.testing.assert_allclose(dirichlet[row, index], expected, rtol=1e-9, atol=1e-9)


def test_infinite_concentration_is_the_multinomial_and_large_ones_approach_it():
    votes, fraction, _ = random_case(2)
    multinomial = log_likelihoods(QUESTIONS, votes, fraction)
    infinite = log_likelihoods(QUESTIONS, votes, fraction, np.full((len(votes), 2), np.inf))
    np.testing.assert_array_equal(infinite, multinomial)
    # A difference of log-gammas would be off by about 1e-3 at 1e12.
    large = log_likelihoods(QUESTIONS, votes, fraction, np.full((len(votes), 2), 1e12))
    np.testing.assert_allclose(large, multinomial, atol=1e-8)


def test_log_likelihood_adds_the_questions_of_a_galaxy():
    votes, fraction, concentration = random_case(3)
    values = compute(votes, fraction=fraction, concentration=concentration)["log_likelihood"]
    each = log_likelihoods(QUESTIONS, votes, fraction, concentration)
    totals = np.stack([votes[:, :3].sum(1), votes[:, 3:].sum(1)], axis=1)
    np.testing.assert_allclose(values[1:], each.sum(0) / (totals > 0).sum(0))
    np.testing.assert_allclose(values[0], each.sum() / (totals.sum(1) > 0).sum())
    by_votes = compute(votes, "votes", fraction=fraction, concentration=concentration)["log_likelihood"]
    np.testing.assert_allclose(by_votes, [each.sum() / totals.sum(), *(each.sum(0) / totals.sum(0))])


def test_log_likelihood_is_finite_at_impossible_votes_and_zero_at_none():
    votes = np.array([[0, 0, 44, 0, 0]])
    fraction = np.array([[1.0, 0, 0, 1, 0]])
    for concentration in (None, [[np.inf, 5.0]], [[5.0, 5.0]], [[1e-3, 1e-3]]):
        values = log_likelihoods(QUESTIONS, votes, fraction, concentration)
        assert np.isfinite(values).all()
        assert values[0, 0] < -15
        assert values[0, 1] == 0


def test_votes_that_are_not_whole_numbers_interpolate():
    fraction = np.array([[0.5, 0.3, 0.2, 0.6, 0.4]] * 3)
    votes = np.array([[10, 5, 3, 0, 0], [10.01, 5, 3, 0, 0], [11, 5, 3, 0, 0]])
    for concentration in (None, np.full((3, 2), 20.0)):
        low, middle, high = log_likelihoods(QUESTIONS, votes, fraction, concentration)[:, 0]
        np.testing.assert_allclose(middle, low + 0.01 * (high - low), atol=2e-3)


def test_calibration_error_by_hand():
    # Two galaxies at .7 (votes say .5 and 1: mean .75) and one at .95 (votes say 1): (2 * .05 + .05) / 3.
    votes = np.array([[2, 2, 0, 0, 0], [4, 0, 0, 0, 0], [4, 0, 0, 0, 0]])
    shape = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.95, 0.05, 0.0]])
    fraction = np.concatenate([shape, np.full((3, 2), 0.5)], axis=1)
    np.testing.assert_allclose(compute(votes, fraction=fraction)["calibration_error"][1], 0.05, rtol=1e-9)


def test_calibration_error_is_small_for_the_truth_and_large_for_the_overconfident():
    generator = np.random.default_rng(5)
    shape = generator.dirichlet([2, 2, 2], 20_000)
    votes = np.concatenate([generator.multinomial(1, shape), np.zeros((20_000, 2))], axis=1)
    arms = np.full((20_000, 2), 0.5)
    sharp = shape**3 / (shape**3).sum(1, keepdims=True)
    assert compute(votes, fraction=np.concatenate([shape, arms], axis=1))["calibration_error"][1] < 0.02
    assert compute(votes, fraction=np.concatenate([sharp, arms], axis=1))["calibration_error"][1] > 0.15


def test_interval_coverage_counts_answers_that_were_asked():
    lower, upper = np.zeros((4, 5)), np.full((4, 5), 0.5)
    # shape: .75 is outside in rows 0 and 1, 7 of 9 inside. arms: .75 outside in row 1, 1 in row 3, 2 of 4 inside.
    values = compute(fraction_lower=lower, fraction_upper=upper)["interval_coverage"]
    np.testing.assert_allclose(values, [9 / 13, 7 / 9, 2 / 4])
    assert "interval_coverage" not in compute()


def test_galaxies_without_votes_change_nothing():
    asked = [0, 1, 3]
    terms = metric_terms(QUESTIONS, VOTES[asked], {"fraction": FRACTION[asked]})
    for name, item in terms.items():
        expected = metric_values(name, item.numerator.sum(0), item.denominator.sum(0))
        np.testing.assert_allclose(compute()[name], expected, rtol=1e-12)


def test_equal_vote_totals_make_the_weightings_agree():
    generator = np.random.default_rng(6)
    fraction = np.concatenate([generator.dirichlet(np.ones(size), 50) for size in (3, 2)], axis=1)
    votes = np.concatenate([generator.multinomial(20, [1 / size] * size, 50) for size in (3, 2)], axis=1)
    by_galaxy, by_vote = compute(votes, fraction=fraction), compute(votes, "votes", fraction=fraction)
    for name in ("rmse", "total_absolute_error", "accuracy", "calibration_error"):
        np.testing.assert_allclose(by_galaxy[name], by_vote[name], rtol=1e-12)


def test_float32_predictions_are_accepted():
    votes, fraction, concentration = random_case(7)
    full = compute(votes, fraction=fraction, concentration=concentration)
    half = compute(
        votes.astype(np.float32), fraction=fraction.astype(np.float32), concentration=concentration.astype(np.float32)
    )
    for name, values in full.items():
        np.testing.assert_allclose(half[name], values, rtol=1e-5, atol=1e-6)


def test_baseline_fractions_by_hand():
    by_galaxy = baseline_fractions(VOTES, QUESTIONS)
    np.testing.assert_allclose(by_galaxy, [(0.75 + 0.5) / 3, (0.25 + 0.75 + 0.5) / 3, 0.25 / 3, 0.625, 0.375])
    by_votes = baseline_fractions(VOTES, QUESTIONS, "votes")
    np.testing.assert_allclose(by_votes, [5 / 16, 9 / 16, 2 / 16, 3 / 6, 3 / 6])
    np.testing.assert_allclose(baseline_fractions(np.zeros((3, 5)), QUESTIONS), [1 / 3] * 3 + [1 / 2] * 2)


def test_class_means_have_the_least_rmse_of_all_constants():
    votes, _, _ = random_case(8)
    means = baseline_fractions(votes, QUESTIONS)
    best = compute(votes, fraction=np.tile(means, (len(votes), 1)))["rmse"]
    for shift in ([0.02, -0.02, 0, 0.01, -0.01], [-0.01, 0, 0.01, -0.02, 0.02]):
        worse = compute(votes, fraction=np.tile(means + shift, (len(votes), 1)))["rmse"]
        assert (worse > best).all()


BAD = [
    ("votes", VOTES[:, :4], "votes must have shape"),
    ("votes", VOTES - 1, "votes must be finite counts of at least 0"),
    ("votes", np.where(VOTES > 5, np.nan, VOTES), "votes must be finite counts of at least 0"),
    ("votes", [["a"] * 5], "votes must be an array of numbers"),
    ("votes", 3.0, "votes must have shape"),
    ("votes", [[1, 2, 3, 4, 5], [1, 2]], "votes must be an array of numbers"),
    ("fraction", FRACTION[:3], "fraction must have shape"),
    ("fraction", FRACTION[:, :3], "fraction must have shape"),
    ("fraction", np.where(FRACTION == 1, np.nan, FRACTION), "fraction must be finite"),
    ("fraction", np.where(FRACTION == 1, np.inf, FRACTION), "fraction must be finite"),
    ("fraction", 100 * FRACTION, "fraction must be between 0 and 1"),
    ("fraction", FRACTION * [1, 1, 1, 0.5, 0.5], "fraction must sum to 1 over the answers of arms"),
    ("fraction", None, "predictions must hold 'fraction'"),
    ("concentration", np.ones((4, 5)), "concentration must have shape"),
    ("concentration", np.zeros((4, 2)), "concentration must be above 0"),
    ("concentration", np.full((4, 2), np.nan), "concentration must be above 0"),
    ("fraction_lower", np.zeros((4, 5)), "must hold both fraction_lower and fraction_upper"),
    ("weighting", "answers", "weighting must be galaxies or votes"),
]


@pytest.mark.parametrize(("argument", "value", "words"), BAD)
def test_bad_input_is_named(argument, value, words):
    with pytest.raises(InputError, match=words):
        compute(**{argument: value})


def test_bounds_upside_down_are_named():
    with pytest.raises(InputError, match="fraction_lower must be at most fraction_upper"):
        compute(fraction_lower=np.ones((4, 5)), fraction_upper=np.zeros((4, 5)))
