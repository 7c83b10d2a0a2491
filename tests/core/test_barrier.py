import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.barrier import after_all, opaque_call

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


def test_arrays_that_wait_for_each_other_keep_their_bits():
    tree = {
        "odd": jnp.array([jnp.nan, -0.0, jnp.inf, -1e-42]),
        "half": jnp.array([-2.0], jnp.bfloat16),
        "empty": jnp.zeros((0, 3)),
        "counter": jnp.arange(3),
        "none": None,
    }
    made = jax.jit(after_all)(tree)
    assert jax.tree.structure(made) == jax.tree.structure(tree)
    for name in ("odd", "half", "empty", "counter"):
        assert made[name].dtype == tree[name].dtype
        assert np.asarray(made[name]).tobytes() == np.asarray(tree[name]).tobytes()


def copied_weights(barrier):
    """How often a training loop on the CPU copies the weights of the second and third layer."""

    def loss(params, x):
        for w in params:
            x = jnp.tanh(x @ w)
        return jnp.mean(x**2)

    def update(_, carry):
        params, momenta = carry
        grads = barrier(jax.grad(loss)(params, X2))
        momenta = [0.9 * m + g for m, g in zip(momenta, grads, strict=True)]
        return [w - 0.1 * m for w, m in zip(params, momenta, strict=True)], momenta

    X2 = jnp.ones((16, 24))
    params = [jnp.ones(shape) for shape in ((24, 40), (40, 56), (56, 72))]
    train = jax.jit(lambda *carry: jax.lax.fori_loop(0, 10, update, carry))
    text = train.lower(params, params).compile().as_text()
    (body,) = (part for part in text.split("\n\n") if "dot" in part and "get-tuple-element" in part)
    return len(re.findall(r"f32\[(?:40,56|56,72)\]\S* copy\(", body))


def test_weights_are_updated_where_they_are():
    """Without the barrier they are copied: the day they are not, it can go."""
    assert copied_weights(after_all) == 0
    assert copied_weights(lambda grads: grads) == 2


def test_on_accelerators_nothing_waits():
    call = jax.jit(after_all)
    arrays = [X, X]
    assert "shift_right_logical" in call.trace(arrays).lower(lowering_platforms=("cpu",)).as_text()
    assert "shift_right_logical" not in call.trace(arrays).lower(lowering_platforms=("cuda",)).as_text()
