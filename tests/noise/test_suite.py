"""What every noise promises: key and strength decide, exact ends of the range, no retrace, no NaN, mean kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import noise

KEY = jax.random.key(0)

# The shared suite: each with a strength that does something.
NOISES = {
    **{name: (function, 0.5) for name, function in noise.NOISES.items()},
    "drop_block": (lambda key, x, rate, **o: noise.drop_block(key, x, rate, block_size=2, **o), 0.5),
    "shared blocks": (lambda key, x, rate: noise.drop_block(key, x, rate, block_size=2, per_channel=False), 0.5),
    "classic": (lambda key, x, rate: noise.dropout(key, x, rate, scaling="classic"), 0.5),
    "shared": (lambda key, x, rate: noise.dropout(key, x, rate, broadcast_dims=(1,)), 0.5),
}
# Whose output has the mean of its input exactly; the mask of concrete dropout is smooth, alpha dropout keeps mean 0.
UNBIASED = [name for name in noise.NOISES if name not in ("concrete_dropout", "alpha_dropout")]
each = pytest.mark.parametrize("name", NOISES)


def sample(shape=(6, 3, 3, 4), dtype=jnp.float32):
    return jax.random.normal(jax.random.key(9), shape).astype(dtype)


@each
def test_key_decides(name):
    function, strength = NOISES[name]
    x = sample((10, 3, 3, 3))
    np.testing.assert_array_equal(function(KEY, x, strength), function(KEY, x, strength))
    assert not np.array_equal(function(KEY, x, strength), function(jax.random.key(1), x, strength))


@each
@pytest.mark.slow
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
    x = jnp.array([0.0, -0.0, 1e-30, 3.0, jnp.inf, -2.5, 7.0, jnp.nan], dtype).reshape(1, 2, 2, 2)
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
    with pytest.raises(ValueError, match=r"x must be floating point, got int32\[3, 2, 2, 2\]"):
        function(KEY, jnp.ones((3, 2, 2, 2), jnp.int32), strength)


@pytest.mark.parametrize("name", noise.NOISES)
def test_inference_is_the_identity_and_needs_no_key(name):
    x = sample()
    assert NOISES[name][0](None, x, 0.5, deterministic=True) is x


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_the_expectation_is_kept(name, rate):
    """Mean over 2,000 keys against x, entry by entry: 4.9 standard errors; 72 entries, false alarm 1e-4."""
    x = jax.random.uniform(jax.random.key(3), (2, 3, 3, 4), minval=0.5, maxval=1.5)
    draws = jax.jit(jax.vmap(lambda key: NOISES[name][0](key, x, rate)))(jax.random.split(KEY, 2000))
    error = jnp.std(draws, axis=0) / np.sqrt(2000) + 1e-6
    assert np.all(np.abs(draws.mean(0) - x) < 4.9 * error)


@each
def test_a_rate_beyond_its_range_is_finite_when_traced(name):
    function, _ = NOISES[name]
    for beyond in (-0.5, 1.5):
        assert np.isfinite(jax.jit(function)(KEY, sample(), jnp.float32(beyond))).all()


@each
def test_strengths_may_follow_a_schedule(name):
    """As `rate` at a traced step, inside a scan."""
    function, strength = NOISES[name]
    schedule = lambda step: strength * step / 3  # noqa: E731

    def body(step, _):
        return step + 1, function(jax.random.fold_in(KEY, step), sample(), schedule(step))

    _, ys = jax.lax.scan(body, jnp.int32(0), None, length=3)
    np.testing.assert_array_equal(ys[0], sample())
    np.testing.assert_allclose(ys[2], function(jax.random.fold_in(KEY, 2), sample(), schedule(2)), rtol=1e-5, atol=1e-6)


@each
@pytest.mark.parametrize("below", [-0.5, -1e-6, -np.inf, np.nan])
def test_a_traced_rate_below_its_range_is_the_identity(name, below):
    x = sample()
    np.testing.assert_array_equal(jax.jit(NOISES[name][0])(KEY, x, jnp.float32(below)), x)


@each
def test_one_number_is_wanted_and_an_infinite_one_stays_finite(name):
    with pytest.raises(ValueError, match=r"(rate|stddev) must be one number, got shape \(2,\)"):
        NOISES[name][0](KEY, sample(), jnp.array([0.1, 0.2]))
    assert np.isfinite(jax.jit(NOISES[name][0])(KEY, sample(), jnp.float32(np.inf))).all()


@pytest.mark.parametrize("name", noise.NOISES)
def test_errors_name_the_function_that_was_called(name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        noise.NOISES[name](KEY, sample(), -0.1)
    with pytest.raises(ValueError, match=f"^{name}: x must be floating point"):
        noise.NOISES[name](KEY, jnp.ones((1, 2, 2, 1), jnp.int32), 0.1)
