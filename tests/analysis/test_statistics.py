import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import holm, mean_interval, minimum_detectable_effect, sign_flip_p, two_way_interval


def test_mean_interval_equals_scipy():
    values = [0.8, 0.9, 0.7, 0.95]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose(mean_interval(values), (np.mean(values), low, high))
    assert math.isnan(mean_interval([1.0]).low)


def test_mean_interval_covers():
    """2,000 intervals of 5 normal numbers: 95% cover 0, a rate outside 93-97% has probability below 1e-4."""
    rng = np.random.default_rng(0)
    hits = [low <= 0 <= high for _, low, high in (mean_interval(rng.normal(size=5)) for _ in range(2000))]
    assert 0.93 < np.mean(hits) < 0.97


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8).filter(lambda d: len(set(d)) > 1))
def test_sign_flip_equals_enumeration(d):
    flips = [
        abs(sum(s * v for s, v in zip(signs, d, strict=True))) for signs in itertools.product((1, -1), repeat=len(d))
    ]
    assert sign_flip_p(d) == pytest.approx(np.mean([f >= abs(sum(d)) for f in flips]))


def test_sign_flip_equals_scipy_with_many_pairs():
    d = np.random.default_rng(1).normal(0.4, 1, size=20)
    reference = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=50_000, rng=np.random.default_rng(2)
    ).pvalue
    assert sign_flip_p(d) == pytest.approx(reference, abs=0.01)


def test_smallest_p_and_no_variance():
    assert sign_flip_p([1, 2, 3, 4, 5]) == 0.0625
    assert sign_flip_p([0.1, 0.1, 0.1]) is None
    assert sign_flip_p([1.0]) is None
    assert sign_flip_p([1.0, float("nan")]) is None


def test_holm_by_hand():
    # Sorted .01 .02 .03 .5 times 4 3 2 1, made monotone.
    assert holm([0.02, 0.5, 0.01, 0.03]) == [0.06, 0.5, 0.04, 0.06]
    assert holm([None, 0.2]) == [None, 0.4]
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def test_minimum_detectable_effect_has_the_power_it_promises():
    """Power of the t-test at that effect, from the noncentral t distribution: 80%, within 3 points."""
    d = np.random.default_rng(0).normal(size=12)
    effect = minimum_detectable_effect(d)
    shift = effect / (d.std(ddof=1) / math.sqrt(12))
    critical = stats.t.ppf(0.975, 11)
    power = stats.nct.sf(critical, 11, shift) + stats.nct.cdf(-critical, 11, shift)
    assert abs(power - 0.8) < 0.03
    assert minimum_detectable_effect([1.0, 1.0]) is None


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 10), columns=st.integers(2, 40), seed=st.integers(0, 99))
def test_two_way_interval_is_never_narrower_than_over_seeds(rows, columns, seed):
    table = np.random.default_rng(seed).normal(size=(rows, columns))
    seeds, both = mean_interval(table.mean(axis=1)), two_way_interval(table)
    assert both.mean == pytest.approx(seeds.mean)
    assert both.low <= seeds.low
    assert both.high >= seeds.high


def test_two_way_interval_covers_both_sources():
    """1,000 tables of 6 seeds and 50 examples with effects of both: a rate below 93% has probability below 0.003."""
    rng = np.random.default_rng(0)

    def table():
        return rng.normal(size=(6, 1)) + rng.normal(size=(1, 50)) + rng.normal(size=(6, 50))

    hits = [low <= 0 <= high for _, low, high in (two_way_interval(table()) for _ in range(1000))]
    assert np.mean(hits) > 0.93
