import jax
import jax.numpy as jnp
import numpy as np

from regjax.models.linear import Linear


def test_images_are_flattened_row_by_row():
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 2)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)
    params = {"output": {"kernel": kernel, "bias": np.array([1.0, -1.0], np.float32)}}
    expected = x.reshape(3, 8) @ kernel + [1, -1]
    np.testing.assert_allclose(Linear(num_outputs=2).apply({"params": params}, x), expected, rtol=1e-5, atol=1e-6)


def test_its_only_noise_is_on_the_input():
    model = Linear(num_outputs=1, task="regression")
    assert model.accepted_rates == ("input_dropout",)
    params = {"output": {"kernel": jnp.ones((1000, 1)), "bias": jnp.zeros(1)}}
    options = {"rates": {"input_dropout": 0.5}, "rngs": {"dropout": jax.random.key(0)}}
    total = float(model.apply({"params": params}, jnp.ones((1, 1000)), **options)[0])
    # Twice a binomial count of 1000 halves: mean 1000, standard deviation 32; 4.9 of them: false alarm 1e-6.
    assert abs(total - 1000) < 4.9 * 32
    assert total % 2 == 0
