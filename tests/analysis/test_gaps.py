import math

import numpy as np
import pytest
from scipy import stats

from regjax.analysis.gaps import accuracy_limits, gap_interval, highest_loss, least_rise, lowest_loss, r2_limits


@pytest.mark.parametrize(("hits", "examples"), [(0, 3), (3, 3), (9, 20), (1800, 2000)])
def test_limits_of_an_accuracy_are_wilsons(hits, examples):
    known = stats.binomtest(hits, examples).proportion_ci(method="wilson")
    assert accuracy_limits(hits / examples, examples) == pytest.approx((known.low, known.high), abs=1e-12)


def test_the_gap_of_accuracies_is_newcombes():
    """His example: 56 of 70 against 48 of 80, 0.0524 to 0.3339 by method 10."""
    assert gap_interval("accuracy", 56 / 70, 48 / 80, 70, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    low, high = gap_interval("accuracy", 0.6, 0.0, 3, 3)  # Wald: 0.6 to 0.6
    assert low < 0 < high


def test_limits_of_r2_by_hand():
    """1 - 0.5 exp(+-2.2622 x 2 / sqrt(10)) for ten examples."""
    reach = 2.2621571628 * 2 / math.sqrt(10)
    assert r2_limits(0.5, 10) == pytest.approx((1 - 0.5 * math.exp(reach), 1 - 0.5 * math.exp(-reach)), rel=1e-9)
    assert r2_limits(1.0, 10) == (1.0, 1.0)
    assert r2_limits(0.5, 1) is None
    assert gap_interval("r2", 0.9, 0.5, 1, 10) is gap_interval("r2", 0.9, 0.5, 10, 1) is None
    low, high = r2_limits(-2.0, 2)
    assert math.isfinite(low)
    assert low < -2 < high < 1


@pytest.mark.parametrize("examples", [10, 45, 200])
@pytest.mark.parametrize(("r2", "noise"), [(0.5, 0.0), (0.9, 0.0), (0.9, 0.7), (0.2, 0.7)])
def test_r2_lies_above_its_upper_limit_seldom(r2, noise, examples):
    """Right models, and ones that add noise of their own: 2,000 sets a rate of at most 3%, more with p below 1e-4."""
    rng = np.random.default_rng(examples)
    signal, error, own = rng.normal(size=(3, 2000, examples))
    y, predicted = math.sqrt(r2) * signal + math.sqrt(1 - r2) * error, math.sqrt(r2) * signal + noise * own
    found = 1 - np.mean((y - predicted) ** 2, axis=1) / y.var(axis=1)
    above = sum(r2_limits(one, examples)[1] < r2 - noise**2 for one in found)
    assert above <= stats.binom.ppf(1 - 1e-4, 2000, 0.03)


def test_the_limit_of_a_loss():
    assert lowest_loss(2.0, 50) == pytest.approx(2.0 * math.exp(-1.959964 * 0.2))
    assert highest_loss(2.0, 50) == pytest.approx(2.0 * math.exp(1.959964 * 0.2))
    assert lowest_loss(2.0, None) == highest_loss(2.0, None) == 2.0
    assert lowest_loss(-2.0, 50) == -2.0


def test_the_least_rise_is_that_of_one_chosen_parameter():
    """For squares the F test, for a cross entropy the likelihood ratio."""
    low, examples = 0.7, 30
    rise = least_rise(low, examples, squares=True)
    assert (examples - 1) * rise / low == pytest.approx(stats.f.ppf(0.95, 1, examples - 1))
    assert 2 * examples * least_rise(low, examples, squares=False) == pytest.approx(stats.chi2.ppf(0.95, 1))
    assert least_rise(-1.0, examples, squares=True) == least_rise(-1.0, examples, squares=False)
    assert least_rise(low, None, squares=True) == 0.0
    assert least_rise(low, 1, squares=True) == math.inf
