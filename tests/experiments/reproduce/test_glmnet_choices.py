"""Choices by cross-validation as glmnet makes them."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from experiments.reproduce import glmnet_choices as module
from experiments.reproduce.convex import double_precision

LAMBDAS = np.array([4.0, 3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("errors", "least", "within"),
    [
        ([[9, 5, 3, 4], [9, 5, 3, 4]], 2.0, 2.0),  # without spread
        ([[9, 3.5, 1, 4], [9, 4.5, 5, 4]], 2.0, 3.0),  # the lowest mean, 3, has a standard error of 2
        ([[9, 5, 3, 3], [9, 5, 3, 3]], 2.0, 2.0),  # of equal means the larger penalty
    ],
)
def test_the_lowest_mean_and_the_largest_within_a_standard_error(errors, least, within):
    assert module.chosen(np.array(errors, float), LAMBDAS) == {"lambda_min": least, "lambda_1se": within}


def test_ties_count_half():
    assert module.share_larger(np.array([1.0, 2.0, 2.0 + 1e-9, 3.0]), 2.0) == 0.5


@double_precision
def test_the_path_is_the_lasso_of_scikit_learn_on_standardized_columns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)) * [1, 2, 3, 4, 5], rng.normal(size=40)
    y += x[:, 1]
    made = np.asarray(module.path_of(1, binary=False)(x[:30], y[:30, None], np.array([0.5, 0.1]), x[30:]))
    mean, deviation = x[:30].mean(axis=0), x[:30].std(axis=0)
    for alpha, values in zip((0.5, 0.1), made, strict=True):
        fit = Lasso(alpha=alpha, tol=1e-10).fit((x[:30] - mean) / deviation, y[:30])
        np.testing.assert_allclose(values[:, 0], fit.predict((x[30:] - mean) / deviation), atol=1e-5)
