import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import number_posterior, practical_posterior, signed_rank_posterior


def samples():
    return st.lists(st.integers(-1000, 1000), min_size=2, max_size=20).map(lambda d: np.array(d) / 100)


@settings(max_examples=100)
@given(samples(), st.floats(0, 5), st.floats(0, 0.9))
@pytest.mark.slow
def test_it_is_the_t_distribution_of_scipy(d, practical, correlation):
    if np.ptp(d) == 0:
        d[0] += 1.0
    scale = np.sqrt((1 / len(d) + correlation / (1 - correlation)) * np.var(d, ddof=1))
    posterior = stats.t(len(d) - 1, np.mean(d), scale)
    found = practical_posterior(d, practical, correlation=correlation)
    assert found.worse == pytest.approx(posterior.cdf(-practical), abs=1e-10)
    assert found.better == pytest.approx(posterior.sf(practical), abs=1e-10)
    assert found.same == pytest.approx(posterior.cdf(practical) - posterior.cdf(-practical), abs=1e-10)
    assert sum(found) == pytest.approx(1.0, abs=1e-12)


def test_by_hand():
    # Two degrees of freedom: F(t) = 1/2 + t / (2 sqrt(2 + t^2)). The mean is 1 and the scale 1 / sqrt(3).
    found = practical_posterior([0.0, 1.0, 2.0], 0.0)
    t = np.sqrt(3)
    assert found.better == pytest.approx(0.5 + t / (2 * np.sqrt(2 + t**2)))
    assert found.same == 0.0


@settings(max_examples=50)
@given(samples(), st.floats(0, 5))
def test_with_other_signs_worse_and_better_change_places(d, practical):
    found, mirrored = practical_posterior(d, practical), practical_posterior(-d, practical)
    assert mirrored[::-1] == pytest.approx(found, abs=1e-12)


@settings(max_examples=50)
@given(samples(), st.floats(0, 5), st.floats(0, 5))
def test_a_wider_region_takes_from_both_sides(d, one, other):
    narrow, wide = (practical_posterior(d, practical) for practical in sorted((one, other)))
    assert wide.worse <= narrow.worse
    assert wide.better <= narrow.better
    assert wide.same >= narrow.same - 1e-12


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(-0.3, (1, 0, 0)), (-0.1, (0, 1, 0)), (0.0, (0, 1, 0)), (0.1, (0, 1, 0)), (0.3, (0, 0, 1))],
)
def test_equal_differences_are_known_exactly(difference, expected):
    assert practical_posterior([difference] * 3, 0.1) == expected
    assert practical_posterior([difference] * 7, 0.1, correlation=0.5) == expected


@pytest.mark.parametrize(("runs", "folds"), [(1, 10), (3, 5), (10, 10)])
def test_it_is_the_correlated_test_of_baycomp(runs, folds):
    """Repeated cross-validation, where the correlation is the share of a fold."""
    baycomp = pytest.importorskip("baycomp")
    rng = np.random.default_rng(runs)
    for practical in (0.01, 0.5):
        plain, technique = rng.normal(size=runs * folds), rng.normal(0.3, 1, size=runs * folds)
        reference = baycomp.two_on_single(plain, technique, rope=practical, runs=runs)
        found = practical_posterior(technique - plain, practical, correlation=1 / folds)
        assert found == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 0.1), "at least 2 finite numbers"),
        (([1.0, np.inf], 0.1), "at least 2 finite numbers"),
        (([[1.0, 2.0]], 0.1), "at least 2 finite numbers"),
        (([1.0, 2.0], -0.1), "practical"),
        (([1.0, 2.0], np.nan), "practical"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        practical_posterior(*arguments)


@pytest.mark.parametrize("correlation", [-0.1, 1.0])
def test_a_correlation_out_of_range_is_refused(correlation):
    with pytest.raises(ValueError, match="correlation"):
        practical_posterior([1.0, 2.0], 0.1, correlation=correlation)


# SignedRankTest.probs(0, d, rope=r, nsamples=300_000) of baycomp 1.0.3.
GAINS = [0.031, 0.052, 0.023, 0.064, 0.0405, -0.0113, 0.0507, 0.0312, -0.0204, 0.0156]


@pytest.mark.parametrize(("practical", "expected"), [(0.01, (0.0026, 0.0040, 0.9935)), (0.025, (0.0, 0.3737, 0.6263))])
def test_the_signed_rank_posterior_is_that_of_baycomp(practical, expected):
    """The standard error of both is below 0.0036."""
    assert signed_rank_posterior(GAINS, practical) == pytest.approx(expected, abs=0.015)


@settings(max_examples=10, deadline=None)
@given(samples())
def test_the_signed_rank_posterior_is_symmetric_and_whole(d):
    found = signed_rank_posterior(d, 0.5, draws=500)
    assert sum(found) == pytest.approx(1.0)
    assert signed_rank_posterior(-d, 0.5, draws=500)[::-1] == pytest.approx(found, abs=1e-9)


def test_many_data_sets_decide():
    assert signed_rank_posterior([0.5] * 40, 0.1).better == 1.0
    assert signed_rank_posterior([0.05, -0.05] * 20, 0.1).same == 1.0
    assert signed_rank_posterior([-0.5] * 40, 0.1).worse == 1.0


def test_the_number_of_events_is_binomial_where_they_are_equally_likely():
    assert number_posterior([0.3] * 7) == pytest.approx(stats.binom(7, 0.3).pmf(np.arange(8)))
    # One of two events with probabilities 0.2 and 0.6: 0.2 x 0.4 + 0.8 x 0.6.
    assert number_posterior([0.2, 0.6]) == pytest.approx([0.32, 0.56, 0.12])
    assert number_posterior([]).tolist() == [1.0]


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="probability"):
        number_posterior([0.5, 1.2])
    with pytest.raises(ValueError, match="finite"):
        signed_rank_posterior([0.1, np.nan], 0.1)
    with pytest.raises(ValueError, match="finite"):
        signed_rank_posterior([], 0.1)
