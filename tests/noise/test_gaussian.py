import jax
import jax.numpy as jnp
import numpy as np

from regjax import noise

KEY = jax.random.key(0)


def test_gaussian_noise_moments():
    n, stddev = 200_000, 0.5
    y = np.asarray(noise.gaussian_noise(KEY, jnp.full(n, 2.0), stddev))
    # Mean: sd stddev/sqrt(n); standard deviation: stddev/sqrt(2n). 4.9 each: false alarm 1e-6.
    assert abs(y.mean() - 2) < 4.9 * stddev / np.sqrt(n)
    assert abs(y.std() - stddev) < 4.9 * stddev / np.sqrt(2 * n)
    x = jnp.ones(3)
    assert noise.gaussian_noise(None, x, stddev, deterministic=True) is x


def test_gaussian_dropout_moments():
    n, rate = 200_000, 0.2
    y = np.asarray(noise.gaussian_dropout(KEY, jnp.full(n, 2.0), rate))
    stddev = 2 * np.sqrt(rate / (1 - rate))
    assert abs(y.mean() - 2) < 4.9 * stddev / np.sqrt(n)
    assert abs(y.std() - stddev) < 4.9 * stddev / np.sqrt(2 * n)


def test_gaussian_dropout_at_the_end_of_its_range():
    y = noise.gaussian_dropout(KEY, jnp.ones(1000), 1.0)
    np.testing.assert_array_equal(y, noise.gaussian_dropout(KEY, jnp.ones(1000), 1 - 2.0**-16))
    assert 100 < float(y.std()) < 500
