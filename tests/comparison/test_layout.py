import numpy as np
import pytest

from regjax.analysis import run_interval
from regjax.comparison.layout import Layout
from regjax.report.reach import FEWEST_UNITS


@pytest.mark.parametrize(
    ("splits", "groups", "grouped"),
    [([0, 0, 0, 0], 4, [1, 2, 3, 5]), ([0, 0, 1, 1], 2, [3, 8]), ([0, 1, 2, 3], 4, [1, 2, 3, 5])],
)
def test_the_runs_of_several_splits_are_summed(splits, groups, grouped):
    layout = Layout(np.array(splits), None)
    assert layout.groups == groups
    assert layout.grouped([1, 2, 3, 5]).tolist() == grouped
    assert layout.unit * layout.grouped([1, 2, 3, 5]).mean() == pytest.approx(np.mean([1, 2, 3, 5]))


def test_fewer_than_four_units_have_no_interval():
    """Of three, not even all right against all wrong excludes 0: t_2 / 3 is 1.43. Of four, t_3 / 4 is 0.80."""
    for units in range(1, 6):
        examples = np.repeat(np.arange(units), 4)
        layout = Layout(np.zeros(6, int), np.tile(examples, (6, 1)))
        right = np.ones((6, 4 * units))
        mean, low, high = layout.interval(right, right)
        assert mean == 1
        if units < FEWEST_UNITS:
            assert np.isnan([low, high]).all()
            assert not run_interval(right, examples=layout.examples, counted=1.0).low > 0
        else:
            assert low > 0


def test_how_many_answers_differ():
    layout = Layout(np.arange(2), np.array([[0, 1, 2, 3], [0, 1, 4, 5]]))
    ones = np.ones((2, 4))
    assert layout.differing([[1, 0, 0, -1], [1, 0, 0, 0]], ones) == 3  # right answers, over all runs
    # Of another metric by example: number 0 in both runs and number 3, alike; all others do not differ.
    assert layout.differing([[2, 0, 0, -2], [2, 0, 0, 0]], ones) == pytest.approx(2)
    assert layout.differing([[8, 0, 0, 0], [8, 0, 1, 0]], ones) == pytest.approx(1, abs=0.05)
    # The common class moves the metric by less than half as much, so that its answers do not count.
    reaches = np.array([[4.0, 4, 4, 1], [4.0, 4, 4, 1]])
    assert layout.differing([[4, 0, 0, 1.5], [4, 0, 0, 1.5]], reaches) == pytest.approx(1)
    assert layout.differing([[-0.5, -0.5, -0.5, 1.5], [0, 0, 0, 1.5]], reaches) == 0  # a shift is no difference
    assert (layout.reach(reaches), layout.reach(None)) == (4.0, 0.0)


def test_the_examples_of_a_group_count_as_one():
    """Two runs of four groups; in the second, one group has three of the rows."""
    layout = Layout(np.arange(2), np.array([[7, 7, 3, 3], [5, 5, 5, 1]]))
    ones = np.ones((2, 4))
    assert layout.tested(ones) == 4
    # Sizes 2, 2, 3 and 1: mean square 4.5 over the squared mean 4.
    assert layout.reach(ones) == pytest.approx(4.5 / 4)
    assert Layout(np.arange(2), np.array([[7, 7, 3, 3], [5, 5, 1, 1]])).reach(ones) == 1
    # One example of each group is rare: the others of its group move nothing with it. Two of one group are.
    rare = np.array([[8.0, 1, 8, 1], [8.0, 1, 8, 1]])
    pairs = Layout(np.arange(2), np.array([[7, 7, 3, 3], [5, 5, 1, 1]]))
    assert pairs.reach(rare) == 8 * 1 * 2 / 4
    assert pairs.reach(np.array([[8.0, 8, 1, 1], [8.0, 8, 1, 1]])) == 8
    assert layout.differing([[1, 1, 0, 0], [0, 0, 0, 0]], ones) == 1
    assert layout.differing([[1, 1, -1, -1], [1, 1, 0, 0]], ones) == 3
    assert layout.differing([[1, -1, 0, 0], [0, 0, 0, 1]], ones) == 1  # right and wrong of one group add up to nothing
    interval = layout.interval([[1, 1, 0, 0], [1, 1, 1, 0]], ones)
    assert interval == run_interval(
        np.array([[1, 1, 0, 0], [1, 1, 1, 0]]), splits=[0, 1], examples=layout.examples, counted=4.5 / 4
    )
