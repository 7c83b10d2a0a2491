import math

import numpy as np
import pytest
from scipy import stats

from regjax.claims.judge import (
    CONTRADICTED,
    DEPENDS,
    NOT_SHOWN,
    SMALLER,
    SUPPORTED,
    Finding,
    fewest_runs,
    judge,
    median_interval,
    verdict_of,
)
from regjax.core.errors import InputError


def finding(verdict):
    return Finding(verdict, 0.0, 0.0, 0.0, 1.0)


def test_p_is_that_of_the_binomial_test_of_scipy():
    values = np.random.default_rng(0).normal(0.7, 1.0, 30)
    found, above = judge(values, 0.1), int(np.sum(values > 0.1))
    assert found.p == pytest.approx(stats.binomtest(above, 30, alternative="greater").pvalue)
    assert found.median == np.median(values)
    below = judge(values, 1.5)
    expected = stats.binomtest(int(np.sum(values < 1.5)), 30, alternative="greater").pvalue
    assert below.p == pytest.approx(expected)


@pytest.mark.parametrize("size", [6, 7, 20, 40])
def test_the_interval_of_the_median_is_that_of_scipy(size):
    values = np.random.default_rng(size).normal(size=size)
    found = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert median_interval(values) == (found.low, found.high)


def test_fewer_than_six_runs_have_no_interval():
    assert all(map(math.isnan, median_interval(np.arange(5.0))))


def test_equivalence_takes_the_larger_of_two_tests():
    values = np.array([-0.9, *[0.0] * 10, 1.1, 1.2])  # 12 of 13 above -1 and 11 below 1, with -0.9 above -1 too
    greater = stats.binomtest(13, 13, alternative="greater").pvalue
    less = stats.binomtest(11, 13, alternative="greater").pvalue
    assert judge(values, 1.0, "within").p == pytest.approx(max(greater, less))


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_margin_on_either_side_contradicts_equivalence(sign):
    values = sign * np.array([5.0, 5.1, 4.9, 5.0, 5.2, 5.3])
    assert judge(values, 1.0, "within").verdict == CONTRADICTED
    assert judge(values, 6.0, "within").verdict == SUPPORTED


@pytest.mark.parametrize(("tests", "verdict"), [(1, SUPPORTED), (100, NOT_SHOWN)])
def test_more_claims_need_more(tests, verdict):
    """Twelve of thirteen runs: p = 14 / 8192."""
    assert judge([*[2.0] * 12, 0.0], 1.0, tests=tests).verdict == verdict


@pytest.mark.parametrize(
    ("relation", "value", "verdict"),
    [
        ("above", 2.0, SUPPORTED), ("above", 0.0, CONTRADICTED), ("above", 1.0, NOT_SHOWN),
        ("within", 0.0, SUPPORTED), ("within", -2.0, CONTRADICTED), ("within", 1.0, NOT_SHOWN),
    ],
)  # fmt: skip
def test_runs_that_agree(relation, value, verdict):
    assert judge([value] * 16, 1.0, relation, tests=1000).verdict == verdict


@pytest.mark.parametrize(("tests", "relation"), [(1, "above"), (7, "above"), (142, "above"), (142, "within")])
def test_too_few_runs_show_nothing_and_one_more_does(tests, relation):
    enough = fewest_runs(tests, relation)
    short = judge([100.0] * (enough - 1), 1.0, relation, tests)
    assert (short.verdict, short.p) == (NOT_SHOWN, 1.0)
    assert short.reason == f"{enough - 1} runs are too few; at least {enough} are needed"
    assert judge([100.0] * enough, 1.0, relation, tests).verdict != NOT_SHOWN
    assert judge([100.0], 1.0).reason == "1 run is too few; at least 5 are needed"


def test_a_run_without_a_number_shows_nothing():
    found = judge([5.0] * 9 + [math.nan], 1.0)
    assert (found.verdict, found.reason) == (NOT_SHOWN, "1 of 10 runs have no number")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([], 1.0), "needs runs"), (([1.0] * 5, 1.0, "above", 0), "tests >= 1"), (([1.0] * 5, 1.0, "below"), "relation")],
)
def test_what_cannot_be_judged_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        judge(*arguments)


def test_a_small_effect_is_below_the_margin_and_none_contradicts():
    small, none, less = np.linspace(0.2, 0.6, 20), np.linspace(-0.3, 0.4, 20), np.linspace(-0.9, -0.5, 20)
    assert [judge(values, 1.0).verdict for values in (small, none, less)] == [SMALLER, CONTRADICTED, CONTRADICTED]
    assert judge(less, 0.0).verdict == CONTRADICTED
    assert judge(small + 2, 1.0, "within").verdict == CONTRADICTED


def test_none_is_called_an_effect_at_most_as_often_as_stated():
    """A median of 0: the effect is there only by chance. 2,000 sets; false alarm of this test below 1e-4."""
    drawn = np.random.default_rng(3).normal(size=(2000, 20)) * 0.1
    wrong = sum(judge(row, 1.0).verdict == SMALLER for row in drawn)
    assert wrong <= stats.binom.ppf(1 - 1e-4, 2000, 0.05)


@pytest.mark.parametrize("shape", ["normal", "skewed", "mixed"])
@pytest.mark.parametrize(("relation", "truth"), [("above", 1.0), ("within", 1.0), ("within", -1.0)])
def test_a_median_at_the_margin_is_judged_falsely_at_most_as_often_as_stated(shape, relation, truth):
    """At the margin, each verdict can be false: 2,000 sets of 20 runs; false alarm of this test below 1e-4 each."""
    rng = np.random.default_rng(2)
    drawn = {
        "normal": rng.normal(size=(2000, 20)),
        "skewed": rng.exponential(size=(2000, 20)) - math.log(2),
        "mixed": rng.choice([-0.01, 30.0], size=(2000, 20)),
    }[shape]
    found = [judge(row, 1.0, relation).verdict for row in drawn + truth]
    for verdicts in ((SUPPORTED,), (CONTRADICTED, SMALLER)):
        wrong = sum(verdict in verdicts for verdict in found)
        assert wrong <= stats.binom.ppf(1 - 1e-4, 2000, 0.05)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([CONTRADICTED], CONTRADICTED),
        ([SUPPORTED, CONTRADICTED, NOT_SHOWN], DEPENDS),
        ([SUPPORTED, NOT_SHOWN], NOT_SHOWN),
        ([SMALLER, SMALLER], SMALLER),
        ([SMALLER, SUPPORTED], DEPENDS),
        ([SMALLER, CONTRADICTED], DEPENDS),
        ([SMALLER, SUPPORTED, NOT_SHOWN], NOT_SHOWN),
        ([CONTRADICTED, NOT_SHOWN], NOT_SHOWN),
    ],
)
def test_the_verdict_of_several_circumstances(verdicts, expected):
    assert verdict_of([finding(verdict) for verdict in verdicts]) == expected
