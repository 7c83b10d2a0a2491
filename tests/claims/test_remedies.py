import numpy as np

from regjax.claims.remedies import removed_units
from regjax.training.state import Weights


def test_a_unit_is_removed_if_nothing_enters_or_leaves_it():
    into = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])  # nothing enters the second unit
    out = np.array([[1.0], [1.0], [0.0], [2.0]])  # nothing leaves the third
    weights = Weights({"hidden_0": {"kernel": into}, "output": {"kernel": out}}, {})
    assert removed_units(weights) == 50.0
