"""The identities on problems of their own, and what would break them."""

import math

import jax
import numpy as np
import pytest

from experiments.reproduce import identities as module
from experiments.reproduce.convex import double_precision


@pytest.fixture
def problem():
    with jax.enable_x64(True):
        yield module.design(seed=7)


def test_the_design_has_its_singular_values_and_centred_columns(problem):
    x, basis, _ = problem
    np.testing.assert_allclose(np.linalg.svd(x, compute_uv=False), module.singular_values(), rtol=1e-10)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(basis.T @ basis, np.eye(module.D), atol=1e-12)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_dropout_on_inputs_is_ridge_over_all_masks(problem, keep):
    x, _, y = problem
    w = np.linspace(-1, 2, module.D)
    assert module.over_all_masks(x, y, w, keep) == pytest.approx(module.dropout_formula(x, y, w, keep), rel=1e-12)
    assert module.over_all_masks(x, y, w, 0.5) != pytest.approx(module.dropout_formula(x, y, w, keep), rel=1e-3)


def test_one_column_by_hand():
    """Y = 0, x = 2, w = 3, keep 1/4: the prediction is 24 with probability 1/4, so 144 = 36 + 3 * 36."""
    x, y, w = np.array([[2.0]]), np.zeros(1), np.array([3.0])
    assert module.over_all_masks(x, y, w, 0.25) == pytest.approx(144)
    assert module.dropout_formula(x, y, w, 0.25) == pytest.approx(144)


def test_descent_is_its_closed_form(problem):
    x, basis, y = problem
    size = module.STEP / module.D2.max()
    fit = module.descent(x, y, np.array([500 * size]))[0]
    np.testing.assert_allclose(module.shrinkage(basis, fit, y), 1 - (1 - size * module.D2) ** 500, rtol=1e-8)


def test_the_ratio_of_the_formulas():
    assert module.ratio(1e-9) == pytest.approx(1)
    assert module.ratio(1e9) == pytest.approx(1)
    assert module.ratio(1.0) == pytest.approx(2 * (1 - math.exp(-1)))
    grid = np.geomspace(1e-4, 1e4, 20_001)
    assert module.largest_ratio() == pytest.approx(max(map(module.ratio, grid)), abs=1e-6)


def test_risks_by_hand():
    left, signal = np.full(module.D, 0.5), np.ones(module.D)
    expected = module.D * 0.25 + np.sum(0.25 * 4 / module.D2)
    assert module.risks(left, signal, 2.0) == pytest.approx(expected)


def test_the_lasso_with_an_orthonormal_design_is_soft_thresholding():
    measured = {}
    double_precision(module.orthonormal)(measured)
    assert max(measured.values()) < 1e-8
    np.testing.assert_allclose(module.soft(np.array([-2.0, 0.5, 1.5]), 1.0), [-1, 0, 0.5])


def test_short_training_with_dropout_goes_towards_ridge(problem):
    x, _, y = problem
    distances = module.trained_with_dropout(x, y, 0.5, steps=2000)
    assert len(distances) == module.SEEDS
    assert np.mean(distances) < 0.2  # least squares is at distance 1


def test_decay_of_sgd_by_hand():
    """One update from zero is the gradient alone; the second shrinks the weights by 1 - 2 s rate first."""
    with jax.enable_x64(True):
        x, _, y = module.design()
        for mode, strength in (("coupled", 3.0), ("decoupled", 3.0), ("independent", 3.0 * 0.01)):
            first, second = module.trajectory("sgd", mode, strength, rate=0.01, steps=2)
            np.testing.assert_allclose(first, 0.01 * x.T @ y, rtol=1e-12)
            expected = first * (1 - 2 * 3.0 * 0.01) - 0.01 * x.T @ (x @ first - y)
            np.testing.assert_allclose(second, expected, rtol=1e-11, err_msg=mode)
