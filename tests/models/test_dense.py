"""The product of a dense layer with few outputs: the numbers, derivatives and parameters of the usual one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.models.dense import FEW_OUTPUTS, dot_general

pytestmark = pytest.mark.slow

LAST = (((1,), (0,)), ((), ()))
sizes = st.integers(1, 6)


def normal(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def dimensions(x):
    return ((x.ndim - 1,), (0,)), ((), ())


@settings(max_examples=10)
@given(st.lists(sizes, min_size=1, max_size=3), sizes, sizes)
def test_values_and_gradients_are_those_of_the_usual_product(leading, inputs, outputs):
    x, kernel = normal(0, (*leading, inputs)), normal(1, (inputs, outputs))
    found, expected = (
        jax.vjp(lambda x, k: product(x, k, dimensions(x)), x, kernel)  # noqa: B023
        for product in (dot_general, jax.lax.dot_general)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    along = normal(2, found[0].shape)
    for ours, theirs in zip(found[1](along), expected[1](along), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_forward_second_and_vectorized_derivatives_exist():
    x, kernels, along = normal(0, (5, 4)), normal(1, (3, 4, 2)), normal(2, (3, 4, 2))

    def second(product):
        def loss(kernel, x):
            return jnp.sum(jnp.sin(product(x, kernel, LAST)))

        def of_one(kernel, direction):
            mixed = jax.grad(lambda x: jnp.sum(jax.grad(loss)(kernel, x) * direction))(x)
            return jax.jvp(lambda k: jax.grad(loss)(k, x), (kernel,), (direction,))[1], mixed

        return jax.jit(jax.vmap(of_one))(kernels, along)

    for ours, theirs in zip(second(dot_general), second(jax.lax.dot_general), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_stacked_kernels_of_numpy_are_taken_inside_a_compiled_function():
    """Weights that come from a file are NumPy arrays, and a function closes over them."""
    kernels, x = np.asarray(normal(1, (3, 4, 2))), normal(0, (5, 4))

    @jax.jit
    def outputs(x):
        return jax.vmap(lambda kernel: dot_general(x, kernel, LAST))(kernels)

    np.testing.assert_allclose(outputs(x), x @ kernels, rtol=1e-5)


def test_options_are_passed_on():
    x, kernel = jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 1), jnp.bfloat16)
    y = dot_general(x, kernel, LAST, preferred_element_type=jnp.float32)
    assert y.dtype == jnp.float32
    gradient = jax.grad(lambda k: dot_general(x, k, LAST, preferred_element_type=jnp.float32).sum())(kernel)
    assert gradient.dtype == jnp.bfloat16
    np.testing.assert_array_equal(gradient, 2 * np.ones((3, 1)))


@pytest.mark.parametrize(
    ("inputs", "outputs", "changed"),
    [(FEW_OUTPUTS, FEW_OUTPUTS, True), (100, 1, True), (3, 4, False), (200, FEW_OUTPUTS + 1, False)],
)
def test_only_few_outputs_change_the_order(inputs, outputs, changed):
    x, kernel = jnp.ones((2, inputs)), jnp.ones((inputs, outputs))
    gradient = jax.jit(jax.grad(lambda k: jnp.sum(dot_general(x, k, LAST) ** 2)))
    lowered = gradient.trace(kernel).lower(lowering_platforms=("cpu",)).as_text()
    assert ("optimization_barrier" in lowered) == changed
    assert "optimization_barrier" not in gradient.trace(kernel).lower(lowering_platforms=("cuda",)).as_text()


def test_other_products_are_left_alone():
    x, y = normal(0, (2, 3, 4)), normal(1, (2, 4, 3))
    batched = (((2,), (1,)), ((0,), (0,)))
    np.testing.assert_array_equal(dot_general(x, y, batched), x @ y)


def test_a_dense_layer_has_the_same_parameters():
    x = normal(0, (4, 8))
    layers = [nn.Dense(2, dot_general=own) for own in (dot_general, None)]
    first, second = (layer.init(jax.random.key(0), x) for layer in layers)
    assert jax.tree.structure(first) == jax.tree.structure(second)
    np.testing.assert_array_equal(layers[0].apply(first, x), layers[1].apply(second, x))
