import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import noise

KEY = jax.random.key(0)
PARAMS = {"dense": {"bias": jnp.ones(4), "kernel": jnp.ones((3, 4))}, "out": {"kernel": jnp.ones((4, 4))}}


def test_weights_only_and_a_mask_of_its_own_for_each_leaf():
    noisy = noise.perturb_weights("drop_connect", KEY, PARAMS, 0.5)
    np.testing.assert_array_equal(noisy["dense"]["bias"], 1.0)
    assert set(np.unique(noisy["dense"]["kernel"])) == {0.0, 2.0}
    equal = {"a": jnp.ones((8, 8)), "b": jnp.ones((8, 8))}
    both = noise.perturb_weights("weight_noise", KEY, equal, 0.1)
    assert not np.array_equal(both["a"], both["b"])


def test_a_pattern_chooses_the_leaves():
    noisy = noise.perturb_weights("weight_noise", KEY, PARAMS, 0.1, where="out")
    np.testing.assert_array_equal(noisy["dense"]["kernel"], 1.0)
    assert not np.any(np.asarray(noisy["out"]["kernel"]) == 1.0)
    with pytest.raises(ValueError, match="nothing matches 'conv'"):
        noise.perturb_weights("weight_noise", KEY, PARAMS, 0.1, where="conv")


def test_a_noisy_linear_layer_is_ridge_in_expectation():
    """E (y - x (w + s n))^2 = (y - x w)^2 + s^2 ||x||^2; 4.9 standard errors: false alarm 1e-6."""
    x, w, s = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.3, 0.1, -0.4]), 0.2
    losses = jax.vmap(lambda k: (1.0 - x @ noise.weight_noise(k, w, s)) ** 2)(jax.random.split(KEY, 20_000))
    expected = (1.0 - x @ w) ** 2 + s**2 * x @ x
    assert abs(losses.mean() - expected) < 4.9 * losses.std() / np.sqrt(20_000)
