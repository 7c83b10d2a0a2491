"""bfloat16 in the model's arithmetic, float32 everywhere else."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.core.typing import Batch

pytestmark = pytest.mark.slow


class Probe(nn.Module):
    """Records in which types it computes, and keeps a running mean."""

    @nn.compact
    def __call__(self, x, train=False):
        kernel = self.param("kernel", nn.initializers.ones, (x.shape[-1], 1))
        mean = self.variable("batch_stats", "mean", jnp.zeros, (x.shape[-1],))
        dtypes.append((x.dtype, kernel.dtype, mean.value.dtype))
        if train:
            mean.value = 0.9 * mean.value + 0.1 * x.mean(0)
        return (x @ kernel)[:, 0]


dtypes = []


def test_the_model_computes_in_bfloat16_and_everything_else_in_float32():
    dtypes.clear()
    model = Probe()
    variables = model.init(jax.random.key(0), jnp.ones((1, 3)))
    loss_fn = rj.build_loss(model.apply, "mse", rj.l2(0.1), compute_dtype=jnp.bfloat16)
    x, y = jnp.full((8, 3), 1.0 + 2**-9), jnp.zeros(8)  # bfloat16 cannot tell this from 1
    dtypes.clear()
    state = {"batch_stats": variables["batch_stats"]}
    (loss, aux), grads = jax.value_and_grad(loss_fn, has_aux=True)(variables["params"], Batch(x, y), model_state=state)
    assert dtypes == [(jnp.bfloat16, jnp.bfloat16, jnp.float32)]
    assert (loss.dtype, grads["kernel"].dtype) == (jnp.float32, jnp.float32)
    assert aux.model_state["batch_stats"]["mean"].dtype == jnp.float32
    # The penalty is of the float32 weights: 0.1 * 3; the data loss is that of inputs rounded to 1.
    np.testing.assert_allclose(aux.parts["l2"], 0.3, rtol=1e-6)
    np.testing.assert_allclose(aux.parts["data_loss"], 9.0, rtol=1e-6)
    np.testing.assert_allclose(aux.model_state["batch_stats"]["mean"], 0.1, rtol=1e-2)
    # In evaluation nothing is rounded.
    dtypes.clear()
    loss, _ = loss_fn(variables["params"], Batch(x, y), model_state=state, train=False)
    assert dtypes[0][0] == jnp.float32
    np.testing.assert_allclose(loss, 9.0 * (1 + 2**-9) ** 2 + 0.3, rtol=1e-6)


def test_small_changes_of_weights_are_not_lost():
    """An update of 1e-4 of a weight of 1 is below the resolution of bfloat16 (2^-8), and must add up."""
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["w"], "mse", compute_dtype=jnp.bfloat16)
    step = jax.jit(rj.make_step(loss_fn, rj.make_optimizer("sgd", 1e-4)))
    state = rj.init_train_state({"w": jnp.ones(1)}, {}, rj.make_optimizer("sgd", 1e-4))
    for i in range(50):
        state, _ = step(None, state, Batch(jnp.ones((4, 1)), jnp.zeros(4)), jax.random.key(i))
    np.testing.assert_allclose(state.params["w"], (1 - 2e-4) ** 50, rtol=1e-4)


MODELS = {
    "mlp": {"widths": (16,)},
    "cnn": {"widths": (4,), "dense": 8},
    "resnet": {"widths": (4,), "blocks": 1},
    "vit": {"width": 8, "depth": 1, "heads": 2},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_in_bfloat16_with_float32_state(name):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(64, 8, 8, 1)).astype(np.float32))
    y = jnp.asarray((rng.random(64) < 0.5).astype(np.int32))
    x = x.at[:, 0, 0, 0].add(4.0 * y)
    model = rj.models.make_model(name, num_outputs=2, **MODELS[name])
    spec = rj.Spec(model, num_classes=2, batch_size=32, steps_per_epoch=2, epochs=2, precision="bfloat16")
    data = rj.TrainData(x, y, jnp.arange(64), x, y)
    numbers = rj.make_hparams(n_train=64, learning_rate=0.01, output_penalties=[rj.activity_l2(1e-3)])
    half = rj.fit(spec, numbers, jax.random.key(0), data)
    floats = [leaf.dtype for leaf in jax.tree.leaves(half.state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert set(floats) == {np.dtype("float32")}
    whole = rj.fit(dataclasses.replace(spec, precision="float32"), numbers, jax.random.key(0), data)
    losses = [fitted.state.history.values["val/loss"] for fitted in (half, whole)]
    assert not np.array_equal(*losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.1)


def products_of(jaxpr):
    """The types of the factors of every matrix product, also inside loops and functions."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield tuple(str(factor.aval.dtype) for factor in equation.invars)
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, list | tuple) else [parameter]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from products_of(inner)


@pytest.mark.parametrize("name", MODELS)
def test_no_noise_brings_a_product_back_to_float32(name):
    model, x = rj.models.make_model(name, num_outputs=3, **MODELS[name]), jnp.ones((8, 8, 8, 1))
    variables = model.init(jax.random.key(0), x)
    params = variables.pop("params")
    batch, key = Batch(x, jnp.zeros(8, jnp.int32)), jax.random.key(0)
    for noise in (*model.accepted_rates, "drop_connect", "weight_noise"):
        loss_fn = rj.build_loss(model.apply, "cross_entropy", rates={noise: 0.2}, compute_dtype=jnp.bfloat16)
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        found = set(products_of(jax.make_jaxpr(lambda p: gradient(p, batch, key, model_state=variables))(params).jaxpr))  # noqa: B023
        assert found == {("bfloat16", "bfloat16")}, noise


def test_an_unknown_precision_is_refused(spec):
    with pytest.raises(ValueError, match="precision 'float16'"):
        dataclasses.replace(spec, precision="float16")
