"""Convolution: both implementations agree in values and gradients; pooling against NumPy and flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from regjax.models.conv import Conv, avg_pool, conv2d, max_pool

pytestmark = pytest.mark.slow

sides = st.integers(3, 7)
small = st.integers(1, 3)
pads = st.tuples(st.integers(0, 2), st.integers(0, 2))
paddings = st.one_of(st.sampled_from(["SAME", "VALID"]), st.tuples(pads, pads))


def normal(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@settings(max_examples=8)
@example((1, 5, 7, 1), (2, 2, 3), (1, 1), ((2, 0), (1, 1)))  # more zeros than the kernel reaches over
@example((1, 5, 7, 1), (2, 2, 3), (1, 1), ((1, 1), (2, 0)))
@given(st.tuples(small, sides, sides, small), st.tuples(small, small, small), st.tuples(small, small), paddings)
def test_patches_equal_the_native_convolution(shape, rest, strides, padding):
    x, kernel = normal(0, shape), normal(1, (rest[0], rest[1], shape[3], rest[2]))

    @jax.jit
    def both(x, kernel):
        results = []
        for implementation in ("patches", "native"):
            y, pull = jax.vjp(lambda x, k: conv2d(x, k, strides, padding, implementation), x, kernel)  # noqa: B023
            results.append((y, *pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))))
        return results

    for ours, theirs in zip(*both(x, kernel), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("implementation", ["patches", "native", "auto"])
def test_against_scipy(implementation):
    x, kernel = normal(0, (2, 6, 5, 3)), normal(1, (3, 2, 3, 4))
    expected = np.zeros((2, 4, 4, 4))
    for b, c, o in np.ndindex(2, 3, 4):
        expected[b, :, :, o] += scipy.signal.correlate2d(x[b, :, :, c], kernel[:, :, c, o], mode="valid")
    ours = jax.jit(lambda x: conv2d(x, kernel, padding="VALID", implementation=implementation))(x)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_auto_is_patches_on_cpu_and_native_elsewhere():
    x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1))
    lowered = jax.jit(conv2d).trace(x, kernel).lower(lowering_platforms=("cpu",)).as_text()
    assert "convolution" not in lowered
    lowered = jax.jit(conv2d).trace(x, kernel).lower(lowering_platforms=("cuda",)).as_text()
    assert "stablehlo.convolution" in lowered


def test_transformations():
    x, kernel = normal(0, (2, 5, 5, 2)), normal(1, (3, 3, 3, 2, 4))
    mapped = jax.vmap(conv2d, (None, 0))(x, kernel)
    np.testing.assert_allclose(mapped, jnp.stack([conv2d(x, k) for k in kernel]), rtol=1e-5, atol=1e-5)
    _, tangent = jax.jvp(lambda x: conv2d(x, kernel[0]), (x,), (x,))
    np.testing.assert_allclose(tangent, mapped[0], rtol=1e-5, atol=1e-5)
    assert conv2d(x.astype(jnp.bfloat16), kernel[0].astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 0), (2, 1))])
def test_layer_equals_flax(padding):
    x = normal(0, (2, 7, 6, 3))
    ours, theirs = Conv(4, (3, 2), (2, 1), padding), nn.Conv(4, (3, 2), (2, 1), padding)
    params = ours.init(jax.random.key(0), x)
    expected = theirs.init(jax.random.key(0), x)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, expected)
    np.testing.assert_array_equal(params["params"]["kernel"], expected["params"]["kernel"])
    np.testing.assert_allclose(ours.apply(params, x), theirs.apply(params, x), rtol=1e-5, atol=1e-5)
    assert "bias" not in Conv(4, use_bias=False).init(jax.random.key(0), x)["params"]


@pytest.mark.parametrize("window", [(2, 2), (3, 2), (1, 1)])
def test_pools_equal_flax(window):
    x = normal(0, (2, 7, 6, 3))
    np.testing.assert_array_equal(max_pool(x, window), nn.max_pool(x, window, window))
    np.testing.assert_allclose(avg_pool(x, window), nn.avg_pool(x, window, window), rtol=1e-5, atol=1e-6)
    ours = jax.grad(lambda x: jnp.sum(jnp.square(max_pool(x, window))))(x)
    theirs = jax.grad(lambda x: jnp.sum(jnp.square(nn.max_pool(x, window, window))))(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_ties_share_the_gradient():
    np.testing.assert_array_equal(jax.grad(lambda x: max_pool(x).sum())(jnp.ones((1, 2, 2, 1))).ravel(), [0.25] * 4)


@pytest.mark.parametrize(
    ("x", "kernel", "options", "message"),
    [
        ((4, 4, 1), (3, 3, 1, 1), {}, r"x must be \[B, H, W, C\], got shape \(4, 4, 1\)"),
        ((1, 4, 4, 2), (3, 3, 1, 1), {}, r"kernel must be \[KH, KW, 2, O\]"),
        ((1, 4, 4, 1), (3, 3, 1, 1), {"strides": (0, 1)}, "strides must be two integers >= 1"),
        ((1, 4, 4, 1), (3, 3, 1, 1), {"padding": "SAMe"}, "did you mean 'SAME'"),
        ((1, 4, 4, 1), (3, 3, 1, 1), {"padding": ((0, -1), (0, 0))}, "padding must be two pairs"),
        ((1, 4, 4, 1), (3, 3, 1, 1), {"implementation": "fft"}, "accepted: auto, native, patches"),
        ((1, 2, 4, 1), (3, 3, 1, 1), {"padding": "VALID"}, "does not fit"),
    ],
)
def test_errors(x, kernel, options, message):
    with pytest.raises(ValueError, match=message):
        conv2d(jnp.ones(x), jnp.ones(kernel), **options)


def test_pool_needs_a_whole_window():
    with pytest.raises(ValueError, match="max_pool: x must be"):
        max_pool(jnp.ones((1, 1, 4, 1)))
