"""Noise functions: exact expectation, exact ends of the range, no retrace, no NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax import bits, noise

KEY = jax.random.key(0)

# The shared suite: each with a strength that does something.
NOISES = {
    "dropout": (noise.dropout, 0.5),
    "classic": (lambda key, x, rate: noise.dropout(key, x, rate, scaling="classic"), 0.5),
    "shared": (lambda key, x, rate: noise.dropout(key, x, rate, broadcast_dims=(1,)), 0.5),
    "gaussian_noise": (noise.gaussian_noise, 0.3),
}
each = pytest.mark.parametrize("name", NOISES)


def sample(shape=(6, 4), dtype=jnp.float32):
    return jax.random.normal(jax.random.key(9), shape).astype(dtype)


@each
def test_key_decides(name):
    function, strength = NOISES[name]
    x = sample((40, 3))
    np.testing.assert_array_equal(function(KEY, x, strength), function(KEY, x, strength))
    assert not np.array_equal(function(KEY, x, strength), function(jax.random.key(1), x, strength))


@each
def test_jit_equals_eager_and_vmap_equals_loop(name):
    function, strength = NOISES[name]
    x, keys, strengths = sample(), jax.random.split(KEY, 3), jnp.array([0.0, strength, 1.0])
    loop = jnp.stack([function(k, x, s) for k, s in zip(keys, strengths, strict=True)])
    mapped = jax.vmap(function, (0, None, 0))(keys, x, strengths)
    np.testing.assert_allclose(mapped, loop, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(jax.jit(function)(keys[1], x, strength), loop[1], rtol=2e-6, atol=1e-7)


@each
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_dtype_is_kept_and_zero_is_the_identity(name, dtype):
    function, strength = NOISES[name]
    x = jnp.array([[0.0, -0.0, 1e-30, 3.0], [jnp.inf, -2.5, 7.0, jnp.nan]], dtype)
    assert function(KEY, x, strength).dtype == dtype
    for same in (function(KEY, x, 0.0), jax.jit(function)(KEY, x, 0.0)):
        assert np.asarray(same).tobytes() == np.asarray(x).tobytes()


@each
def test_a_new_strength_does_not_retrace(name):
    function, _ = NOISES[name]
    traces = []
    compiled = jax.jit(lambda key, x, s: (traces.append(1), function(key, x, s))[1])
    for strength in (0.0, 0.25, 1.0):
        compiled(KEY, sample(), jnp.float32(strength))
    assert len(traces) == 1


@each
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_gradients_are_finite(name, strength):
    function, _ = NOISES[name]

    def total(x, strength):
        return jnp.sum(jnp.square(function(KEY, x, strength)))

    for gradient in jax.grad(total, (0, 1))(sample(), jnp.float32(strength)):
        assert np.isfinite(gradient).all()


@each
@pytest.mark.parametrize("bad", [-0.1, np.nan, "x"])
def test_bad_strength_is_refused(name, bad):
    with pytest.raises(ValueError, match=r"(rate|stddev) must be"):
        NOISES[name][0](KEY, sample(), bad)


@each
def test_key_and_floating_point_are_needed(name):
    function, strength = NOISES[name]
    with pytest.raises(ValueError, match="pass a key"):
        function(None, sample(), strength)
    with pytest.raises(ValueError, match=r"x must be floating point, got int32\[3, 2\]"):
        function(KEY, jnp.ones((3, 2), jnp.int32), strength)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1))
def test_expectation_is_exact(rate):
    # Over all 65536 values of a decision, the mean of the kept and scaled ones is x: no sampling error.
    dropped, keep = noise._quantized(rate)
    assert abs(int(dropped) - rate * 65536) <= 0.51
    kept = np.count_nonzero(np.arange(65536) >= int(dropped))
    assert kept == float(keep) * 65536
    if kept:
        assert kept / 65536 * (1.0 / float(keep)) == pytest.approx(1.0, abs=1e-12)


def test_dropped_fraction_and_values():
    n, rate = 200_000, 0.3
    y = np.asarray(noise.dropout(KEY, jnp.ones(n), rate))
    # Binomial; 4.9 standard deviations: false alarm 1e-6.
    assert abs((y == 0).mean() - rate) < 4.9 * np.sqrt(rate * (1 - rate) / n)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - 19661 / 65536), rtol=1e-6)


def test_small_rates_are_not_rounded_up():
    # 16 bits: 0.01 is 655/65536 = 0.009995; 8 bits would make it 0.0117.
    assert float(noise._quantized(0.01)[1]) == 1 - 655 / 65536


def test_rate_one_gives_zero_output_and_gradient():
    x = sample()
    value, gradient = jax.value_and_grad(lambda x: noise.dropout(KEY, x, 1.0).sum())(x)
    assert value == 0
    assert not np.any(gradient)
    with pytest.raises(ValueError, match=r"dropout: rate must be in \[0, 1\], got 1.5"):
        noise.dropout(KEY, x, 1.5)


def test_mask_follows_the_bits():
    x = jnp.ones((3, 4))
    expected = np.asarray(bits.random_u16(KEY, (3, 4))) >= 16384
    np.testing.assert_array_equal(np.asarray(noise.dropout(KEY, x, 0.25)) != 0, expected)


def test_classic_scales_at_inference():
    x = sample()
    np.testing.assert_allclose(noise.dropout(None, x, 0.25, scaling="classic", deterministic=True), 0.75 * x)
    trained = np.asarray(noise.dropout(KEY, x, 0.25, scaling="classic"))
    np.testing.assert_array_equal(trained[trained != 0], np.asarray(x)[trained != 0])
    assert noise.dropout(None, x, 0.25, deterministic=True) is x


def test_broadcast_dims_share_a_decision():
    y = np.asarray(noise.dropout(KEY, jnp.ones((8, 5, 5, 16)), 0.5, broadcast_dims=(1, -2)))
    assert (y == y[:, :1, :1]).all()
    assert 0 < (y == 0).mean() < 1
    with pytest.raises(ValueError, match=r"broadcast_dims must be axes of x in \[-2, 2\), got 2"):
        noise.dropout(KEY, jnp.ones((2, 2)), 0.5, broadcast_dims=(2,))


def test_scaling_has_two_names():
    with pytest.raises(ValueError, match="scaling 'inverse' is not known"):
        noise.dropout(KEY, sample(), 0.5, scaling="inverse")


def test_gaussian_noise_moments():
    n, stddev = 200_000, 0.5
    y = np.asarray(noise.gaussian_noise(KEY, jnp.full(n, 2.0), stddev))
    # Mean: sd stddev/sqrt(n); standard deviation: stddev/sqrt(2n). 4.9 each: false alarm 1e-6.
    assert abs(y.mean() - 2) < 4.9 * stddev / np.sqrt(n)
    assert abs(y.std() - stddev) < 4.9 * stddev / np.sqrt(2 * n)
    x = jnp.ones(3)
    assert noise.gaussian_noise(None, x, stddev, deterministic=True) is x
