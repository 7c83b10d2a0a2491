"""Glmnet's vignette: the grid, the interpolation, and the scale of the ridge term, on data whose answer is known."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from experiments.reproduce import glmnet_vignette as module
from regjax.core.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)) * [1.0, 2.0, 3.0, 0.5] + 1.0
Y = 4 * (X @ [1.0, 0.5, 0.0, -1.0] + RNG.normal(size=50))
ALIKE = np.ones(50)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def test_at_the_largest_lambda_all_coefficients_are_zero_and_just_below_one_is_not():
    largest = module.largest_lambda(X, Y, 0.5, ALIKE)
    above, below = module.elastic_net(X, Y, np.array([1.0001, 0.99]) * largest, 0.5, ALIKE)
    assert np.count_nonzero(above.coefficients) == 0
    assert np.count_nonzero(below.coefficients) == 1
    assert above.intercept == pytest.approx(Y.mean(), abs=1e-9)


@pytest.mark.parametrize("alpha", [1.0, 0.2])
def test_the_elastic_net_is_that_of_scaled_targets(alpha):
    """As glmnet computes: columns and `y` with variance one, `lambda` divided by the standard deviation of `y`."""
    scale = Y.std()
    inside = (X - X.mean(0)) / X.std(0)
    theirs = ElasticNet(alpha=0.7 / scale, l1_ratio=alpha, tol=1e-12, max_iter=100_000).fit(inside, Y / scale)
    [fit] = module.elastic_net(X, Y, np.array([0.7]), alpha, ALIKE)
    np.testing.assert_allclose(fit.coefficients * X.std(0), scale * theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(fit(X), scale * theirs.predict(inside), atol=1e-6)


def test_weights_count_as_repeated_examples():
    weight = np.repeat([1.0, 2.0], 25)
    rows = np.repeat(np.arange(50), weight.astype(int))
    [one] = module.elastic_net(X, Y, np.array([0.5]), 0.2, weight)
    [other] = module.elastic_net(X[rows], Y[rows], np.array([0.5]), 0.2, np.ones(75))
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-7)


def test_a_penalty_between_two_of_the_grid():
    pair, left = module.between(np.array([8.0, 4.0, 2.0]), 2.5)
    np.testing.assert_array_equal(pair, [4.0, 2.0])
    assert left == 0.25
    np.testing.assert_allclose(module.grid(3.0, 3, 1e-2), [3.0, 0.3, 0.03])


def test_tables_with_commas_or_spaces_and_without_a_file(tmp_path):
    (tmp_path / "a.dat").write_text("1,2\n3,4\n")
    (tmp_path / "b.dat").write_text(" 1e0 2\n3 4\n")
    np.testing.assert_array_equal(module.table(tmp_path, "a"), module.table(tmp_path, "b"))
    with pytest.raises(InputError, match="--data is the folder data of"):
        module.table(tmp_path, "c")
