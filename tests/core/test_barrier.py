import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.barrier import opaque_call

KEY = jax.random.key(0)
X = jnp.arange(4.0)


def shift(key, x, magnitude, offset):
    """Not the identity at magnitude 0, to see whether it is skipped there."""
    return x + magnitude * jax.random.uniform(key) + offset


def square(key, x, magnitude):
    del key
    return magnitude * x**2


def test_the_step_gets_its_arguments_in_order():
    expected = X + 2.0 * jax.random.uniform(KEY) + 5.0
    np.testing.assert_allclose(opaque_call(shift, KEY, X, 2.0, 5.0), expected, rtol=1e-6)


@pytest.mark.parametrize("magnitude", [0.0, -1.0])
def test_a_processor_skips_the_step_at_magnitude_zero(magnitude):
    np.testing.assert_array_equal(opaque_call(shift, KEY, X, magnitude, 5.0), X)


def test_the_derivative_is_that_of_the_step():
    gradient = jax.grad(lambda x, m: jnp.sum(opaque_call(square, KEY, x, m)), argnums=(0, 1))(X, jnp.float32(3.0))
    np.testing.assert_allclose(gradient[0], 6 * X)  # of 3 x^2
    np.testing.assert_allclose(gradient[1], jnp.sum(X**2))


def lowered(magnitude, platform):
    call = jax.jit(lambda x: opaque_call(square, KEY, x, magnitude))
    return call.trace(X).lower(lowering_platforms=(platform,)).as_text()


def test_the_barrier_is_for_the_cpu_alone_and_outlives_a_constant_magnitude():
    assert "optimization_barrier" in lowered(1.0, "cpu")
    assert "optimization_barrier" not in lowered(1.0, "cuda")
