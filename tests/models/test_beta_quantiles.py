"""Beta quantiles from the table against SciPy's."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import beta

from tfgalaxy.models.beta_quantiles import MEAN_BOUNDS, MINIMUM_CONCENTRATION, beta_quantile

ALLOWED = 3e-4


def random_parameters(maximum):
    """All over the table, in the coordinates of the table and evenly in the mean."""
    rng = np.random.default_rng(0)
    mean = np.concatenate([expit(rng.uniform(-9.2, 9.2, 20_000)), rng.uniform(*MEAN_BOUNDS, 20_000)])
    concentration = np.exp(rng.uniform(np.log(MINIMUM_CONCENTRATION), np.log(maximum), mean.size))
    return mean.astype(np.float32), concentration.astype(np.float32)


@pytest.mark.parametrize("maximum", [2.0, 40.0, 1000.0])
@pytest.mark.parametrize("probability", [0.05, 0.1, 0.5, 0.95])
def test_quantiles_are_those_of_scipy(probability, maximum):
    """A quantile, or the mass below it, is the exact one."""
    mean, concentration = random_parameters(maximum)
    quantile = beta_quantile(mean, concentration, probability, maximum).numpy()
    alpha, other = (np.float64(concentration) * part for part in (np.float64(mean), 1.0 - np.float64(mean)))
    by_quantile = np.abs(quantile - beta.ppf(probability, alpha, other))
    by_mass = np.abs(beta.cdf(quantile, alpha, other) - probability)
    assert np.all(np.minimum(by_quantile, by_mass) < ALLOWED)


def test_quantiles_grow_with_the_mean():
    mean = np.linspace(0.0, 1.0, 2001, dtype=np.float32)
    for concentration in (0.01, 0.3, 5.0, 39.0):
        quantile = beta_quantile(mean, np.full_like(mean, concentration), 0.05, 40.0).numpy()
        assert np.all(np.diff(quantile) > -1e-6)
        assert np.all((quantile >= 0) & (quantile <= 1))


def test_parameters_outside_of_the_table_are_moved_into_it():
    mean = np.array([0.0, 1.0, 0.3, 0.3], np.float32)
    concentration = np.array([5.0, 5.0, 0.0, 1e9], np.float32)
    moved = np.array([*MEAN_BOUNDS, 0.3, 0.3], np.float32), np.array([5, 5, MINIMUM_CONCENTRATION, 40], np.float32)
    quantile = beta_quantile(mean, concentration, 0.05, 40.0)
    np.testing.assert_array_equal(quantile, beta_quantile(*moved, 0.05, 40.0))
