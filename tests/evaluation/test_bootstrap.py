"""The bootstrap against theory, SciPy, and itself in chunks."""

import numpy as np
import pytest
from scipy import stats

from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import bootstrap
from tfgalaxy.evaluation.bootstrap import bootstrap_sums, percentile_interval


def test_sums_are_those_of_resampled_rows():
    terms = np.eye(6)  # the sums are then the multiplicities themselves
    sums = bootstrap_sums(terms, resamples=200, seed=1)
    np.testing.assert_array_equal(sums, sums.round())
    np.testing.assert_array_equal(sums.sum(axis=1), 6)
    # Multiplicities of a bootstrap are multinomial: mean 1, variance 1 - 1/N.
    many = bootstrap_sums(terms, resamples=20_000, seed=2)
    np.testing.assert_allclose(many.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(many.var(axis=0), 5 / 6, atol=0.04)


def test_interval_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(3).gamma(2.0, 1.0, 400)
    low, high = percentile_interval(bootstrap_sums(values[:, np.newaxis], 4000, seed=4)[:, 0] / 400)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, confidence_level=0.9, method="percentile", random_state=5
    ).confidence_interval
    width = expected.high - expected.low
    assert abs(low - expected.low) < 0.1 * width
    assert abs(high - expected.high) < 0.1 * width


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(6)
    hits = 0
    for seed in range(300):
        values = generator.normal(1.0, 2.0, 80)
        low, high = percentile_interval(bootstrap_sums(values[:, np.newaxis], 300, seed)[:, 0] / 80)
        hits += low <= 1.0 <= high
    assert 0.84 < hits / 300 < 0.95


def test_same_seed_same_resamples_whatever_the_columns():
    terms = np.random.default_rng(7).normal(size=(50, 4))
    np.testing.assert_array_equal(bootstrap_sums(terms, 30, seed=8), bootstrap_sums(terms, 30, seed=8))
    np.testing.assert_allclose(bootstrap_sums(terms, 30, seed=8)[:, :1], bootstrap_sums(terms[:, :1], 30, seed=8))
    assert not np.allclose(bootstrap_sums(terms, 30, seed=8), bootstrap_sums(terms, 30, seed=9))


def test_chunks_hold_as_many_resamples_as_asked(monkeypatch):
    monkeypatch.setattr(bootstrap, "CHUNK_ENTRIES", 70)
    sums = bootstrap_sums(np.ones((10, 1)), resamples=23, seed=0)
    np.testing.assert_array_equal(sums, np.full((23, 1), 10.0))


def test_undefined_resamples_are_left_out():
    samples = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    low, high = percentile_interval(samples, level=0.5)
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan(low[1])
    assert np.isnan(high[1])


def test_bad_input_is_named():
    with pytest.raises(InputError, match="terms must hold at least one galaxy"):
        bootstrap_sums(np.zeros((0, 3)))
    with pytest.raises(InputError, match="resamples must be at least 1"):
        bootstrap_sums(np.ones((3, 1)), resamples=0)
    with pytest.raises(InputError, match="level must be between 0 and 1"):
        percentile_interval(np.ones((3, 1)), level=90)
