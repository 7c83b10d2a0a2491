"""Exact fits of linear models, against closed forms and scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LogisticRegression

import regjax as rj
from experiments.reproduce.convex import centre_and_scale, double_precision, fitted, lasso_fits, r2, ridge_fits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)) * [1.0, 3.0, 0.2] + [5.0, 0.0, -1.0]
Y = X @ [1.0, -0.5, 2.0] + RNG.normal(size=40)
WEIGHT = RNG.uniform(0.5, 2.0, 40)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def closed_ridge(strength, weight=None):
    share = np.full(len(Y), 1 / len(Y)) if weight is None else weight / weight.sum()
    centred, target = X - share @ X, Y - share @ Y
    w = np.linalg.solve(centred.T @ (share[:, None] * centred) + strength * np.eye(3), centred.T @ (share * target))
    return w, share @ Y - share @ X @ w


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
def test_ridge_is_its_closed_form(weight):
    w, c = closed_ridge(0.3, weight)
    fit = fitted(X, Y, rj.l2(0.3), weight=weight)
    np.testing.assert_allclose(fit.coefficients, w, atol=1e-9)
    assert fit.intercept == pytest.approx(c, abs=1e-8)
    np.testing.assert_allclose(fit(X), X @ w + c, atol=1e-8)


def test_a_path_of_ridge_is_its_fits_alone():
    for fit, strength in zip(ridge_fits(X, Y, [3.0, 0.3, 0.0]), (3.0, 0.3, 0.0), strict=True):
        w, c = closed_ridge(strength)
        np.testing.assert_allclose(fit.coefficients, w, atol=1e-8)
        assert fit.intercept == pytest.approx(c, abs=1e-7)


def test_lasso_by_two_solvers_and_scikit_learn():
    [first] = lasso_fits(X, Y, [0.2])
    second = fitted(X, Y, rj.from_sklearn("lasso", alpha=0.2))
    third = ElasticNet(alpha=0.2, l1_ratio=1.0, tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(first.coefficients, third.coef_, atol=1e-7)
    np.testing.assert_allclose(second.coefficients, third.coef_, atol=1e-7)
    assert first.value == pytest.approx(second.value, abs=1e-9)
    assert np.count_nonzero(first.coefficients) < 3


def test_standardized_columns_are_penalized_alike():
    mean, deviation = centre_and_scale(X)
    inside = fitted((X - mean) / deviation, Y, rj.l2(0.3))
    outside = fitted(X, Y, rj.l2(0.3), standardize=True)
    np.testing.assert_allclose(outside.coefficients * deviation, inside.coefficients, atol=1e-8)


def test_logistic_regression_is_that_of_scikit_learn():
    labels = (np.median(Y) < Y).astype(int)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X, labels)
    ours = fitted(X, labels, rj.from_sklearn("logistic", C=1.0, n=len(Y)), loss="binary")
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=1e-5)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_single_precision_is_refused_and_the_decorator_gives_double():
    with jax.enable_x64(False):
        with pytest.raises(RuntimeError, match="double precision"):
            fitted(X, Y)
        assert double_precision(fitted)(X, Y).coefficients.shape == (3,)


def test_r2_by_hand():
    assert r2(np.array([1.0, 1.0]), np.array([0.0, 2.0])) == 0.0
    assert r2(np.array([0.0, 2.0]), np.array([0.0, 2.0])) == 1.0
