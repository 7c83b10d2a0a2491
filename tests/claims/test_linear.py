import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from regjax.claims.linear import Design, Linear, best, lasso, ridge

SAMPLE = Design((1.0, -2.0, 0.0), n=40, correlation=0.5).draw(3)


def test_ridge_is_that_of_sklearn_and_least_squares_without_strength():
    found = ridge(SAMPLE.x, SAMPLE.y, np.array([0.7, 0.0]))
    expected = Ridge(alpha=0.7 * len(SAMPLE.x), fit_intercept=False).fit(SAMPLE.x, SAMPLE.y).coef_
    np.testing.assert_allclose(found[0], expected, rtol=1e-10)
    np.testing.assert_allclose(found[1], np.linalg.lstsq(SAMPLE.x, SAMPLE.y)[0], rtol=1e-10)


def test_lasso_is_that_of_sklearn_at_its_last_strength():
    path = lasso(SAMPLE)
    assert not path[0].any()
    largest = 2 * np.abs(SAMPLE.x.T @ SAMPLE.y).max() / len(SAMPLE.x)
    fitted = Lasso(alpha=largest * 1e-3 / 2, fit_intercept=False, tol=1e-10).fit(SAMPLE.x, SAMPLE.y)
    np.testing.assert_allclose(path[-1], fitted.coef_, atol=2e-3)


def test_the_excess_is_the_error_on_many_examples_less_the_noise():
    """The mean of 200,000 squared errors has a standard error of 0.3%; a deviation of 2% is beyond six of them."""
    design = Design((1.0, -2.0, 0.0), n=200_000, validation=1, correlation=0.5, scales=(1.0, 3.0, 0.1))
    many, w = design.draw(0), np.array([0.5, -1.0, 2.0])
    measured = np.mean(np.square(many.y - many.x @ w)) - 1.0
    assert float(many.excess(w)) == pytest.approx(measured, rel=0.02)
    assert float(many.excess(np.array(design.coefficients))) == 0.0


def test_a_run_has_the_same_rows_with_and_without_outliers():
    design = Design((1.0,), n=50, outliers=0.2)
    wild, calm = design.draw(1), dataclasses.replace(design, outliers=0.0).draw(1)
    np.testing.assert_array_equal(wild.x, calm.x)
    changed = wild.y != calm.y
    assert 0 < changed.sum() < 25
    np.testing.assert_allclose((wild.y - wild.x[:, 0])[changed], 20 * (calm.y - calm.x[:, 0])[changed])


@pytest.mark.parametrize(("rule", "expected"), [(False, 2), (True, 1)])
def test_the_strongest_within_one_standard_error_comes_first(rule, expected):
    """Errors 4, 1.1 and 1 with a standard error of the lowest of 0.2: the second is within, the first is not."""
    x = np.ones((4, 1))
    y = np.sqrt(np.array([1.6, 0.4, 1.2, 0.8]))  # squares around 1
    error = np.std(y**2, ddof=1) / 2
    assert 0.1 < error < 3
    candidates = np.array([[-1.0], [-0.05], [0.0]])
    means = [np.mean(np.square(y - c)) for c in candidates[:, 0]]
    assert means[1] <= means[2] + error < means[0]
    sample = Linear(x, y, x, y, np.zeros(1), np.eye(1))
    assert best(sample, candidates, rule) == expected
