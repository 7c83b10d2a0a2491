import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import noise
from regjax.core import random_bits as bits

KEY = jax.random.key(0)


def sample(shape=(6, 4)):
    return jax.random.normal(jax.random.key(9), shape)


def test_dropped_fraction_and_values():
    n, rate = 200_000, 0.3
    y = np.asarray(noise.dropout(KEY, jnp.ones(n), rate))
    # Binomial; 4.9 standard deviations: false alarm 1e-6.
    assert abs((y == 0).mean() - rate) < 4.9 * np.sqrt(rate * (1 - rate) / n)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - 19661 / 65536), rtol=1e-6)


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


def test_spatial_dropout_drops_whole_channels():
    y = np.asarray(noise.spatial_dropout(KEY, jnp.ones((64, 5, 5, 32)), 0.3))
    assert (y == y[:, :1, :1]).all()
    n = 64 * 32
    # Binomial; 4.9 standard deviations: false alarm 1e-6.
    assert abs((y[:, 0, 0] == 0).mean() - 0.3) < 4.9 * np.sqrt(0.21 / n)
    with pytest.raises(ValueError, match=r"spatial_dropout: x must have at least 3 axes, got shape \(2, 3\)"):
        noise.spatial_dropout(KEY, jnp.ones((2, 3)), 0.1)


def test_drop_path_drops_whole_examples():
    y = np.asarray(noise.drop_path(KEY, jnp.ones((4000, 2, 3)), 0.25))
    assert (y == y[:, :1, :1]).all()
    assert abs((y[:, 0, 0] == 0).mean() - 0.25) < 4.9 * np.sqrt(0.25 * 0.75 / 4000)
    assert np.allclose(y[y != 0], 4 / 3)


def test_depth_rates_by_hand():
    np.testing.assert_allclose(noise.depth_rates(0.3, 3), [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda r: jnp.stack(noise.depth_rates(r, 2)))(0.5), [0.25, 0.5])
    with pytest.raises(ValueError, match="depth_rates: depth must be >= 1, got 0"):
        noise.depth_rates(0.1, 0)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.8])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    n = 400_000
    x = jax.random.normal(jax.random.key(1), (n,))
    y = np.asarray(noise.alpha_dropout(KEY, x, rate), np.float64)
    assert abs(y.mean()) < 4.9 / np.sqrt(n)
    fourth = ((y - y.mean()) ** 4).mean()
    assert abs(y.var() - 1) < 4.9 * np.sqrt((fourth - 1) / n)


def test_alpha_dropout_by_hand():
    """The constants of Keras' AlphaDropout at rate 0.2, for a kept and for a dropped entry."""
    q, c = (65536 - round(0.2 * 65536)) / 65536, -1.7580993408473766
    a = (q * (1 + (1 - q) * c**2)) ** -0.5
    b = -a * (1 - q) * c
    y = np.unique(np.asarray(noise.alpha_dropout(KEY, jnp.full(1000, 2.0), 0.2)))
    np.testing.assert_allclose(np.sort(y), np.sort([a * c + b, 2 * a + b]), rtol=1e-5)
    assert not np.any(noise.alpha_dropout(KEY, jnp.ones(9), 1.0))


def test_dropout_on_inputs_of_a_linear_model_is_ridge():
    """E ||y - (m X) w / p||^2 = ||y - X w||^2 + (1 - p)/p ||G w||^2, G^2 = diag(X'X) (Srivastava et al., 9.1).

    Exact in expectation: enumerated over all 2^6 masks of a 2x3 input, not sampled.
    """
    rng = np.random.default_rng(0)
    x, y, w, p = rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=3), 0.75
    total = 0.0
    for code in range(64):
        m = np.array([(code >> i) & 1 for i in range(6)]).reshape(2, 3)
        total += p ** m.sum() * (1 - p) ** (6 - m.sum()) * np.sum((y - (m * x / p) @ w) ** 2)
    ridge = np.sum((y - x @ w) ** 2) + (1 - p) / p * np.sum((x**2).sum(0) * w**2)
    assert total == pytest.approx(ridge, rel=1e-12)
    # And what `dropout` draws has that mean: 4.9 standard errors, false alarm 1e-6.
    keys = jax.random.split(KEY, 20_000)
    f = jax.vmap(lambda k: jnp.sum((y - noise.dropout(k, jnp.asarray(x, jnp.float32), 1 - p) @ w) ** 2))(keys)
    assert abs(f.mean() - ridge) < 4.9 * f.std() / np.sqrt(20_000)
