"""Linen modules: the rate at call time, a key of its own for each layer, clear errors."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import layers

KEY = jax.random.key(0)
LAYERS = [layers.Dropout(), layers.GaussianNoise()]
each = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


class Two(nn.Module):
    @nn.compact
    def __call__(self, x, rate):
        return layers.Dropout()(x, rate), layers.Dropout()(x, rate)


@each
def test_inference_is_the_identity_without_a_key(layer):
    x = jnp.array([1.0, -0.0, jnp.nan])
    y = layer.apply({}, x, 0.5, deterministic=True)
    assert np.asarray(y).tobytes() == np.asarray(x).tobytes()


@each
@pytest.mark.parametrize("rngs", [None, {"params": KEY}])
def test_training_without_its_key_says_what_to_pass(layer, rngs):
    with pytest.raises(ValueError, match=r"pass rngs=\{'dropout': key\}"):
        layer.apply({}, jnp.ones(3), 0.5, rngs=rngs)


@each
def test_rate_is_traced_and_mapped(layer):
    x, traces = jnp.ones((5, 4)), []

    @jax.jit
    def run(rates):
        traces.append(1)
        return jax.vmap(lambda rate: layer.apply({}, x, rate, rngs={"dropout": KEY}))(rates)

    np.testing.assert_array_equal(run(jnp.array([0.0, 0.5]))[0], x)
    run(jnp.array([0.1, 0.9]))
    assert len(traces) == 1


@each
def test_layers_are_hashable(layer):
    assert hash(layer) == hash(type(layer)())


def test_two_layers_draw_different_masks():
    first, second = Two().apply({}, jnp.ones((20, 20)), 0.5, rngs={"dropout": KEY})
    assert not np.array_equal(first, second)
    again, _ = Two().apply({}, jnp.ones((20, 20)), 0.5, rngs={"dropout": KEY})
    np.testing.assert_array_equal(first, again)


def test_fields_reach_the_function():
    x = jnp.ones((4, 3, 3, 8))
    y = layers.Dropout(broadcast_dims=(1, 2)).apply({}, x, 0.5, rngs={"dropout": KEY})
    assert np.array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    np.testing.assert_allclose(layers.Dropout("classic").apply({}, x, 0.5, deterministic=True), 0.5)
    layers.Dropout(rng_collection="noise").apply({}, x, 0.5, rngs={"noise": KEY})
    with pytest.raises(ValueError, match=r"pass rngs=\{'noise': key\}"):
        layers.Dropout(rng_collection="noise").apply({}, x, 0.5, rngs={"dropout": KEY})
