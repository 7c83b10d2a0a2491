import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.averaging import parse_average
from regjax.averaging.base import Average, AverageState, averaged_params, is_averaged, update_count


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_average("emma(0.9)"), "did you mean 'ema'"),
        (lambda: parse_average("ema(0.9) + swa(3)"), "number of averages must be in"),
    ],
)
def test_errors_of_the_text_name_what_is_accepted(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_average_starts_at_the_parameters_in_float32_at_least():
    params = {"w": jnp.array([0.5, 2.0], jnp.bfloat16), "steps": jnp.int32(3), "b": 1.5}
    state = Average().init(params)
    assert int(state.count) == 0
    assert state.average["w"].dtype == state.average["b"].dtype == jnp.float32
    assert state.average["steps"].dtype == jnp.int32
    np.testing.assert_array_equal(state.average["w"], [0.5, 2.0])


def test_what_is_evaluated_has_the_dtypes_of_the_weights():
    like = {"w": jnp.ones(2, jnp.bfloat16)}
    state = AverageState(jnp.int32(1), {"w": jnp.array([0.5, 1 + 2**-20])})
    for weights in (state.evaluated(like), averaged_params(state, like)):
        assert weights["w"].dtype == jnp.bfloat16
        np.testing.assert_array_equal(np.asarray(weights["w"], np.float32), [0.5, 1.0])


def test_counters_and_keys_are_not_averaged():
    leaves = (jnp.ones(1), jnp.ones(1, jnp.complex64), jnp.ones(1, jnp.int32), jnp.ones(1, bool), jax.random.key(0))
    assert [is_averaged(leaf) for leaf in leaves] == [True, True, False, False, False]


def test_numbers_of_updates_are_whole_and_one_type():
    counts = [update_count("f: n", value) for value in (3, 3.0, np.int64(3))]
    assert {(type(count), count.dtype, int(count)) for count in counts} == {(np.ndarray, np.dtype(np.int32), 3)}
    traced = jnp.int32(2)
    assert update_count("f: n", traced) is traced
    for value, message in ((0, "f: n must be >= 1, got 0"), (2.5, "f: n must be a whole number .* got 2.5")):
        with pytest.raises(ValueError, match=message):
            update_count("f: n", value)


def test_a_rule_without_an_update_or_a_schedule():
    assert Average().schedule_shape() is None
    with pytest.raises(NotImplementedError):
        Average().update(Average().init(jnp.ones(1)), jnp.ones(1))
