import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import noise
from regjax.core import random_bits as bits

KEY = jax.random.key(0)


def test_the_mask_by_hand():
    u = np.asarray(bits.random_uniform(KEY, (50,)), np.float64)
    r, t = 0.3, 0.2
    z = 1 / (1 + np.exp(-(np.log(r / (1 - r)) + np.log(u / (1 - u))) / t))
    y = noise.concrete_dropout(KEY, jnp.full(50, 2.0), r, temperature=t)
    np.testing.assert_allclose(y, 2.0 * (1 - z) / (1 - r), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_cold_mask_is_dropout(rate):
    n = 100_000
    y = np.asarray(noise.concrete_dropout(KEY, jnp.ones(n), rate, temperature=1e-3)) * (1 - rate)
    assert np.mean((y < 0.01) | (y > 0.99)) > 0.98
    # Binomial; 4.9 standard deviations: false alarm 1e-6.
    assert abs((y < 0.5).mean() - rate) < 4.9 * np.sqrt(rate * (1 - rate) / n)


def test_the_mean_is_kept_up_to_the_smoothness():
    for rate in (0.1, 0.3, 0.5, 0.8):
        y = noise.concrete_dropout(KEY, jnp.ones(200_000), rate)
        assert abs(float(y.mean()) - 1) < 0.05 * rate / (1 - rate) + 0.01


def test_the_penalty_by_hand():
    kernel, r, s, scale = np.arange(6.0).reshape(3, 2), 0.2, 0.5, 2.0
    entropy = -(r * np.log(r) + (1 - r) * np.log(1 - r))
    expected = s * (scale**2 / 2 * 55.0 / (1 - r) - 3 * entropy)
    got = noise.concrete_penalty(r, jnp.asarray(kernel), s, length_scale=scale)
    assert float(got) == pytest.approx(expected, rel=1e-5)
    for end in (0.0, 1.0):
        value, slope = jax.value_and_grad(lambda r: noise.concrete_penalty(r, jnp.ones((2, 2)), 1.0))(end)
        assert np.isfinite(value)
        assert np.isfinite(slope)


@pytest.mark.slow
def test_the_rate_is_learned_away_from_useless_inputs():
    """The penalty alone drives the rate to 1/2; weights that matter pull it back."""
    rate = 0.1
    for _ in range(200):
        rate -= 0.01 * float(jax.grad(lambda r: noise.concrete_penalty(r, jnp.zeros((1, 1)), 1.0))(rate))
    assert 0.45 < rate < 0.55
    heavy = jax.grad(lambda r: noise.concrete_penalty(r, 100.0 * jnp.ones((1, 1)), 1.0, length_scale=1.0))(0.1)
    assert heavy > 0
    with pytest.raises(ValueError, match="temperature must be > 0"):
        noise.concrete_dropout(KEY, jnp.ones(2), 0.1, temperature=0.0)
