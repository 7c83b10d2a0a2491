"""Winograd's convolution equals the native one in values and derivatives, on all sizes and zeros around."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from regjax.models.conv import conv2d
from regjax.models.winograd import FEWEST_CHANNELS, conv_3x3, is_faster

pytestmark = pytest.mark.slow

pads = st.tuples(st.integers(0, 2), st.integers(0, 2))


def normal(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@settings(max_examples=8)
@example((1, 1, 1, 1), 1, ((1, 1), (1, 1)))  # one pixel
@example((2, 3, 3, 2), 3, ((0, 0), (0, 0)))  # one output
@given(
    st.tuples(st.integers(1, 2), st.integers(3, 8), st.integers(3, 8), st.integers(1, 3)), st.integers(1, 3),
    st.tuples(pads, pads),
)  # fmt: skip
def test_it_equals_the_native_convolution(shape, outputs, padding):
    x, kernel = normal(0, shape), normal(1, (3, 3, shape[3], outputs))

    @jax.jit
    def both(x, kernel):
        results = []
        for implementation in ("winograd", "native"):
            y, pull = jax.vjp(lambda x, k: conv2d(x, k, padding=padding, implementation=implementation), x, kernel)  # noqa: B023
            results.append((y, *pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))))
        return results

    for ours, theirs in zip(*both(x, kernel), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-5)


def test_its_error_is_that_of_float32():
    """Against float64, a few times that of the direct sum, because inputs are added up before they are multiplied."""
    x, kernel = normal(0, (4, 14, 14, 64)), normal(1, (3, 3, 64, 32))
    exact = sum(
        np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))[:, u : u + 14, v : v + 14] @ np.float64(kernel[u, v])
        for u, v in np.ndindex(3, 3)
    )
    errors = {
        name: np.sqrt(np.mean((np.asarray(conv2d(x, kernel, implementation=name)) - exact) ** 2)) / exact.std()
        for name in ("winograd", "patches")
    }
    assert errors["winograd"] < 1e-6
    assert errors["winograd"] < 10 * errors["patches"]


def test_forward_and_second_derivatives_exist():
    x, kernel = normal(0, (1, 4, 5, 2)), normal(1, (3, 3, 2, 2))

    def loss(kernel, implementation):
        return jnp.sum(jnp.sin(conv2d(x, kernel, implementation=implementation)))

    along = normal(2, kernel.shape)
    found, expected = (
        jax.jvp(jax.grad(lambda k: loss(k, name)), (kernel,), (along,))[1]  # noqa: B023
        for name in ("winograd", "native")
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_it_is_taken_where_it_is_faster_and_precise():
    enough = FEWEST_CHANNELS
    assert is_faster((3, 3, enough, enough), (1, 1), jnp.float32)
    for shape, strides, dtype in (
        ((3, 3, enough - 1, enough), (1, 1), jnp.float32),
        ((3, 3, enough, enough - 1), (1, 1), jnp.float32),
        ((5, 5, enough, enough), (1, 1), jnp.float32),
        ((3, 3, enough, enough), (2, 2), jnp.float32),
        ((3, 3, enough, enough), (1, 1), jnp.bfloat16),
    ):
        assert not is_faster(shape, strides, dtype)


def test_auto_takes_it_on_cpu_and_the_native_one_elsewhere():
    x, kernel = jnp.ones((1, 4, 4, FEWEST_CHANNELS)), jnp.ones((3, 3, FEWEST_CHANNELS, FEWEST_CHANNELS))
    traced = jax.jit(conv2d).trace(x, kernel)
    lowered = traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "convolution" not in lowered
    assert lowered.count("stablehlo.dot_general") == 16
    assert "stablehlo.convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_what_it_cannot_do_is_refused():
    x = jnp.ones((1, 6, 6, 1))
    with pytest.raises(ValueError, match=r"3 x 3 kernels at strides \(1, 1\), got \(2, 3\) at \(1, 1\)"):
        conv2d(x, jnp.ones((2, 3, 1, 1)), implementation="winograd")
    with pytest.raises(ValueError, match=r"got \(3, 3\) at \(2, 1\)"):
        conv2d(x, jnp.ones((3, 3, 1, 1)), strides=(2, 1), implementation="winograd")


def test_the_function_of_the_module_takes_zeros_on_each_side():
    y = conv_3x3(jnp.ones((1, 2, 3, 1)), jnp.ones((3, 3, 1, 1)), ((2, 0), (0, 2)))
    assert y.shape == (1, 2, 3, 1)
    np.testing.assert_array_equal(y[0, :, :, 0], [[3, 2, 1], [6, 4, 2]])
