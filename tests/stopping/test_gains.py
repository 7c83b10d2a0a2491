import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.stopping.gains import RULES, arithmetic, bounded, join_float32, split_float32

numbers = st.floats(-3e38, 3e38).filter(lambda x: x == 0 or abs(x) > 1e-18)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(numbers | st.sampled_from([np.inf, -np.inf, np.nan]), min_size=1, max_size=5))
def test_a_float64_comes_back_exactly_from_its_float32_parts(values):
    with np.errstate(all="ignore"):
        number, remainder = split_float32(np, np.asarray(values))
    assert (number.dtype, remainder.dtype, remainder.shape) == (np.float32, np.float32, (len(values), 2))
    np.testing.assert_array_equal(join_float32(np, np.float64, number, remainder), values)


def test_what_float32_cannot_hold_is_infinite():
    assert bounded(np, np.float64(1e39)) == np.inf
    assert bounded(np, np.float64(-1e39)) == -np.inf
    assert bounded(np, np.float64(3e38)) == 3e38
    assert bounded(np, np.float64(3.4028235e38)) == 3.4028235e38
    assert bounded(np, np.float64(3.4028235677e38)) == 3.4028235677e38  # rounds to the largest number, not beyond


def test_known_numbers_are_float64_and_traced_ones_of_the_type_of_jax():
    assert arithmetic(1.0, jnp.float32(2.0)) == (np, np.float64)
    found = []
    jax.jit(lambda x: found.append(arithmetic(1.0, x)))(2.0)
    assert found == [(jnp, jnp.float32)]


@pytest.mark.parametrize("rule", RULES)
def test_a_lower_value_is_a_gain_and_a_higher_one_is_none(rule):
    def gain(value, reference, delta):
        given = (np.float64(value), np.float64(reference), np.float64(delta), np.asarray(False))
        return bool(RULES[rule].is_gain(*given))

    assert gain(0.5, 1.0, 0.25)
    assert not gain(1.5, 1.0, 0.25)
    assert not gain(0.9, 1.0, 0.25)
    assert gain(0.5, np.inf, 0.25)
    assert gain(-np.inf, 1.0, 0.0) == (rule != "regjax")  # ours is finite
    assert gain(np.nan, 1.0, 0.0) == (rule == "sklearn")  # which starts its count again
