import jax
import numpy as np
import pytest

from regjax.data import Preprocessor, Standardization


@pytest.mark.parametrize("standardize", ["feature", "channel", "none", "global"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_program_standardizes_as_the_host_does(standardize, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (9, 4, 4, 3)).astype(dtype) if dtype == np.uint8 else rng.random((9, 4, 4, 3), dtype)
    made = Preprocessor.fit(x, "image", standardize=standardize)
    expected = (x / np.float64(255 if dtype == np.uint8 else 1) - made.mean) / made.scale
    np.testing.assert_allclose(made.transform(x), expected, rtol=1e-5, atol=1e-6)
    compiled = jax.jit(lambda standardization, x: standardization.apply(x))(made.standardization, x)
    np.testing.assert_allclose(compiled, made.transform(x), rtol=1e-6, atol=1e-7)


def test_missing_numbers_are_filled_before_they_are_standardized():
    made = Standardization(np.float32(1.0), np.float32(2.0), fill=np.float32(5.0))
    x = np.array([[np.nan, 3.0]], np.float32)
    np.testing.assert_array_equal(made.apply(x), [[2.0, 1.0]])
    np.testing.assert_array_equal(jax.jit(made.apply)(x), [[2.0, 1.0]])
    assert made.targets(x) is x
