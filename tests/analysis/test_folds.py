import math

import numpy as np
import pytest
from scipy import stats

from regjax.analysis.folds import bounded_fold_interval, fold_interval, fold_p
from regjax.analysis.statistics import mean_interval

VALUES = [0.81, 0.86, 0.79, 0.9, 0.84]


def test_by_hand():
    """Five folds: s = 0.0430, standard error s sqrt(1/5 + 1/4), four degrees of freedom."""
    error = np.std(VALUES, ddof=1) * math.sqrt(0.45)
    mean, low, high = fold_interval(VALUES, 1 / 4)
    assert mean == pytest.approx(0.84)
    assert (low, high) == pytest.approx((0.84 - 2.7764451 * error, 0.84 + 2.7764451 * error))
    assert fold_p(np.subtract(VALUES, 0.8), 1 / 4) == pytest.approx(2 * stats.t.sf(0.04 / error, 4))


def test_without_the_correction_it_is_student():
    assert fold_interval(VALUES, 1e-12) == pytest.approx(mean_interval(VALUES))
    assert fold_p(np.subtract(VALUES, 0.8), 1e-12) == pytest.approx(stats.ttest_1samp(VALUES, 0.8).pvalue)


def test_an_accuracy_stays_in_its_range_and_is_as_wide_as_that_of_its_examples():
    mean, low, high = bounded_fold_interval([1.0, 0.9, 1.0, 0.95, 1.0], 1 / 4, examples=100)
    assert 0 <= low < mean < high <= 1
    z = stats.norm.ppf(0.975)
    assert bounded_fold_interval([1.0] * 5, 1 / 4, examples=50).low == pytest.approx(1 / (1 + z * z / 50))
    middle = [0.5, 0.6, 0.4, 0.45, 0.55]
    plain, wilson = fold_interval(middle, 1 / 4), bounded_fold_interval(middle, 1 / 4, examples=10_000)
    assert wilson.high - wilson.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_what_has_no_answer():
    assert math.isnan(fold_interval([0.5], 1 / 4).low)
    assert math.isnan(bounded_fold_interval([0.5, math.nan], 1 / 4, examples=10).low)
    assert fold_p([0.5], 1 / 4) is None
    assert fold_p([0.1, math.nan], 1 / 4) is None
    assert fold_p([0.1, 0.1], 1 / 4) is None  # how much it varies is not known
    assert fold_p([0.0, 0.0, 0.0], 1 / 4) == 1.0
    with pytest.raises(ValueError, match="ratio"):
        fold_interval(VALUES, 0.0)
    with pytest.raises(ValueError, match="values"):
        bounded_fold_interval([1.5, 0.5], 1 / 4, examples=10)


def ridge_error(x, y, test, strength):
    inside, outside = x[~test], x[test]
    w = np.linalg.solve(inside.T @ inside + strength * np.eye(x.shape[1]), inside.T @ y[~test])
    return np.mean((y[test] - outside @ w) ** 2)


def test_intervals_of_cross_validation_cover_the_true_difference():
    """Two ridges, 5-fold cross-validation of 60 examples three times; the truth is the mean over all 300 draws.

    Of 300 with a coverage of 95% fewer than 274 cover with a probability of about 0.2%. Student's interval covers less
    than 92%: of 300, more than 281 would cover with a probability of about 10% at 92%, and of 0.1% at 88%.
    """
    rng = np.random.default_rng(0)
    beta, draws, n, k = np.full(15, 0.4), 300, 60, 5
    found = np.empty((draws, 3, k))
    for i, repeat in np.ndindex(draws, 3):
        if repeat == 0:
            x = rng.normal(size=(n, 15))
            y = x @ beta + rng.normal(size=n) * 2
        fold = rng.permutation(n) % k
        for f in range(k):
            test = fold == f
            found[i, repeat, f] = ridge_error(x, y, test, 0.01) - ridge_error(x, y, test, 20.0)
    found = found.reshape(draws, -1)
    truth = found.mean()
    corrected = [fold_interval(row, 1 / (k - 1)) for row in found]
    student = [mean_interval(row) for row in found]
    covered, plain = (sum(low <= truth <= high for _, low, high in made) for made in (corrected, student))
    assert covered >= 274
    assert plain <= 281
