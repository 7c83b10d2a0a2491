import dataclasses

import numpy as np
import pytest
from scipy import stats

from regjax.analysis import all_pairs, practical_posterior
from regjax.comparison.layout import Layout
from regjax.comparison.options import CompareOptions
from regjax.comparison.ranking import Ranking, rank, with_practical
from regjax.comparison.row import Improvement
from regjax.comparison.scoring import Evaluation


def classified(*correct, loss=0.5):
    """Evaluations with so many of 100 examples correct."""
    return [Evaluation(n / 100, loss, np.full(100, loss), (np.arange(100) < n).astype(float)) for n in correct]


def fitted(*scores):
    """Evaluations of a regression."""
    return [
        Evaluation(score, 1 - score, np.full(100, 1 - score), np.zeros(0), squares=np.full(100, 1 - score))
        for score in scores
    ]


SIX, THREE, ONE = (Layout(np.zeros(runs, int), None) for runs in (6, 3, 1))
TESTS = {
    "baseline": classified(70, 71, 69, 70, 68, 70),
    "l2": classified(73, 75, 71, 74, 72, 71),
    "l1": classified(70, 72, 68, 71, 68, 69),
}


CLEAR = TESTS | {"l2": classified(80, 82, 78, 81, 79, 78)}


def test_the_best_row_and_the_groups_by_hand():
    """L2 is better in each of six runs, which makes the smallest p that they can give; the two others are even."""
    found = rank(CLEAR, SIX)
    hits = {name: [run.hits.sum() for run in runs] for name, runs in CLEAR.items()}
    assert [pair._replace(ci95=None) for pair in found.pairs] == all_pairs(hits, 0.01)
    assert found.groups == {"l2": "a", "baseline": "b", "l1": "b"}  # best first, ties as in the table
    assert found.best == ("l2", ("baseline", "l1"))


def test_a_pair_has_the_interval_of_a_technique_and_needs_it():
    """Three more of 100 examples in each run: too few if other examples count, whatever the signs of six runs say."""
    found = rank(TESTS, SIX)
    for pair in found.pairs:
        a, b = (np.stack([run.scores for run in TESTS[name]]) for name in (pair.a, pair.b))
        assert pair.ci95 == SIX.interval(a - b, np.ones(np.shape(a)))[1:]
    of_l2 = next(pair for pair in found.pairs if {pair.a, pair.b} == {"l2", "baseline"})
    assert of_l2.p_adjusted <= 0.05
    assert of_l2.ci95[0] < 0 < of_l2.ci95[1]
    assert set(found.groups.values()) == {"a"}
    assert found.best == ("l2", ())


def test_a_regression_is_ranked_by_its_score():
    found = rank({name: fitted(*(run.score for run in runs)) for name, runs in CLEAR.items()}, SIX)
    assert found.groups == rank(CLEAR, SIX).groups
    assert [pair.mean for pair in found.pairs] == pytest.approx([pair.mean for pair in rank(CLEAR, SIX).pairs])


def test_without_a_second_run_or_row_there_is_no_ranking():
    assert rank({name: runs[:1] for name, runs in TESTS.items()}, ONE) == Ranking()
    assert rank({"baseline": TESTS["baseline"]}, SIX) == Ranking()


@dataclasses.dataclass
class Row:
    improvement: Improvement | None
    loss_improvement: Improvement | None


GAIN = Improvement(0.0, (0.0, 0.0), (0.0, 0.0), {}, None, None, None, None, None)


def test_sizes_are_points_and_percent_of_the_loss_of_the_baseline():
    options = CompareOptions(practical=2.0, practical_loss=4.0)
    tests = TESTS | {"l2": classified(73, 75, 71, 74, 72, 71, loss=0.45)}
    (row,) = with_practical({"l2": Row(GAIN, GAIN)}, tests, options, SIX).values()
    assert row.improvement.practical == 0.02
    differences = np.array([3, 4, 2, 4, 4, 1]) / 100
    assert row.improvement.posterior == pytest.approx(practical_posterior(differences, 0.02))
    assert row.loss_improvement.practical == pytest.approx(0.04 * 0.5)
    assert row.loss_improvement.posterior == (0, 0, 1)  # a fall of 0.05 in each run


def test_a_gain_of_exactly_one_point_in_each_run_is_at_the_edge_of_the_region():
    tests = {"baseline": classified(70, 71, 60), "l2": classified(71, 72, 61)}
    (row,) = with_practical({"l2": Row(GAIN, None)}, tests, CompareOptions(practical=1.0), THREE).values()
    assert row.improvement.posterior == (0, 1, 0)
    assert row.loss_improvement is None


def test_the_posterior_is_as_wide_as_the_interval():
    """Of the same differences: the interval knows of other splits and test examples."""
    wide = dataclasses.replace(GAIN, ci95=(-0.1, 0.16))
    found = with_practical({"l2": Row(wide, None)}, TESTS, CompareOptions(), SIX)["l2"].improvement.posterior
    error = 0.13 / stats.t.ppf(0.975, 5)
    assert found.better == pytest.approx(stats.t.sf((0.01 - 0.03) / error, 5))
    assert found.worse == pytest.approx(stats.t.cdf((-0.01 - 0.03) / error, 5))


def test_runs_of_a_split_are_ranked_together():
    layout = Layout(np.repeat(np.arange(3), 2), None)
    found = rank(TESTS, layout)
    assert found.pairs[0].mean == pytest.approx(rank(TESTS, SIX).pairs[0].mean)
    assert found.pairs[0].p == 2 / 2**3


@pytest.mark.parametrize("runs", [2, 5, 6])
def test_rows_that_no_test_can_tell_apart_have_no_letters(runs):
    """Rows that are as different as can be: of five runs the smallest p is 2 / 2^5 = 0.0625."""
    tests = {"baseline": classified(*[1] * runs), "l2": classified(*[99] * runs)}
    found = rank(tests, Layout(np.zeros(runs, int), None))
    assert found.groups == ({"l2": "a", "baseline": "b"} if runs == 6 else {})
    assert (found.best is None) == (runs < 6)
    assert found.pairs[0].p == 2 / 2**runs


def test_rows_of_too_few_test_groups_have_no_letters():
    examples = np.tile(np.repeat(np.arange(3), [40, 30, 30]), (6, 1))
    tests = {"baseline": classified(*[1] * 6), "l2": classified(*[99] * 6)}
    assert rank(tests, Layout(np.zeros(6, int), examples)) == Ranking()


def test_rows_that_diverged_in_most_runs_have_no_letters():
    lost = [run._replace(diverged=True) for run in classified(*[50] * 6)]
    assert rank({"baseline": lost, "l2": lost}, SIX) == Ranking()
    assert rank({"baseline": lost, "l2": lost, "l1": classified(*[99] * 6)}, SIX).groups["l1"] == "a"


def test_a_single_run_has_a_region_and_no_posterior():
    tests = {name: runs[:1] for name, runs in TESTS.items()}
    (row,) = with_practical({"l2": Row(GAIN, GAIN)}, tests, CompareOptions(), ONE).values()
    assert (row.improvement.practical, row.improvement.posterior) == (0.01, None)
