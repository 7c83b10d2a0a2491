import numpy as np
import pytest

from regjax.comparison.layout import Layout


@pytest.mark.parametrize(
    ("splits", "groups", "grouped"),
    [([0, 0, 0, 0], 4, [1, 2, 3, 5]), ([0, 0, 1, 1], 2, [3, 8]), ([0, 1, 2, 3], 4, [1, 2, 3, 5])],
)
def test_the_runs_of_several_splits_are_summed(splits, groups, grouped):
    layout = Layout(np.array(splits), None)
    assert layout.groups == groups
    assert layout.grouped([1, 2, 3, 5]).tolist() == grouped
    assert layout.unit * layout.grouped([1, 2, 3, 5]).mean() == pytest.approx(np.mean([1, 2, 3, 5]))
