import math

import numpy as np
import pytest
from scipy import stats

from regjax.claims.judge import CONTRADICTED, DEPENDS, NOT_SHOWN, SUPPORTED, Finding, judge, verdict_of
from regjax.core.errors import InputError


def finding(verdict):
    return Finding(verdict, 0.0, 0.0, 0.0, 1.0)


def test_p_is_that_of_scipy():
    values = np.random.default_rng(0).normal(0.4, 1.0, 12)
    found = judge(values, 0.1)
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.1, alternative="greater").pvalue)
    below = judge(values, 1.5)
    assert below.p == pytest.approx(stats.ttest_1samp(values, 1.5, alternative="less").pvalue)
    assert (below.low, below.high) == pytest.approx(stats.t.interval(0.95, 11, values.mean(), stats.sem(values)))


def test_equivalence_takes_the_larger_of_two_tests():
    values = np.random.default_rng(1).normal(0.2, 1.0, 20)
    greater = stats.ttest_1samp(values, -1.0, alternative="greater").pvalue
    less = stats.ttest_1samp(values, 1.0, alternative="less").pvalue
    assert judge(values, 1.0, "within").p == pytest.approx(max(greater, less))


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_margin_on_either_side_contradicts_equivalence(sign):
    values = sign * np.array([5.0, 5.1, 4.9, 5.0, 5.2])
    assert judge(values, 1.0, "within").verdict == CONTRADICTED
    assert judge(values, 6.0, "within").verdict == SUPPORTED


@pytest.mark.parametrize(("tests", "verdict"), [(1, SUPPORTED), (1000, NOT_SHOWN)])
def test_more_claims_need_more(tests, verdict):
    assert judge([1.0, 2.0, 3.0, 4.0, 5.0], 0.0, tests=tests).verdict == verdict


@pytest.mark.parametrize(
    ("relation", "value", "verdict"),
    [
        ("above", 2.0, SUPPORTED), ("above", 0.0, CONTRADICTED), ("above", 1.0, NOT_SHOWN),
        ("within", 0.0, SUPPORTED), ("within", -2.0, CONTRADICTED), ("within", 1.0, NOT_SHOWN),
    ],
)  # fmt: skip
def test_runs_that_agree_need_no_test(relation, value, verdict):
    assert judge([value] * 5, 1.0, relation, tests=1000).verdict == verdict


def test_too_few_runs_show_nothing_however_large_the_effect():
    found = judge([100.0] * 4, 1.0)
    assert (found.verdict, found.p) == (NOT_SHOWN, 1.0)
    assert found.reason == "4 runs are too few; at least 5 are needed"
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


@pytest.mark.parametrize(("relation", "truth"), [("above", 1.0), ("within", 1.0), ("within", -1.0)])
def test_a_mean_at_the_margin_is_judged_falsely_at_most_as_often_as_stated(relation, truth):
    """At the margin, either verdict is false: 2,000 sets of 8 normal runs; false alarm of this test below 1e-4."""
    rng = np.random.default_rng(2)
    effects = rng.normal(truth, 1.0, size=(2000, 8))
    for verdict in (SUPPORTED, CONTRADICTED):
        wrong = sum(judge(row, 1.0, relation).verdict == verdict for row in effects)
        assert wrong <= stats.binom.ppf(1 - 1e-4, 2000, 0.05)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([CONTRADICTED], CONTRADICTED),
        ([SUPPORTED, CONTRADICTED, NOT_SHOWN], DEPENDS),
        ([SUPPORTED, NOT_SHOWN], NOT_SHOWN),
        ([CONTRADICTED, NOT_SHOWN], NOT_SHOWN),
    ],
)
def test_the_verdict_of_several_circumstances(verdicts, expected):
    assert verdict_of([finding(verdict) for verdict in verdicts]) == expected
