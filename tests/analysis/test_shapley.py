import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.analysis import shapley_design


def by_orders(parts, value):
    """The definition: the mean of what a part adds over all orders."""
    out = np.zeros(parts)
    for order in itertools.permutations(range(parts)):
        for before, part in enumerate(order):
            out[part] += value(frozenset(order[: before + 1])) - value(frozenset(order[:before]))
    return out / math.factorial(parts)


def game(parts, seed):
    """A value for each subset, at random."""
    values = np.random.default_rng(seed).normal(size=2**parts)
    return lambda subset: float(values[sum(2**i for i in subset)])


def test_contributions_by_hand():
    """The gloves of a textbook: one left glove, two right ones, a pair is worth 1."""
    design = shapley_design(3, 8)
    found = design.contributions(lambda subset: float(0 in subset and len(subset) > 1))
    assert design.orders is None
    assert len(design.subsets) == 8
    np.testing.assert_allclose(found, [2 / 3, 1 / 6, 1 / 6])


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_all_subsets_give_the_mean_over_all_orders(parts, seed):
    value = game(parts, seed)
    found = shapley_design(parts, 2**parts).contributions(value)
    np.testing.assert_allclose(found, by_orders(parts, value), atol=1e-12)
    assert found.sum() == pytest.approx(value(frozenset(range(parts))) - value(frozenset()))


@settings(max_examples=20)
@given(st.integers(5, 9), st.integers(12, 31), st.integers(0, 10_000))
def test_orders_keep_to_the_limit_and_the_sum(parts, most, seed):
    design, value = shapley_design(parts, most, seed), game(parts, seed)
    assert design.orders is not None
    assert len(design.subsets) <= max(most, 2 * parts)
    assert {frozenset(), frozenset(range(parts))} <= set(design.subsets)
    total = value(frozenset(range(parts))) - value(frozenset())
    assert design.contributions(value).sum() == pytest.approx(total)


def test_pairs_of_orders_are_exact_where_parts_interact_two_at_a_time():
    """An order and its reverse: of each pair of parts either comes first once."""
    rng = np.random.default_rng(0)
    alone, both = rng.normal(size=8), rng.normal(size=(8, 8))

    def value(subset):
        return sum(alone[i] for i in subset) + sum(both[i, j] for i in subset for j in subset if i < j)

    found = shapley_design(8, 16, seed=3).contributions(value)
    pairs = [sum(both[min(i, j), max(i, j)] for j in range(8) if j != i) for i in range(8)]
    np.testing.assert_allclose(found, alone + np.array(pairs) / 2)


def test_random_orders_have_the_right_expectation():
    """The mean of 400 designs: each of 6 values is within 4.5 standard errors; a false alarm in 1 of 24,000."""
    value = game(6, 1)
    found = np.array([shapley_design(6, 14, seed).contributions(value) for seed in range(400)])
    error = found.std(axis=0, ddof=1) / 20
    assert np.all(np.abs(found.mean(axis=0) - by_orders(6, value)) < 4.5 * error)
    assert np.all(error > 0)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="parts"):
        shapley_design(0, 4)
    with pytest.raises(ValueError, match="most"):
        shapley_design(2, 1)
