import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import holm, joint_flips, sign_flip_p


def brute_force(d):
    """Step-down maxT in exact fractions: squares of sums over norms, compared by cross-multiplication."""
    d = np.asarray(d, object)
    runs, count = d.shape
    norms = [max(int((column**2).sum()), 1) for column in d.T]
    flips = [
        [int((np.array(signs, object) * column).sum()) ** 2 for column in d.T]
        for signs in itertools.product((1, -1), repeat=runs)
    ]
    seen = flips[0]
    order = sorted(range(count), key=lambda j: -seen[j] / norms[j])

    def reaches(flip, j, threshold):
        return flip[j] * norms[threshold] >= seen[threshold] * norms[j]

    alone = [np.mean([reaches(flip, j, j) for flip in flips]) for j in range(count)]
    adjusted, largest = [0.0] * count, 0.0
    for rank, j in enumerate(order):
        share = np.mean([any(reaches(flip, other, j) for other in order[rank:]) for flip in flips])
        largest = adjusted[j] = max(largest, share)
    return alone, adjusted


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_counts_equal_enumeration_in_exact_fractions(runs, count, seed):
    """Small counts have many ties, within a technique and between techniques."""
    d = np.random.default_rng(seed).integers(-3, 4, (runs, count))
    alone, adjusted = brute_force(d)
    tests = joint_flips(d)
    np.testing.assert_allclose([test.p for test in tests], alone, rtol=1e-12)
    np.testing.assert_allclose([test.p_adjusted for test in tests], adjusted, rtol=1e-12)
    assert all(test.monte_carlo_error == 0 for test in tests)


def test_ten_equal_differences_are_the_strongest_evidence_that_ten_runs_can_give():
    (test,) = joint_flips(np.full((10, 1), 0.25))
    assert test.p == test.p_adjusted == 2 / 2**10


def test_no_difference_at_all_is_no_evidence():
    both = joint_flips(np.stack([np.zeros(8), np.arange(1, 9)], axis=1))
    assert both[0].p == both[0].p_adjusted == 1
    assert both[1].p_adjusted == 2 / 2**8  # the other one costs nothing: no flip of it can reach


def test_one_technique_is_the_test_of_scipy():
    d = np.random.default_rng(1).normal(0.5, 1, size=12)
    reference = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert joint_flips(d[:, None])[0].p == pytest.approx(reference, rel=1e-12)
    assert joint_flips(d[:, None])[0].p == pytest.approx(sign_flip_p(d), rel=1e-12)


def test_random_flips_agree_with_all_flips_within_their_error():
    """100,000 random flips of 21 runs, against 2 million; 4.9 standard errors, false alarm 1e-6 for each number."""
    d = np.random.default_rng(2).normal(0.35, 1, (21, 2))
    tests = joint_flips(d)
    norms, total, exact = np.square(d).sum(axis=0), 2**20, np.zeros(2)
    seen = np.square(d.sum(axis=0)) / norms
    order = np.argsort(-seen)
    for start in range(0, total, 2**16):
        codes = np.arange(start, start + 2**16)[:, None] >> np.arange(21)
        flipped = np.square((1.0 - 2.0 * (codes & 1)) @ d) / norms
        exact[order[0]] += (flipped.max(axis=1) >= seen[order[0]] * (1 - 1e-9)).sum()
        exact[order[1]] += (flipped[:, order[1]] >= seen[order[1]] * (1 - 1e-9)).sum()
    exact = np.maximum.accumulate((exact / total)[order])[np.argsort(order)]
    for test, p in zip(tests, exact, strict=True):
        assert 0 < test.monte_carlo_error < 0.002
        assert abs(test.p_adjusted - p) < 4.9 * test.monte_carlo_error + 1e-5
    assert tests == joint_flips(d)  # seeded


def test_it_is_never_weaker_than_holm_on_correlated_techniques():
    """Not a theorem for each sample, but on techniques that share a baseline it holds in nearly all."""
    rng, better = np.random.default_rng(3), []
    for _ in range(100):
        d = rng.normal(0.6, 1, (8, 5)) + rng.normal(0, 1, (8, 1))
        adjusted = np.array([test.p_adjusted for test in joint_flips(d)])
        better.append(np.mean(adjusted <= np.array(holm([sign_flip_p(column) for column in d.T])) + 1e-12))
    assert np.mean(better) > 0.9


def test_the_family_wise_error_is_kept_with_and_without_true_effects():
    """2,000 comparisons of 4 techniques, 7 runs; the count of errors exceeds this bound with probability below 1e-4."""
    rng, errors = np.random.default_rng(4), 0
    for i in range(2000):
        d = rng.normal(size=(7, 4)) - rng.normal(size=(7, 1))
        true = i % 3  # so many techniques have a large effect, and are no errors
        d[:, :true] += 5.0
        errors += any(test.p_adjusted <= 0.05 for test in joint_flips(d)[true:])
    assert errors <= stats.binom.ppf(1 - 1e-4, 2000, 0.05)


@pytest.mark.parametrize(
    ("d", "message"),
    [
        (np.ones(4), r"\[n >= 2 runs, m >= 1 techniques\], got shape \(4,\)"),
        (np.ones((1, 3)), r"got shape \(1, 3\)"),
        (np.ones((3, 0)), r"got shape \(3, 0\)"),
        ([[1.0, 2.0], [np.nan, 1.0]], "finite, got nan in run 1"),
    ],
)
def test_what_is_no_table_is_refused(d, message):
    with pytest.raises(ValueError, match=message):
        joint_flips(d)
