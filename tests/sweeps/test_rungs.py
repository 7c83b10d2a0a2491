import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.sweeps.rungs import Rung, epochs_in_all, halving_rungs, halving_trials


@pytest.mark.parametrize(
    ("arguments", "options", "rungs"),
    [
        ((81, 81), {"min_epochs": 1}, [(1, 81), (3, 27), (9, 9), (27, 3), (81, 1)]),  # as in table 1 of Hyperband
        ((64, 30), {"min_epochs": 10}, [(10, 64), (30, 21)]),
        ((64, 30), {"min_epochs": 30}, [(30, 64)]),
        ((8, 16), {"reduction": 2, "min_epochs": 1}, [(2, 8), (4, 4), (8, 2), (16, 1)]),  # no more trials
        ((2, 50), {}, [(50, 2)]),
        ((100, 4), {}, [(1, 100), (4, 33)]),
    ],
)
def test_rungs_by_hand(arguments, options, rungs):
    assert halving_rungs(*arguments, **options) == [Rung(*rung) for rung in rungs]


def test_epochs_by_hand():
    """Each trial trains on from where it was: 64 times 10, and 21 times the other 20."""
    assert epochs_in_all(halving_rungs(64, 30, min_epochs=10)) == 64 * 10 + 21 * 20


trials, epochs, reductions = st.integers(1, 300), st.integers(1, 200), st.integers(2, 5)


@given(trials, epochs, reductions)
def test_rungs_rise_to_the_whole_training_and_one_trial_reaches_it(trials, epochs, reduction):
    rungs = halving_rungs(trials, epochs, reduction=reduction)
    assert (rungs[-1].epochs, rungs[0].trials) == (epochs, trials)
    assert rungs[-1].trials >= 1
    assert rungs[0].epochs >= max(1, epochs // reduction**3)
    for low, high in itertools.pairwise(rungs):
        assert low.epochs < high.epochs
        assert high.trials == low.trials // reduction
    assert epochs_in_all(rungs) <= trials * epochs


@given(st.integers(1, 40), st.integers(1, 60), reductions)
def test_as_many_trials_as_a_budget_has_room_for(whole, epochs, reduction):
    budget = whole * epochs
    count = halving_trials(budget, epochs, reduction=reduction)

    def cost(count):
        return epochs_in_all(halving_rungs(count, epochs, reduction=reduction))

    assert cost(count) <= budget
    assert all(cost(more) > budget for more in range(count + 1, budget + 1))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 5), {}, "trials"),
        ((5, 0), {}, "epochs"),
        ((5, 5), {"reduction": 1}, "reduction"),
        ((5, 5), {"min_epochs": 6}, r"min_epochs must be in \[1, 5\]"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        halving_rungs(*arguments, **options)


def test_a_budget_below_one_training_is_refused():
    with pytest.raises(ValueError, match="budget must be >= 30"):
        halving_trials(29, 30)
