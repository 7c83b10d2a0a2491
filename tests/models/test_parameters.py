"""What a model may give as its parameters: floating-point arrays, and no batch statistics, which would never move."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import regjax as rj

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


def nnx_pair(net, *kinds):
    """A pair of functions whose parameters are the variables of these kinds, or all of them."""
    graph, _, *rest = nnx.split(net(0), *kinds, ...) if kinds else nnx.split(net(0))

    def apply(params, x, train=False):
        module = nnx.merge(graph, params, *rest)
        module.train() if train else module.eval()
        return module(x)

    return lambda key, x: nnx.split(net(key), *kinds, ...)[1] if kinds else nnx.split(net(key))[1], apply


def norm(key):
    rngs = nnx.Rngs(key)
    return nnx.Sequential(nnx.BatchNorm(4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs))


def layer_norm(key):
    rngs = nnx.Rngs(key)
    return nnx.Sequential(nnx.LayerNorm(4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs))


def dropout(key):
    rngs = nnx.Rngs(key)
    return nnx.Sequential(nnx.Dropout(0.5, rngs=rngs), nnx.Linear(4, 2, rngs=rngs))


class Norm(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(2)(nn.BatchNorm(use_running_average=not train)(x))


def linen_pair():
    """All collections of a module given as its parameters."""

    def apply(variables, x, train=False):
        return Norm().apply(variables, x, train, mutable=["batch_stats"])[0]

    return lambda key, x: Norm().init(key, x), apply


class Flagged(eqx.Module):
    linear: eqx.nn.Linear
    noise: eqx.nn.Dropout

    def __init__(self, key):
        self.linear, self.noise = eqx.nn.Linear(4, 2, key=key), eqx.nn.Dropout(0.5)


def eqx_apply(params, x, key=None):
    return jax.vmap(lambda row: params.linear(params.noise(row, inference=True)))(x)


STATISTICS = {"nnx": (nnx_pair(norm), "layers/0/mean"), "linen": (linen_pair(), "batch_stats")}
NOT_FLOATING = {
    "eqx": ((lambda key, x: Flagged(key), eqx_apply), "noise/inference"),
    "nnx": (nnx_pair(dropout), "count"),
    "counter": ((lambda key, x: {"w": jnp.ones((4, 2)), "n": jnp.int32(0)}, lambda p, x: x @ p["w"]), r"\bn\b"),
    "function": ((lambda key, x: {"w": jnp.ones((4, 2)), "f": jnp.tanh}, lambda p, x: p["f"](x @ p["w"])), r"\bf\b"),
}


def fit(pair):
    spec = rj.Spec(pair, num_classes=2, batch_size=8, steps_per_epoch=2, epochs=1)
    made = rj.TrainData(X, Y, np.arange(16), X, Y)
    return rj.fit(spec, rj.make_hparams(n_train=16), KEY, made)


def compare(pair):
    data = np.tile(X, (8, 1)), np.tile(Y, 8)
    return rj.compare(pair, data, techniques={"l2": [1e-3]}, seeds=2, epochs=1)


def own_loop(pair):
    init, apply = pair

    def model(variables, x, train=False):
        return apply(variables["params"], x, train)

    loss_fn = rj.build_loss(model, "cross_entropy")
    return jax.jit(jax.grad(lambda p: loss_fn(p, rj.Batch(X, Y), KEY)[0]))(init(KEY, X))


@pytest.mark.parametrize("call", [fit, compare, own_loop])
@pytest.mark.parametrize("name", STATISTICS)
def test_batch_statistics_among_the_parameters_are_refused(name, call):
    """They would stay at their start, by which evaluations are then normalized."""
    pair, said = STATISTICS[name]
    with pytest.raises(rj.InputError, match=said):
        call(pair)


@pytest.mark.parametrize("call", [fit, compare])
@pytest.mark.parametrize("name", NOT_FLOATING)
def test_parameters_that_have_no_derivative_are_named_before_training(name, call):
    pair, said = NOT_FLOATING[name]
    with pytest.raises(rj.InputError, match=said):
        call(pair)


def test_the_parameters_of_nnx_alone_are_trained():
    assert fit(nnx_pair(layer_norm, nnx.Param)).status == "completed"


def test_batch_statistics_among_the_parameters_may_be_evaluated():
    init, apply = STATISTICS["nnx"][0]
    found = rj.evaluate(lambda v, x, train=False: apply(v["params"], x, train), init(KEY, X), None, X, Y)
    assert np.isfinite(found["loss"])


class Sown(nn.Module):
    """Sows a term of the loss into a collection of its own, which flax keeps as a tuple that grows by each call."""

    collection: str

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(2)(x)
        self.sow(self.collection, "size", jnp.mean(x**2))
        return x


@pytest.mark.parametrize("call", [fit, compare])
def test_what_is_sown_where_nobody_reads_it_is_refused(call):
    with pytest.raises(rj.InputError, match=r"losses.*penalties"):
        call(Sown("losses"))


def test_what_is_sown_where_nobody_reads_it_is_refused_in_a_loop_of_ones_own():
    model = Sown("losses")
    variables = model.init(KEY, X)
    loss_fn = rj.build_loss(model.apply, "cross_entropy")
    with pytest.raises(rj.InputError, match=r"losses.*penalties"):
        loss_fn(variables["params"], rj.Batch(X, Y), KEY, model_state={"losses": variables["losses"]})


@pytest.mark.parametrize("collection", ["penalties", "activations", "intermediates"])
def test_what_is_sown_for_a_reader_is_taken(collection):
    assert fit(Sown(collection)).status == "completed"


@pytest.mark.parametrize("freeze", [dict, nn.FrozenDict])
def test_a_collection_may_be_frozen_or_start_empty(freeze):
    model = Norm()
    variables = model.init(KEY, X)
    loss_fn = rj.build_loss(model.apply, "cross_entropy")
    for state in (freeze(variables["batch_stats"]), freeze({})):
        aux = loss_fn(variables["params"], rj.Batch(X, Y), KEY, model_state={"batch_stats": state})[1]
        assert set(aux.model_state["batch_stats"]["BatchNorm_0"]) == {"mean", "var"}
