"""The regressor: its optimum is that of ridge regression and the lasso, in the units of the caller."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, PoissonRegressor, Ridge
from sklearn.preprocessing import StandardScaler

from regjax.sklearn import RegularizedRegressor

pytestmark = pytest.mark.slow

X, Y = load_diabetes(return_X_y=True)
SCALED = StandardScaler().fit_transform(X)


def linear(**options):
    chosen = {"learning_rate_init": 0.05, "max_iter": 2000, "batch_size": len(X), "random_state": 0} | options
    return RegularizedRegressor((), **chosen)


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_without_hidden_layers_it_is_ridge_regression(strength):
    """The mean squared error with `s |w|^2` is the sum with `n s |w|^2`; targets are divided by their deviation."""
    oracle = Ridge(alpha=strength * len(X)).fit(SCALED, Y)
    ours = linear(penalty=f"l2({strength})").fit(X, Y)
    np.testing.assert_allclose(ours.predict(X), oracle.predict(SCALED), atol=0.02 * Y.std())


def test_a_proximal_l1_penalty_is_the_lasso_with_its_zeros():
    """Of the same form with half the error, so `alpha = s / 2` in units of the deviation of the targets."""
    strength = 0.2
    oracle = Lasso(alpha=strength / 2 * Y.std(), tol=1e-10, max_iter=100_000).fit(SCALED, Y)
    ours = linear(penalty=f"l1({strength})", penalty_mode="proximal", learning_rate_init=0.01).fit(X, Y)
    kernel = ours.weights_.params["output"]["kernel"][:, 0]
    np.testing.assert_array_equal(kernel == 0, oracle.coef_ == 0)
    np.testing.assert_allclose(kernel * Y.std(), oracle.coef_, atol=0.02 * Y.std())


def test_several_targets_are_several_columns_in_their_own_units():
    both = np.stack([Y, 1000.0 * Y + 7.0], axis=1)
    found = linear(max_iter=500).fit(X, both).predict(X)
    assert found.shape == both.shape
    # The weights begin elsewhere for each target and have not quite reached the optimum.
    np.testing.assert_allclose(found[:, 1], 1000.0 * found[:, 0] + 7.0, atol=0.05 * both[:, 1].std())


def test_counts_are_predicted_by_an_exponential():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(0.5 * SCALED[:, 2] + 0.3))
    oracle = PoissonRegressor(alpha=0.02, tol=1e-8, max_iter=1000).fit(SCALED, counts)
    ours = linear(loss="poisson", penalty="l2(0.01)").fit(X, counts)
    np.testing.assert_allclose(ours.predict(X), oracle.predict(SCALED), rtol=0.03)


def test_a_quantile_has_its_share_of_the_targets_below():
    model = linear(loss="quantile", loss_parameter=0.8, learning_rate_init=0.01).fit(X, Y)
    assert np.mean(model.predict(X) > Y) == pytest.approx(0.8, abs=0.03)
