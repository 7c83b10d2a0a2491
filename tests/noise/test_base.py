import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.core import random_bits as bits
from regjax.noise.base import apply_mask, checked_input, decision_shape, keep_mask, quantized, required_key

KEY = jax.random.key(0)


@settings(max_examples=50)
@given(st.floats(0, 1))
def test_expectation_is_exact(rate):
    # Over all 65536 values of a decision, the mean of the kept and scaled ones is x: no sampling error.
    dropped, keep = quantized(rate)
    assert abs(int(dropped) - rate * 65536) <= 0.51
    kept = np.count_nonzero(np.arange(65536) >= int(dropped))
    assert kept == float(keep) * 65536
    if kept:
        assert kept / 65536 * (1.0 / float(keep)) == pytest.approx(1.0, abs=1e-12)


def test_small_rates_are_not_rounded_up():
    # 16 bits: 0.01 is 655/65536 = 0.009995; 8 bits would make it 0.0117.
    assert float(quantized(0.01)[1]) == 1 - 655 / 65536


@pytest.mark.parametrize("rate", [0.25, 1.0, 2.0, -1.0])
def test_a_traced_rate_beyond_its_range_counts_as_its_end(rate):
    dropped, keep = jax.jit(quantized)(rate)
    within = min(max(rate, 0.0), 1.0)
    assert (int(dropped), float(keep)) == (round(65536 * within), 1 - within)


def test_a_decision_keeps_if_its_bits_reach_the_rate():
    mask, keep = keep_mask(KEY, (3, 4), 0.25)
    np.testing.assert_array_equal(mask, np.asarray(bits.random_u16(KEY, (3, 4))) >= 16384)
    assert keep == 0.75
    assert keep_mask(KEY, (5,), 0.0)[0].all()
    assert not keep_mask(KEY, (5,), 1.0)[0].any()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_what_is_kept_is_scaled_and_zero_is_not_divided_by(dtype):
    x, mask = jnp.array([1.0, 2.0, 3.0], dtype), jnp.array([True, False, True])
    out = apply_mask(x, mask, jnp.float32(0.5))
    assert out.dtype == dtype
    np.testing.assert_array_equal(np.asarray(out, np.float32), [2, 0, 6])
    value, gradient = jax.value_and_grad(lambda x: apply_mask(x, mask & False, jnp.float32(0.0)).sum())(x)
    assert value == 0
    assert not np.any(np.asarray(gradient, np.float32))


def test_shared_axes_have_one_decision():
    assert decision_shape("f", (2, 3, 4), ()) == (2, 3, 4)
    assert decision_shape("f", (2, 3, 4), (0, -1)) == (1, 3, 1)
    for axis in (3, -4):
        with pytest.raises(ValueError, match=rf"f: .* axes of x in \[-3, 3\), got {axis} for shape \(2, 3, 4\)"):
            decision_shape("f", (2, 3, 4), (axis,))


@pytest.mark.parametrize(
    ("x", "strength", "options", "message"),
    [
        (np.ones(2, np.float32), 1.5, {}, r"f: rate must be in \[0, 1\], got 1.5"),
        (np.ones(2, np.float32), -0.5, {"what": "stddev"}, "f: stddev must be >= 0.*, got -0.5"),
        (np.ones(2, np.float32), [0.1, 0.2], {}, r"f: rate must be one number, got shape \(2,\)"),
        (np.ones(2, np.int32), 0.5, {}, r"f: x must be floating point, got int32\[2\]"),
        (np.ones(2, np.float32), 0.5, {"rank": 2}, r"f: x must have at least 2 axes, got shape \(2,\)"),
    ],
)
def test_input_that_is_refused(x, strength, options, message):
    with pytest.raises(ValueError, match=message):
        checked_input("f", x, strength, **options)


def test_input_becomes_an_array():
    assert isinstance(checked_input("f", np.ones(2, np.float32), 3.0, what="stddev"), jax.Array)


def test_training_needs_a_key():
    assert required_key("f", KEY) is KEY
    with pytest.raises(ValueError, match=r"f: .* pass a key"):
        required_key("f", None)
