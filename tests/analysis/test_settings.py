import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import bounded_interval
from regjax.analysis.settings import paired_difference, rank_settings, score_interval, standard_error, whole_hits

NAN, INF = math.nan, math.inf


def test_settings_are_ranked_by_mean_then_loss_then_place():
    scores = np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.6], [0.4, 0.6]])
    assert rank_settings(scores, np.array([[2, 2], [1, 1], [9, 9], [2, 2]])) == [2, 1, 0, 3]
    thirds = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])  # their sums differ in the last digit
    assert rank_settings(thirds, np.array([[2.0] * 3, [1.0] * 3])) == [1, 0]


def test_settings_without_a_score_or_a_loss_come_last():
    scores = np.array([[0.99, NAN], [0.5, 0.5], [0.5, 0.5], [0.1, 0.1]])
    assert rank_settings(scores, np.array([[0, 0], [1, NAN], [3, 3], [0, 0]])) == [2, 1, 3, 0]
    assert rank_settings(scores, np.array([[0, 0], [1, INF], [3, 3], [0, 0]])) == [2, 1, 3, 0]


def test_a_paired_difference_is_the_paired_t_interval():
    a, b = np.random.default_rng(0).normal(size=(2, 7))
    found = paired_difference(a, b)
    reference = stats.ttest_rel(a, b).confidence_interval(0.95)
    np.testing.assert_allclose(found[:3], (np.mean(a - b), reference.low, reference.high))
    exact = stats.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert found.p == pytest.approx(exact)


@given(st.integers(1, 6), st.sampled_from([0.0, 0.1, -0.3]))
def test_a_difference_that_never_varies_has_no_interval(seeds, difference):
    scores = np.linspace(0.2, 0.7, seeds)
    found = paired_difference(scores + difference, scores)
    assert found.mean == pytest.approx(difference)
    assert np.isnan(found[1:3]).all()
    assert (found.p is None) == (seeds == 1)


def test_a_run_without_a_score_leaves_no_difference():
    found = paired_difference([0.5, NAN], [0.5, 0.5])
    assert np.isnan(found[:3]).all()
    assert found.p is None


def test_intervals_of_scores_stay_in_the_range_of_the_score():
    assert score_interval([0.9, 1.0], 50) == bounded_interval([0.9, 1.0], 50)
    mean, low, high = score_interval([0.9, 0.99], None)
    half = 12.7062 * 0.0636396 / math.sqrt(2)  # t with 1 degree of freedom times the standard error
    assert (mean, low, high) == (pytest.approx(0.945), pytest.approx(0.945 - half, abs=1e-5), 1.0)
    assert np.isnan(score_interval([0.9], None)[1:]).all()


@given(st.lists(st.integers(0, 360), min_size=2, max_size=5), st.integers(0, 50))
def test_accuracies_of_float32_tie_where_their_hits_do(hits, gain):
    """Shifts by as many hits are the same difference, which float32 does not give."""
    accuracies = [np.array(counts, np.float32) / np.float32(500) for counts in (np.add(hits, gain), hits)]
    found = paired_difference(*(whole_hits(column, 500) for column in accuracies))
    assert found.mean == pytest.approx(gain / 500, abs=1e-12)
    assert math.isnan(found.low)
    assert found.p == (1.0 if gain == 0 else 2.0 ** (1 - len(hits)))


def test_an_accuracy_that_is_no_number_of_hits_is_kept():
    np.testing.assert_array_equal(whole_hits(np.array([0.4321, NAN]), 100), [0.4321, NAN])


def test_the_standard_error_of_folds_is_that_of_one_repetition():
    """Doubling every fold is not more evidence; of one repetition it is the error of a mean of independent folds."""
    folds = [0.7, 0.8, 0.75, 0.9]
    once = standard_error(folds, None, folds=4)
    assert once == pytest.approx(stats.sem(folds))
    assert standard_error(folds * 3, None, folds=4) == pytest.approx(once)


def test_the_standard_error_of_seeds_has_the_draw_of_the_examples_of_an_accuracy():
    assert standard_error([0.5, 0.75], None) == pytest.approx(stats.sem([0.5, 0.75]))
    assert standard_error([0.8, 0.8], 50) == pytest.approx(np.sqrt(0.8 * 0.2 / 50))
    assert standard_error([0.75, 0.85], 50) == pytest.approx(np.hypot(stats.sem([0.75, 0.85]), np.sqrt(0.16 / 50)))
    assert np.isnan(standard_error([0.5], None))
