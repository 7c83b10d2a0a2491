import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.dtypes import canonical, float_dtype, wide_dtype, widened


@pytest.mark.parametrize(("x64", "expected"), [(False, np.float32), (True, np.float64)])
def test_numbers_of_the_user_follow_x64(x64, expected):
    with jax.enable_x64(x64):
        assert float_dtype() == expected
        made = [canonical(value) for value in (1, 0.5, np.float64(0.5), np.float16(0.5), [0.5, 2.0])]
        assert {array.dtype for array in made} == {np.dtype(expected)}
        assert all(isinstance(array, np.ndarray) for array in made)


def test_a_jax_array_is_the_same_object():
    value = jnp.ones(2, jnp.bfloat16)
    assert canonical(value) is value


def test_numbers_of_any_origin_share_one_compiled_program():
    traces = []
    double = jax.jit(lambda x: traces.append(x) or 2 * x)
    assert {float(double(canonical(value))) for value in (0.5, np.float64(0.5), np.float32(0.5))} == {1.0}
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("dtypes", "wide"),
    [
        (["bfloat16"], "float32"),
        (["int32"], "float32"),
        (["float16", "bfloat16"], "float32"),
        (["complex64"], "float32"),
        (["float32", "float64"], "float64"),
        (["float16", "complex128"], "float64"),
    ],
)
def test_computation_is_in_float32_at_least_and_real(dtypes, wide):
    with jax.enable_x64(True):
        arrays = [jnp.ones(2, dtype) for dtype in dtypes]
        assert wide_dtype(*arrays) == wide
        assert jnp.finfo(widened(sum(arrays)).dtype).dtype == wide


def test_complex_arrays_stay_complex():
    np.testing.assert_array_equal(widened(jnp.array([1 + 2j])), np.array([1 + 2j], np.complex64))
