import dataclasses

import pytest

from regjax.analysis import Interval
from regjax.comparison.row import spread
from tests.comparison.made import GAIN, row


def test_a_spread_has_the_values_and_their_interval():
    made = spread(iter([1, 2.0, 3.0]), Interval(2.0, 1.5, 2.5))
    assert (made.mean, made.ci95, made.values) == (2.0, (1.5, 2.5), (1.0, 2.0, 3.0))
    assert all(isinstance(value, float) for value in made.values)


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        row("l2", GAIN).name = "l1"
