import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import mcnemar, paired_bootstrap
from regjax.analysis.paired import _by_example, _means
from regjax.core.errors import InputError


def hits(both, only_a, only_b, neither):
    """Hits of A and B with these numbers of examples."""
    times = (both, only_a, only_b, neither)
    return np.repeat([1, 1, 0, 0], times), np.repeat([1, 0, 1, 0], times)


@settings(max_examples=50)
@given(st.tuples(*[st.integers(0, 40)] * 4).filter(any))
def test_mcnemar_equals_the_binomial_test_of_scipy(numbers):
    both, only_a, only_b, neither = numbers
    a, b = hits(*numbers)
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert found.difference == pytest.approx((only_a - only_b) / (both + only_a + only_b + neither))
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert found.p == pytest.approx(expected)
    swapped = mcnemar(b, a)
    assert (swapped.p, swapped.difference) == (found.p, -found.difference)


def test_mcnemar_by_hand():
    """5 against 1 of 6: 2 (1 + 6) / 2^6. Approximately: (|5 - 1| - 1)^2 / 6 = 1.5."""
    a, b = hits(10, 5, 1, 4)
    assert mcnemar(a, b).p == pytest.approx(14 / 64)
    assert mcnemar(a, b, exact=False).p == pytest.approx(stats.chi2.sf(1.5, 1))
    assert mcnemar(a, a).p == mcnemar(a, a, exact=False).p == 1
    assert mcnemar(*hits(0, 1, 0, 0), exact=False).p == 1  # |a - b| - 1 is 0
    assert mcnemar(*hits(3, 2, 2, 3)).p == 1  # twice the tail is above 1


def test_each_run_has_its_test():
    a, b = (np.stack(side).astype(bool) for side in zip(hits(4, 6, 0, 2), hits(2, 3, 5, 2), strict=True))
    found = mcnemar(a, b)
    np.testing.assert_array_equal(found.only_a, [6, 3])
    np.testing.assert_array_equal(found.only_b, [0, 5])
    np.testing.assert_allclose(found.difference, [0.5, -2 / 12])
    np.testing.assert_allclose(found.p, [stats.binomtest(6, 6).pvalue, stats.binomtest(3, 8).pvalue])


def test_the_approximation_approaches_the_exact_test():
    a, b = hits(5000, 560, 500, 1000)
    assert mcnemar(a, b, exact=False).p == pytest.approx(mcnemar(a, b).p, rel=0.01)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([0.5, 1.0], [0, 1], "must be 0 or 1"),
        ([0, 1], [math.nan, 1], "must be 0 or 1"),
        ([0, 1], [0, 1, 1], r"\(2,\) and \(3,\)"),
        ([], [], r"\(0,\)"),
        ([[[1]]], [[[1]]], r"\(1, 1, 1\)"),
    ],
)
def test_hits_that_are_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        mcnemar(np.array(a), np.array(b))


def enumerated(d, examples):
    """All equally likely means of a bootstrap over runs and examples, where a draw has any numbers."""
    means = []
    distinct = np.unique(examples)
    for rows in itertools.product(range(len(d)), repeat=len(d)):
        for columns in itertools.product(distinct, repeat=len(distinct)):
            drawn = [d[r][examples[r] == c] for r in rows for c in columns]
            if numbers := np.concatenate(drawn).tolist():
                means.append(np.mean(numbers))
    return np.array(means)


@pytest.mark.parametrize(
    "examples",
    [
        [[0, 1, 2], [0, 1, 2]],
        [[2, 0, 1], [1, 2, 0]],
        [[0, 1, 2], [1, 2, 3]],
        [[0, 3], [1, 2]],
    ],
    ids=["same", "in another order", "overlapping", "of its own"],
)
def test_the_bootstrap_equals_the_enumeration_of_all_draws(examples):
    """200,000 draws: five standard errors of a share are below 0.007, exceeded less than once in 10^6."""
    examples = np.array(examples)
    d = np.array([[1.0, 5.0, -2.0], [0.5, 3.0, -4.0]])[:, : examples.shape[1]]
    expected = enumerated(d, examples)
    means = _means(*_by_example(d, examples), 200_000, seed=0)
    for point in np.quantile(expected, [0.05, 0.2, 0.5, 0.8, 0.95]) + 1e-6:
        assert np.mean(means <= point) == pytest.approx(np.mean(expected <= point), abs=0.007)
    if examples.max() == 2:
        aligned = np.take_along_axis(d, np.argsort(examples, axis=1), axis=1)
        np.testing.assert_allclose(_means(aligned, None, 200_000, seed=0), means, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 60), (12, 60), (30, 5)])
def test_the_variance_is_that_of_the_pigeonhole_bootstrap(shape, monkeypatch):
    """Of 20,000 means, drawn in blocks; a deviation of 6% is six standard errors of a variance."""
    monkeypatch.setattr("regjax.analysis.paired._BLOCK", 10_000)
    rng = np.random.default_rng(0)
    runs, size = shape
    d = rng.normal(size=(runs, 1)) + rng.normal(size=(1, size)) + rng.normal(size=shape)
    e = d - d.mean()
    of_runs, of_examples = np.square(e.sum(axis=1)).sum(), np.square(e.sum(axis=0)).sum()
    expected = np.square(e).sum() + (1 - 1 / size) * of_runs + (1 - 1 / runs) * of_examples
    means = _means(d, None, 20_000, seed=1)
    assert means.shape == (20_000,)
    assert means.var() == pytest.approx(expected / d.size**2, rel=0.06)
    assert means.mean() == pytest.approx(d.mean(), abs=5 * math.sqrt(means.var() / 20_000))


def test_over_examples_alone_it_is_the_bootstrap_of_scipy():
    rng = np.random.default_rng(3)
    a, b = rng.gamma(1.0, size=(2, 80))
    found = paired_bootstrap(a, b, level=0.9)
    data, random = (a - b,), np.random.default_rng(0)
    reference = stats.bootstrap(data, np.mean, confidence_level=0.9, method="percentile", rng=random)
    width = found.high - found.low
    assert found.mean == pytest.approx(np.mean(a - b))
    np.testing.assert_allclose(found[1:], reference.confidence_interval, atol=0.03 * width)
    assert paired_bootstrap(a, b, level=0.9) == found
    assert paired_bootstrap(a, b, level=0.9, seed=1) != found
    np.testing.assert_allclose(paired_bootstrap(a[None], b[None], level=0.9), found)  # one run is no sample of runs


def test_the_interval_covers_both_sources():
    """400 tables of 25 runs and 40 examples with effects of both, whose mean is 0.

    Of 4,000 such tables 94.7% were covered; a rate below 91% then has a probability of 0.001.
    """
    rng = np.random.default_rng(0)

    def covers(seed):
        d = rng.normal(size=(25, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(25, 40))
        found = paired_bootstrap(d, np.zeros(d.shape), resamples=400, seed=seed)
        return found.low <= 0 <= found.high

    assert np.mean([covers(seed) for seed in range(400)]) > 0.91


def test_one_example_has_no_interval():
    found = paired_bootstrap(np.array([2.0]), np.array([1.0]))
    assert found.mean == 1.0
    assert math.isnan(found.low)
    assert math.isnan(paired_bootstrap(np.ones((3, 1)), np.zeros((3, 1))).high)


ZEROS = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("losses", "arguments", "error", "message"),
    [
        ((ZEROS, np.zeros(3)), {}, ValueError, r"\(2, 3\) and \(3,\)"),
        ((ZEROS[:, :0], ZEROS[:, :0]), {}, ValueError, r"\(2, 0\)"),
        ((ZEROS, np.full((2, 3), np.inf)), {}, ValueError, "must be finite"),
        ((ZEROS, ZEROS), {"examples": np.arange(3)}, ValueError, r"examples must be integers \[2, 3\], got int64\[3\]"),
        ((ZEROS, ZEROS), {"examples": ZEROS}, ValueError, "got float64"),
        ((ZEROS, ZEROS), {"level": 1.0}, ValueError, "level must be in"),
        ((ZEROS, ZEROS), {"resamples": 99}, InputError, "got 99"),
    ],
)
def test_what_the_bootstrap_refuses(losses, arguments, error, message):
    with pytest.raises(error, match=message):
        paired_bootstrap(*losses, **arguments)
