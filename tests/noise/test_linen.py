"""Linen modules: the rate at call time, a key of its own for each layer, clear errors."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from regjax import noise
from regjax.noise import linen as layers

KEY = jax.random.key(0)
LAYERS = [
    layers.Dropout(),
    layers.SpatialDropout(),
    layers.GaussianDropout(),
    layers.AlphaDropout(),
    layers.DropBlock(block_size=2),
    layers.DropPath(),
    layers.GaussianNoise(),
]
each = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


class Two(nn.Module):
    @nn.compact
    def __call__(self, x, rate):
        return layers.Dropout()(x, rate), layers.Dropout()(x, rate)


@each
def test_inference_is_the_identity_without_a_key(layer):
    x = jnp.array([1.0, -0.0, jnp.nan, 2.0]).reshape(1, 2, 2, 1)
    y = layer.apply({}, x, 0.5, deterministic=True)
    assert np.asarray(y).tobytes() == np.asarray(x).tobytes()


@each
@pytest.mark.parametrize("rngs", [None, {"params": KEY}])
def test_training_without_its_key_says_what_to_pass(layer, rngs):
    with pytest.raises(ValueError, match=r"pass rngs=\{'dropout': key\}"):
        layer.apply({}, jnp.ones((1, 2, 2, 1)), 0.5, rngs=rngs)


@each
def test_rate_is_traced_and_mapped(layer):
    x, traces = jnp.ones((2, 3, 3, 4)), []

    @jax.jit
    def run(rates):
        traces.append(1)
        return jax.vmap(lambda rate: layer.apply({}, x, rate, rngs={"dropout": KEY}))(rates)

    np.testing.assert_array_equal(run(jnp.array([0.0, 0.5]))[0], x)
    run(jnp.array([0.1, 0.9]))
    assert len(traces) == 1


@each
def test_layers_are_hashable(layer):
    assert hash(layer) == hash(layer.copy())


def test_two_layers_draw_different_masks():
    first, second = Two().apply({}, jnp.ones((20, 20)), 0.5, rngs={"dropout": KEY})
    assert not np.array_equal(first, second)
    again, _ = Two().apply({}, jnp.ones((20, 20)), 0.5, rngs={"dropout": KEY})
    np.testing.assert_array_equal(first, again)


def test_one_key_under_two_names_gives_two_masks():
    x, rngs = jnp.ones((20, 20)), {"dropout": KEY, "noise": KEY, "other": KEY}
    masks = [layers.Dropout(rng_collection=name).apply({}, x, 0.5, rngs=rngs) for name in rngs]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])


def test_fields_reach_the_function():
    x = jnp.ones((4, 3, 3, 8))
    y = layers.Dropout(broadcast_dims=(1, 2)).apply({}, x, 0.5, rngs={"dropout": KEY})
    assert np.array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    np.testing.assert_allclose(layers.Dropout("classic").apply({}, x, 0.5, deterministic=True), 0.5)
    layers.Dropout(rng_collection="noise").apply({}, x, 0.5, rngs={"noise": KEY})
    with pytest.raises(ValueError, match=r"pass rngs=\{'noise': key\}"):
        layers.Dropout(rng_collection="noise").apply({}, x, 0.5, rngs={"dropout": KEY})


class Bridged(nnx.Module):
    """The functions in an nnx module, and a Linen layer behind the bridge."""

    def __init__(self, rngs):
        self.rngs = rngs
        self.layer = nnx.bridge.ToNNX(layers.SpatialDropout(), rngs=rngs)

    def __call__(self, x, rate):
        return noise.dropout(self.rngs.dropout(), x, rate), self.layer(x, rate)


def test_callable_from_nnx():
    x = jnp.ones((4, 3, 3, 16))
    first, second = Bridged(nnx.Rngs(dropout=0))(x, 0.5)
    assert set(np.unique(first)) == {0.0, 2.0}
    np.testing.assert_array_equal(second, np.broadcast_to(second[:, :1, :1], x.shape))
    assert set(np.unique(second)) == {0.0, 2.0}


def test_noisy_dense_is_dense_in_inference_and_noisy_in_training():
    x = jax.random.normal(KEY, (5, 4))
    for function in noise.WEIGHT_NOISES:
        layer = layers.NoisyDense(3, function=function)
        variables = layer.init(KEY, x, 0.5, deterministic=True)
        np.testing.assert_allclose(
            layer.apply(variables, x, 0.5, deterministic=True), nn.Dense(3).apply(variables, x), rtol=1e-6
        )
        rngs = {"dropout": KEY}
        np.testing.assert_allclose(layer.apply(variables, x, 0.0, rngs=rngs), nn.Dense(3).apply(variables, x))
        one, two = (layer.apply(variables, x, 0.5, rngs={"dropout": jax.random.key(k)}) for k in (1, 2))
        assert not np.allclose(one, two)
    with pytest.raises(ValueError, match="NoisyDense: function 'dropout' is not known"):
        layers.NoisyDense(3, function="dropout").init(KEY, x, 0.5, deterministic=True)


def test_concrete_dense_sows_its_regularizer_in_training_only():
    x, layer = jax.random.normal(KEY, (5, 4)), layers.ConcreteDense(3, initial_rate=0.3)
    variables = layer.init(KEY, x, 0.1, deterministic=True)
    _, sown = layer.apply(variables, x, 0.1, rngs={"dropout": KEY}, mutable=["penalties"])
    expected = noise.concrete_penalty(0.3, variables["params"]["dense"]["kernel"], 0.1)
    np.testing.assert_allclose(sown["penalties"]["concrete_dropout"], expected, rtol=1e-5)
    _, none = layer.apply(variables, x, 0.1, deterministic=True, mutable=["penalties"])
    assert not none
    with pytest.raises(ValueError, match=r"initial_rate must be in \(0, 1\), got 1.0"):
        layers.ConcreteDense(3, initial_rate=1.0).init(KEY, x, 0.1, deterministic=True)


def test_other_fields_reach_the_function():
    x = jnp.ones((2, 8, 8, 4))
    y = layers.DropBlock(block_size=3, per_channel=False).apply({}, x, 0.4, rngs={"dropout": KEY})
    assert (y == y[..., :1]).all()
