"""Statistics of the label-efficiency experiment against hand-worked numbers, theory and `evaluate_predictions`."""

import numpy as np
import pytest

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.evaluate import evaluate_predictions
from tfgalaxy.evaluation.label_efficiency.labels_saved import LabelsSaved, equal_labels, labels_saved
from tfgalaxy.evaluation.label_efficiency.statistics import Bootstrap, galaxy_terms, term_values
from tfgalaxy.evaluation.metrics import METRICS

BAR = Questions("bar", (Question("bar", ("yes", "no")),))
TREE = Questions("tree", (Question("shape", ("smooth", "featured", "other")), Question("bar", ("yes", "no"))))
ERROR = METRICS.index("total_absolute_error")


def names(count):
    return np.array([f"g{number:03d}" for number in range(count)])


def missing_by(error):
    """Terms of galaxies whose volunteers all say yes, and whose predicted fraction misses that by `error` [N] / 2."""
    error = np.asarray(error, float)
    fraction = np.stack([1 - error / 2, error / 2], axis=1)
    votes = np.tile([4, 0], (len(error), 1))
    return galaxy_terms(BAR, names(len(error)), votes, {"fraction": fraction})


def random_case(seed, count=40):
    generator = np.random.default_rng(seed)
    fraction = np.concatenate([generator.dirichlet(np.ones(size), count) for size in (3, 2)], axis=1)
    votes = np.concatenate([generator.multinomial(9, generator.dirichlet(np.ones(k)), count) for k in (3, 2)], axis=1)
    votes[: count // 4, 3:] = 0  # not asked
    predictions = {"fraction": fraction, "concentration": generator.gamma(2.0, 10.0, (count, 2))}
    return votes, {**predictions, "fraction_lower": fraction * 0.5, "fraction_upper": 1 - (1 - fraction) * 0.5}


def test_scores_of_one_seed_are_those_of_the_evaluation():
    votes, predictions = random_case(0)
    terms = galaxy_terms(TREE, names(40), votes, predictions)
    scores = Bootstrap(terms.ids, resamples=400).scores({(0, None): terms})
    evaluation = evaluate_predictions(TREE, votes, predictions, resamples=400, seed=0)
    low, high = scores.interval
    for column, metric in enumerate(METRICS):
        for scope, question in enumerate(("shape", None)):
            expected = evaluation.score(metric, question)
            assert scores.values[scope, column] == pytest.approx(expected.value, rel=1e-12)
            assert (low[scope, column], high[scope, column]) == pytest.approx(expected.interval, rel=1e-9)


def test_folds_are_judged_together_and_seeds_averaged():
    errors = {(0, 0): [0.2, 0.4], (0, 1): [0.6], (1, 0): [0.0, 0.3], (1, 1): [0.9]}
    cells = {}
    for (seed, fold), error in errors.items():
        terms = missing_by(error)
        cells[seed, fold] = type(terms)(names(3)[2:] if fold else names(3)[:2], terms.terms)
    scores = Bootstrap(names(3), resamples=10).scores(cells)
    # Seed 0: (.2 + .4 + .6) / 3 = .4, seed 1: (0 + .3 + .9) / 3 = .4. The mean over folds would be .45 and .525.
    assert scores.values[0, ERROR] == pytest.approx(0.4)
    # An error of e is one of e / 2 in both answers: rmse = sqrt(mean e^2) / 2.
    expected = np.mean([np.sqrt(np.mean(np.square(row))) / 2 for row in ([0.2, 0.4, 0.6], [0.0, 0.3, 0.9])])
    assert scores.values[0, METRICS.index("rmse")] == pytest.approx(expected)


def test_seeds_alone_give_the_variance_of_their_mean():
    # Galaxies alike: only seeds spread. Unbiased variance of (.1, .2, .3, .6) is .14 / 3; of the mean, a quarter; and
    # tables give 2.353 for Student's 95 % quantile with 3 degrees of freedom, 1.645 for the Normal's.
    cells = {(seed, None): missing_by([error] * 5) for seed, error in enumerate((0.1, 0.2, 0.3, 0.6))}
    samples = Bootstrap(names(5), resamples=40_000).scores(cells).samples[:, 0, ERROR]
    assert samples.mean() == pytest.approx(0.3, abs=0.003)
    assert samples.var() == pytest.approx(0.14 / 3 / 4 * (2.353 / 1.645) ** 2, rel=0.03)


@pytest.mark.parametrize("seed_spread", [0.0, 0.05])
def test_an_interval_over_seeds_and_galaxies_covers_the_truth_about_as_often_as_it_says(seed_spread):
    generator, hits = np.random.default_rng(3), 0
    for repetition in range(150):
        seeds, galaxies = generator.normal(0, seed_spread, (5, 1)), generator.normal(0, 0.14, 60)
        errors = 1 + seeds + galaxies + generator.normal(0, 0.05, (5, 60))
        cells = {(seed, None): missing_by(errors[seed]) for seed in range(5)}
        low, high = Bootstrap(names(60), resamples=100, seed=repetition).scores(cells).interval
        hits += low[0, ERROR] <= 1 <= high[0, ERROR]
    assert 0.84 < hits / 150 < 0.96


def test_differences_are_paired():
    generator = np.random.default_rng(4)
    errors = generator.uniform(0.2, 1.0, (3, 30))
    bootstrap = Bootstrap(names(30), resamples=200)
    first, second = (
        bootstrap.scores({(seed, None): missing_by(errors[seed] + shift) for seed in range(3)}) for shift in (0.125, 0)
    )
    difference = first.minus(second)
    low, high = difference.interval
    for value in (difference.values, low, high):
        assert value[0, ERROR] == pytest.approx(0.125)
    assert np.ptp(first.samples[:, 0, ERROR]) > 0.05


def test_galaxies_that_no_cell_has_count_nowhere():
    cells = {(0, None): missing_by([0.2, 0.4])}
    alone = Bootstrap(names(2)).scores(cells)
    among = Bootstrap(names(50)).scores(cells)
    np.testing.assert_array_equal(alone.values, among.values)
    assert np.nanmax(among.samples[:, 0, ERROR]) == pytest.approx(0.4)


def test_what_a_method_does_not_state_has_no_score():
    values = term_values(missing_by([0.2]).terms.sum(axis=0))
    assert np.isnan(values[0, METRICS.index("interval_coverage")])
    assert values[0, ERROR] == pytest.approx(0.2)


def test_equal_labels_by_hand():
    # Halfway in score is the geometric mean in labels: sqrt(100 * 400) = 200.
    assert equal_labels([100, 400], [0.4, 0.2], 0.3, False) == pytest.approx(200)
    # A quarter of the way from 300 to 1200: 300 * 4 ** .25.
    assert equal_labels([100, 300, 1200], [0.5, 0.7, 0.9], 0.75, True) == pytest.approx(300 * 4**0.25)
    assert equal_labels([100, 400], [0.4, 0.2], 0.4, False) == 100
    assert equal_labels([100, 400], [0.4, 0.2], 0.2, False) == pytest.approx(400)
    assert equal_labels([100, 400], [0.4, 0.2], 0.5, False) == 0
    assert equal_labels([100, 400], [0.4, 0.2], 0.1, False) == np.inf
    assert np.isnan(equal_labels([100, 400], [0.4, np.nan], 0.3, False))


def test_a_curve_that_turns_back_counts_where_it_first_gets_there():
    curve = [0.5, 0.3, 0.4, 0.2]
    assert equal_labels([100, 200, 400, 800], curve, 0.4, False) == pytest.approx(100 * 2**0.5)
    assert equal_labels([100, 200, 400, 800], curve, 0.3, False) == pytest.approx(200)
    assert equal_labels([100, 200, 400, 800], curve, 0.25, False) == pytest.approx(400 * 2**0.75)


def test_equal_labels_of_many_resamples_at_once():
    curves = np.array([[0.4, 0.2], [0.3, 0.1], [0.5, 0.4]])
    found = equal_labels([100, 400], curves, np.array([0.3, 0.3, 0.3]), False)
    np.testing.assert_allclose(found, [200, 100, np.inf])
    with pytest.raises(InputError, match="labels must be at least two numbers"):
        equal_labels([100], [0.4], 0.3, False)


def test_the_interval_of_labels_saved():
    curve = (np.array([0.4, 0.2]), np.tile([0.4, 0.2], (101, 1)))
    # Scores from .1 to .4: those below .2 are never reached. Order statistics 5 and 95 of 101 are .115 and .385.
    scores = np.linspace(0.1, 0.4, 101)
    saved = labels_saved(100, [100, 400], curve, (0.3, scores), higher_is_better=False)
    assert saved.equal == pytest.approx(200)
    assert saved.low == pytest.approx(100 * 4 ** ((0.4 - 0.385) / 0.2))
    assert saved.high == np.inf
    assert labels_saved(100, [100, 400], curve, (np.nan, scores), False) is None


@pytest.mark.parametrize(
    ("labels", "equal", "low", "high", "words"),
    [
        (300, 812.4, 410, np.inf, "812 (90 %: 410 to more than 1,200) by rmse, which saves 512"),
        (300, 500, 290, 900, "500 (90 %: 290 to 900) by rmse, a saving that is not shown"),
        (300, 250, 0, 700, "250 (90 %: fewer than 100 to 700) by rmse, which saves none"),
        (300, np.inf, 900, np.inf, "more than 1,200 (90 %: 900 to more than 1,200) by rmse, which saves more than 900"),
        (1200, np.inf, np.inf, np.inf, "which saves some, but how many cannot be said: the curve ends there"),
    ],
)
def test_labels_saved_in_words(labels, equal, low, high, words):
    assert LabelsSaved(labels, equal, low, high, 100, 1200).words("rmse").endswith(words)
