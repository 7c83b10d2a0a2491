"""The best constants, against a search over all constants."""

import numpy as np
import pytest
from scipy.optimize import minimize

from regjax.catalog import LOSSES
from regjax.core.errors import InputError
from regjax.losses import best_constant, constant_losses

RNG = np.random.default_rng(0)
NUMBERS = RNG.gamma(1.0, size=(31, 2)).astype(np.float32)
CLASSES = RNG.choice(3, 40, p=[0.6, 0.3, 0.1])
EXAMPLES = {"classification": CLASSES, "regression": NUMBERS, "multilabel": (NUMBERS > 1).astype(np.float32)}


@pytest.mark.parametrize(
    ("loss", "parameter"),
    [*((loss, None) for loss in LOSSES), ("huber", 0.2), ("quantile", 0.9), ("focal", 0.5), ("focal", 0.0)],
)
def test_no_other_constant_has_a_lower_loss(loss, parameter):
    y = {"classification": CLASSES, "regression": NUMBERS, "multilabel": (NUMBERS > 1).astype(np.float32)}[
        LOSSES[loss].task
    ]
    found = best_constant(loss, y, parameter, 3)
    least = constant_losses(loss, found, y, parameter).mean()
    search = minimize(lambda c: constant_losses(loss, c, y, parameter).mean(), found + 0.3, method="Nelder-Mead")
    assert least == pytest.approx(search.fun, rel=1e-4)
    assert least <= search.fun + 1e-6


def test_the_loss_of_a_constant_by_hand():
    assert best_constant("mae", np.array([1.0, 2.0, 9.0])) == 2.0
    np.testing.assert_allclose(constant_losses("mae", np.array(2.0), np.array([1.0, 2.0, 9.0])), [1, 0, 7])
    np.testing.assert_allclose(
        np.exp(best_constant("cross_entropy", np.array([0, 0, 1, 0]), None, 3)), [0.75, 0.25, 1e-12]
    )


def test_an_unknown_loss_is_refused():
    with pytest.raises(InputError, match=r"loss 'mes' is not known \(did you mean 'mse'\?\)"):
        best_constant("mes", NUMBERS)


def test_weights_of_classes_move_the_constant():
    """Three to one with weights one to three is even; focal loss keeps that."""
    y = np.array([0, 0, 0, 1])
    for loss in ("cross_entropy", "focal"):
        found = np.exp(best_constant(loss, y, num_classes=2, class_weights=np.array([1.0, 3.0])))
        np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-6)


def test_a_label_that_no_example_or_every_one_has_keeps_finite_odds():
    y = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    found = best_constant("binary_cross_entropy", y)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), [0, 1, 0.5], atol=1e-9)
