import dataclasses

import numpy as np
import pytest
from scipy import stats

from regjax.analysis import holm, joint_flips, run_interval, sign_flip_p
from regjax.analysis.metrics import contributions, reaches
from regjax.comparison.improvements import improvements, paired_statistics
from regjax.comparison.layout import Layout
from regjax.comparison.scoring import Evaluation
from tests.comparison.made import row

ONE_SPLIT = Layout(np.zeros(3, int), None)


@dataclasses.dataclass
class Row:
    improvement: object = None
    loss_improvement: object = None


def evaluations(*hits):
    return [Evaluation(np.mean(h), 1 - np.mean(h), 1 - np.array(h, float), np.array(h, float)) for h in hits]


def test_improvements_are_paired_and_corrected_over_all_rows():
    baseline = evaluations([1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0])
    tests = {
        "better": evaluations([1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]),
        "other": evaluations([1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]),
    }

    found = paired_statistics({name: Row() for name in tests}, tests, baseline, ONE_SPLIT)
    differences = {"better": [0.25, 0.5, 0.25], "other": [0.25, -0.25, 0.0]}
    p = [sign_flip_p(d) for d in differences.values()]
    jointly = joint_flips(np.stack(list(differences.values()), axis=1))
    for (name, d), raw, corrected, test in zip(differences.items(), p, holm(p), jointly, strict=True):
        gain = found[name].improvement
        assert gain.mean == pytest.approx(np.mean(d))
        assert (gain.p, gain.p_holm, gain.p_adjusted) == (raw, corrected, test.p_adjusted)
        assert (gain.p_monte_carlo_error, gain.minimum_detectable_effect) == (0.0, None)  # of three runs
        assert gain.ci95[0] <= gain.ci95_runs[0] <= gain.mean <= gain.ci95_runs[1] <= gain.ci95[1]
        # A loss of 1 - score improves by as much.
        assert found[name].loss_improvement.mean == pytest.approx(gain.mean)


def test_runs_of_a_split_are_one_observation():
    """Six splits with two seeds each: p is that of the six sums, and the change is the mean over all runs."""
    rng = np.random.default_rng(0)
    hits = rng.integers(-1, 2, (12, 30)) + (rng.random((12, 30)) < 0.2)
    layout = Layout(np.repeat(np.arange(6), 2), np.stack([rng.permutation(90)[:30] for _ in range(12)]))
    ones = {"a": np.ones(hits.shape)}
    (gain,) = improvements({"a": hits}, {"a": hits.sum(axis=1)}, layout, 1 / 30, ones).values()
    sums = hits.sum(axis=1).reshape(6, 2).sum(axis=1)
    assert gain.p == sign_flip_p(sums)
    assert gain.mean == pytest.approx(hits.mean())
    interval = run_interval(hits, splits=layout.splits, examples=layout.examples, counted=True)
    assert gain.ci95 == (interval.low, interval.high)
    assert gain.components["split"] is not None
    assert gain.components["seed"] == pytest.approx((hits.mean(axis=1).reshape(6, 2).var(axis=1, ddof=1)).mean())


def test_five_splits_can_show_nothing():
    hits = np.ones((10, 20), int)
    layout = Layout(np.repeat(np.arange(5), 2), None)
    (gain,) = improvements({"a": hits}, {"a": hits.sum(axis=1)}, layout, 1 / 20).values()
    assert (gain.p, gain.minimum_detectable_effect) == (2 / 2**5, None)


def test_runs_that_diverged_in_both_rows_are_not_compared():
    """Most of them: nothing is tested. Some: they count as the same, and their number is told."""
    found = {}
    for lost in (2, 4, 5):
        runs = [run._replace(diverged=i < lost) for i, run in enumerate(evaluations(*np.tile([0, 1, 1, 0], (8, 1))))]
        made = paired_statistics({"l2": row("l2")}, {"l2": runs}, runs, Layout(np.arange(8), None))
        found[lost] = made["l2"].improvement
    assert [gain.both_diverged for gain in found.values()] == [2, 4, 5]
    assert (found[2].p, found[4].p, found[5].p) == (1.0, 1.0, None)
    assert np.isnan(found[5].ci95).all()


@pytest.mark.parametrize(("different", "known"), [(9, False), (10, True)])
def test_how_answers_vary_is_not_told_by_a_few(different, known):
    hits = np.zeros((10, 40), int)
    hits.ravel()[:: 400 // different][:different] = 1
    (gain,) = improvements(
        {"a": hits}, {"a": hits.sum(axis=1)}, Layout(np.arange(10), None), 1 / 40, {"a": np.ones(hits.shape)}
    ).values()
    assert (gain.minimum_detectable_effect is not None) == known
    assert (gain.least_detectable is not None) == known
    assert gain.resolution == pytest.approx(np.log(40) / 40)


def by_class(metric, lost_rare, lost_common, size=120, rare=24):
    """Eight runs on the same examples; the technique answers these numbers of each class wrong in every run."""
    y = (np.arange(size) < rare).astype(int)
    right = np.ones(size, bool)
    right[:lost_rare] = right[size - lost_common :] = False
    guesses = [np.eye(2)[np.where(answers, y, 1 - y)] for answers in (right, np.ones(size, bool))]
    loss = [Evaluation(0.0, 0.5, np.full(size, 0.5), np.zeros(0))] * 8
    both = []
    for p in guesses:
        scores = contributions(metric, p, y)
        of_row = {"score": scores.mean(), "contributions": scores, "reaches": reaches(metric, p, y)}
        both.append([run._replace(**of_row) for run in loss])
    return paired_statistics({"l2": row("l2")}, {"l2": both[0]}, both[1], Layout(np.arange(8), None))["l2"].improvement


def test_what_a_rare_class_leaves_open_is_its_own():
    """One of 24 rare answers moves balanced accuracy by 1 / 48: that is the unit, not 1 / 120."""
    gain = by_class("balanced_accuracy", 1, 0)
    assert gain.mean == pytest.approx(-1 / 48)
    assert gain.resolution == pytest.approx((stats.chi2.ppf(0.975, 4) / 2 - 1) / 48)  # one answer differs
    same = by_class("balanced_accuracy", 0, 0)
    assert same.ci95[1] == pytest.approx(stats.t.ppf(0.975, 7) / 48)  # not 0: another data set may differ
    assert same.resolution == pytest.approx(np.log(40) / 48)
    assert by_class("f1", 0, 0).resolution == pytest.approx(np.log(40) / 48)  # (2 - 1) / (24 + 24)
    assert by_class("average_precision", 0, 0).resolution == pytest.approx(np.log(40) / 24)
    assert by_class("roc_auc", 0, 0).resolution == pytest.approx(np.log(40) / 48)
    assert by_class("log_loss", 0, 0).resolution is None


@pytest.mark.parametrize(("rare", "common", "known"), [(0, 30, False), (9, 0, False), (9, 30, False), (11, 0, True)])
def test_answers_on_the_common_class_do_not_tell_how_those_on_the_rare_one_vary(rare, common, known):
    gain = by_class("balanced_accuracy", rare, common)
    assert (gain.minimum_detectable_effect is not None) == known
    assert (gain.least_detectable is not None) == known
