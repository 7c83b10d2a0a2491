"""Augmentations of rows: counts by hand, expectation, and the ridge that feature dropout is."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from regjax.augment import feature_dropout, row_cutout

KEY = jax.random.key(0)


def test_row_cutout_covers_the_same_number_everywhere_and_each_feature_as_often():
    y = np.asarray(row_cutout(KEY, jnp.ones((5000, 10)), 0.32, fill=jnp.arange(10.0) + 2))
    covered = y != 1
    assert (covered.sum(1) == 3).all()
    np.testing.assert_array_equal(y[covered], (np.broadcast_to(np.arange(10.0) + 2, y.shape))[covered])
    # Chi-square at level 1e-6; without replacement the counts vary less than it expects.
    assert scipy.stats.chisquare(covered.sum(0)).pvalue > 1e-6
    pairs = {tuple(np.flatnonzero(row)) for row in covered}
    assert len(pairs) == 120  # of 10 choose 3: each missing with probability 120 (1 - 1/120)^5000 < 1e-16


def test_feature_dropout_keeps_the_expectation():
    y = np.asarray(feature_dropout(KEY, jnp.ones((20_000, 5)), 0.3))
    # The deviation of an entry is sqrt(0.3 / 0.7): 4.9 of the mean's, false alarm 1e-6.
    assert abs(y.mean() - 1) < 4.9 * np.sqrt(0.3 / 0.7 / y.size)
    assert not np.any(feature_dropout(KEY, jnp.ones((8, 5)), 1.0))


def test_feature_dropout_in_linear_regression_is_ridge():
    """E |y - Xd w|^2 = |y - X w|^2 + r / (1 - r) |G w|^2, with G = diag(X'X)^(1/2): solved on both sides."""
    rng = np.random.default_rng(0)
    x, rate = rng.normal(size=(30, 4)), 0.4
    y = x @ np.array([1.0, -2.0, 0.5, 0.0]) + rng.normal(size=30)
    weights = np.linalg.solve(x.T @ x + rate / (1 - rate) * np.diag(np.diag(x.T @ x)), x.T @ y)
    many = jnp.broadcast_to(jnp.asarray(x, jnp.float32), (4000, 30, 4)).reshape(-1, 4)
    dropped = np.asarray(feature_dropout(KEY, many, rate), np.float64)
    solved = np.linalg.lstsq(dropped, np.tile(y, 4000), rcond=None)[0]
    # 120000 rows: coefficients have errors near 0.005.
    np.testing.assert_allclose(solved, weights, atol=0.03)
