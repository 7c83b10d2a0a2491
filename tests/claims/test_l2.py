import numpy as np
import pytest

from regjax.claims.l2 import imbalance, norm, standardized, zero_share
from regjax.claims.linear import Design
from regjax.training.state import Weights

WEIGHTS = Weights(
    {
        "hidden_0": {"kernel": np.array([[3.0, 0.0], [0.0, 0.0]]), "bias": np.array([7.0, 7.0])},
        "output": {"kernel": np.array([[4.0], [0.0]]), "bias": np.array([9.0])},
    },
    {},
)


def test_zeros_and_norm_leave_biases_out():
    assert zero_share(WEIGHTS) == pytest.approx(100 * 4 / 6)
    assert norm(WEIGHTS) == 5.0


def test_imbalance_of_pairs():
    assert imbalance([[1.0, 1.0], [2.0, 0.0], [3.0, -1.0], [0.0, 0.0]]).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_standardizing_changes_neither_predictions_nor_errors():
    sample = Design((1.0, 2.0), n=30, scales=(0.01, 100.0)).draw(0)
    changed, scale = standardized(sample)
    np.testing.assert_allclose(changed.x.std(axis=0), 1.0)
    w = np.array([0.3, -0.4])
    np.testing.assert_allclose(changed.x @ (w * scale), sample.x @ w)
    assert float(changed.excess(w * scale)) == pytest.approx(float(sample.excess(w)))
