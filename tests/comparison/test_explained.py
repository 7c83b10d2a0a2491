"""D², against scikit-learn."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import d2_absolute_error_score, d2_pinball_score, d2_tweedie_score, r2_score

from regjax.comparison.explained import d2_of, explained, least_loss
from regjax.data import Preprocessor
from regjax.losses import ChosenLoss

RNG = np.random.default_rng(0)
Y = RNG.poisson(4.0, 200).astype(np.float32)
GUESS = (Y + RNG.gamma(1.0, size=200)).astype(np.float32) / 2 + 1
X = np.zeros((200, 1), np.float32)
PLAIN = Preprocessor.fit(X, "table", y_train=Y, task="regression")
COUNTS = dataclasses.replace(Preprocessor.fit(X, "table", task="regression"), link="log")


@pytest.mark.parametrize(
    ("loss", "preprocessor", "oracle"),
    [
        (ChosenLoss("mse"), PLAIN, r2_score),
        (ChosenLoss("mae"), PLAIN, d2_absolute_error_score),
        (ChosenLoss("quantile", 0.9), PLAIN, lambda y, p: d2_pinball_score(y, p, alpha=0.9)),
        (ChosenLoss("poisson"), COUNTS, lambda y, p: d2_tweedie_score(y, p, power=1)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_d2_equals_sklearn(loss, preprocessor, oracle):
    """In the units of the targets, whatever the loss makes of them."""
    assert d2_of(loss, preprocessor, GUESS, Y) == pytest.approx(oracle(Y, GUESS), abs=2e-3)


def test_the_best_constant_explains_nothing_and_a_constant_target_has_a_unit():
    assert d2_of(ChosenLoss("mae"), PLAIN, np.full_like(Y, np.median(Y)), Y) == pytest.approx(0.0, abs=1e-6)
    assert least_loss(ChosenLoss("mae"), np.ones(5)) == 1.0
    np.testing.assert_array_equal(explained(np.array([0.0, 2.0, 4.0]), 2.0), [1.0, 0.0, -1.0])


def test_a_rate_of_nothing_is_finite():
    assert np.isfinite(d2_of(ChosenLoss("poisson"), COUNTS, np.zeros_like(Y), Y))
