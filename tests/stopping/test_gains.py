import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.stopping.gains import RULES, arithmetic, bounded, join_float32, rounded_like, split_float32

numbers = st.floats(-3e38, 3e38).filter(lambda x: x == 0 or abs(x) > 1e-18)


@settings(max_examples=300)
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


def gain(rule, value, reference, delta, first=False, kind=np.float64):
    return bool(RULES[rule].is_gain(kind(value), kind(reference), kind(delta), np.asarray(first)))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_a_gain_of_exactly_min_delta_counts_for_sklearn_alone(rule, kind):
    assert gain(rule, 0.75, 1.0, 0.25, kind=kind) == (rule == "sklearn")
    assert gain(rule, 0.625, 1.0, 0.25, kind=kind)
    assert not gain(rule, 0.875, 1.0, 0.25, kind=kind)
    assert gain(rule, -1.25, -0.5, 0.25, kind=kind)
    assert not gain(rule, -0.625, -0.5, 0.25, kind=kind)
    assert gain(rule, 1.0, 1.0, 0.0, kind=kind) == (rule == "sklearn")


def test_which_rules_round_to_float32():
    """A gain of 1e-9 at 1 is lost there."""
    for rule in RULES:
        assert gain(rule, 1.0 - 1e-9, 1.0, 0.0) == (rule not in ("keras", "lightning")), rule
    # 3000 - 1e-4 is 3000 in float32: scikit-learn's own formula would call a plateau a gain there.
    assert not gain("sklearn", 3000.0, 3000.0, 1e-4, kind=np.float32)
    # Keras adds, then rounds; Lightning rounds both, then adds in float32.
    value, reference, delta = 1.0, np.float32(1.0) + 2.0**-23, 2.0**-24
    assert not gain("lightning", value, np.float64(reference) + 2.0**-23, 2.0**-23 + 2.0**-24)
    assert gain("keras", value, reference, delta)


def test_the_first_value_is_a_gain_for_keras_and_an_infinite_reference_makes_one_for_flax():
    for rule in RULES:
        assert gain(rule, 2.0, 1.0, 0.0, first=True) == (rule == "keras"), rule
        assert gain(rule, np.nan, np.inf, 0.0) == (rule in ("flax", "sklearn")), rule
        assert gain(rule, 1.0, -np.inf, 0.0) == (rule == "flax"), rule


def test_what_a_rule_has_besides():
    assert [name for name in RULES if RULES[name].allows_one_more] == ["flax", "sklearn"]
    assert [name for name in RULES if RULES[name].passes_limits] == ["lightning"]
    assert [name for name in RULES if RULES[name].moves] == ["sklearn"]
    moves = RULES["sklearn"].moves
    assert (moves(0.5, 1.0), moves(1.0, 1.0), moves(1.5, 1.0)) == (True, False, False)


def test_the_parts_of_a_float64_add_up():
    """By hand: 1 + 2^-30 needs two float32 numbers, a third needs three."""
    number, remainder = split_float32(np, np.asarray([1 + 2.0**-30, -3.0]))
    np.testing.assert_array_equal(number, [1, -3])
    np.testing.assert_array_equal(remainder, [[2.0**-30, 0], [0, 0]])
    third = 1 / 3
    number, remainder = split_float32(np, np.asarray([third]))
    first = np.float32(third - np.float64(np.float32(third)))
    np.testing.assert_array_equal(remainder, [[first, third - np.float64(np.float32(third)) - np.float64(first)]])
    parts = join_float32(np, np.float64, np.asarray([1.0]), np.asarray([[0.25, 0.5]]))
    assert (parts.tolist(), parts.dtype) == ([1.75], np.float64)


def test_a_limit_has_the_type_of_the_value_if_that_is_a_float():
    number = np.asarray(0.9)
    assert rounded_like(number, np.float32(0)) == np.float64(np.float32(0.9))
    assert rounded_like(number, jnp.bfloat16(0)) == float(jnp.bfloat16(0.9))
    for value in (0.0, 1, np.int32(1), np.float64(0)):
        assert rounded_like(number, value) == 0.9


def test_what_is_not_finite_has_no_remainder():
    with np.errstate(invalid="ignore"):
        number, remainder = split_float32(np, np.asarray([np.inf, -np.inf, np.nan]))
    np.testing.assert_array_equal(number, [np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(remainder, np.zeros((3, 2)))
