"""Beta quantiles from the table against SciPy's."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import beta

from tfgalaxy.models.beta_quantiles import MEAN_BOUNDS, MINIMUM_CONCENTRATION, beta_interval

ALLOWED = 3e-4


def random_parameters(maximum):
    """All over the table, in the coordinates of the table and evenly in the mean."""
    rng = np.random.default_rng(0)
    mean = np.concatenate([expit(rng.uniform(-9.2, 9.2, 20_000)), rng.uniform(*MEAN_BOUNDS, 20_000)])
    concentration = np.exp(rng.uniform(np.log(MINIMUM_CONCENTRATION), np.log(maximum), mean.size))
    return mean.astype(np.float32), concentration.astype(np.float32)


@pytest.mark.parametrize("maximum", [2.0, 40.0, 1000.0])
@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_ends_are_those_of_scipy(probability, maximum):
    """An end, or the mass below it, is the exact one."""
    mean, concentration = random_parameters(maximum)
    ends = beta_interval(mean, concentration, probability, maximum)
    alpha, other = (np.float64(concentration) * part for part in (np.float64(mean), 1.0 - np.float64(mean)))
    for end, mass in zip(ends, [(1 - probability) / 2, (1 + probability) / 2], strict=True):
        by_end = np.abs(end.numpy() - beta.ppf(mass, alpha, other))
        by_mass = np.abs(beta.cdf(end.numpy(), alpha, other) - mass)
        assert np.all(np.minimum(by_end, by_mass) < ALLOWED)


def test_ends_of_a_symmetric_distribution_mirror_each_other():
    concentration = np.geomspace(MINIMUM_CONCENTRATION, 40.0, 50, dtype=np.float32)
    lower, upper = beta_interval(np.full(50, 0.5, np.float32), concentration, 0.9, 40.0)
    np.testing.assert_allclose(lower, 1.0 - upper.numpy(), atol=1e-6)
    np.testing.assert_allclose(upper, beta.ppf(0.95, concentration / 2, concentration / 2), atol=ALLOWED)


def test_ends_grow_with_the_mean():
    mean = np.linspace(0.0, 1.0, 2001, dtype=np.float32)
    for concentration in (0.01, 0.3, 5.0, 39.0):
        for end in beta_interval(mean, np.full_like(mean, concentration), 0.9, 40.0):
            assert np.all(np.diff(end.numpy()) > -1e-6)
            assert np.all((end.numpy() >= 0) & (end.numpy() <= 1))


def test_parameters_outside_of_the_table_are_moved_into_it():
    mean = np.array([0.0, 1.0, 0.3, 0.3], np.float32)
    concentration = np.array([5.0, 5.0, 0.0, 1e9], np.float32)
    inside = np.array([MEAN_BOUNDS[0], MEAN_BOUNDS[1], 0.3, 0.3]), np.array([5.0, 5.0, MINIMUM_CONCENTRATION, 40.0])
    for end, other in zip(
        beta_interval(mean, concentration, 0.9, 40.0),
        beta_interval(*(value.astype(np.float32) for value in inside), 0.9, 40.0),
        strict=True,
    ):
        np.testing.assert_array_equal(end, other)
