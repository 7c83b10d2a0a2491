import numpy as np

from regjax.claims.left_out import EXAMPLES, WIDTHS, _dropout_is_ridge, _random_features, _stopping_is_ridge


def test_the_chosen_ridge_is_no_worse_than_least_squares_where_that_explodes():
    found = _random_features(0)
    at = WIDTHS.index(EXAMPLES)
    assert found["no penalty"][at] > 5 * found["ridge, chosen"][at]
    assert all(len(errors) == len(WIDTHS) for errors in found.values())


def test_dropout_is_not_least_squares():
    effects = _dropout_is_ridge([0, 1]).effects
    assert np.all(effects["against that ridge"] < 3)
    assert np.all(effects["against least squares"] > 10)


def test_stopping_stays_within_the_bound_that_is_proven_for_ridge():
    """The bound of Ali, Kolter and Tibshirani is for the mean over targets; single runs have a wide margin to it."""
    effects = _stopping_is_ridge([0, 1, 2]).effects
    assert set(effects) == {"independent columns", "correlation 0.8"}
    assert all((one > 0).all() and (one < 169).all() for one in effects.values())
