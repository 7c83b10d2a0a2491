import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.models import make_model
from regjax.models.mlp import ACTIVATIONS, MLP

KEY = jax.random.key(0)
RNGS = {"dropout": jax.random.key(1)}


def test_mlp_by_hand():
    model = make_model("mlp", num_outputs=1, widths=(2,), task="regression")
    params = {
        "hidden_0": {"kernel": jnp.array([[1.0, -1.0], [2.0, 0.0]]), "bias": jnp.array([0.5, 0.0])},
        "output": {"kernel": jnp.array([[3.0], [1.0]]), "bias": jnp.array([-1.0])},
    }
    # h = relu([1 + 2 + .5, -1]) = [3.5, 0]; 3 * 3.5 - 1 = 9.5
    np.testing.assert_allclose(model.apply({"params": params}, jnp.ones((1, 2))), [9.5])


def test_skip_connections_add_the_input():
    model = make_model("mlp", num_outputs=1, widths=(2, 2), skip=True, task="regression")
    identity, zero = jnp.eye(2), jnp.zeros(2)
    params = {
        "hidden_0": {"kernel": identity, "bias": zero},
        "hidden_1": {"kernel": 2 * identity, "bias": zero},
        "output": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
    }
    # x, x + relu(x), then + relu(2 (x + relu(x))): each entry 1 -> 2 -> 6, two of them
    np.testing.assert_allclose(model.apply({"params": params}, jnp.ones((1, 2))), [12.0])
    dropped = model.apply({"params": params}, jnp.ones((1, 2)), rates={"drop_path": 1.0}, rngs=RNGS)
    assert float(dropped[0]) in (2.0, 2.0 + 2.0 * 2)  # the first branch is dropped half of the time, the last always


@pytest.mark.slow
def test_concrete_rates_are_learned():
    """On pure noise the best rate is large; the gradient of the loss with its regularizer raises it."""

    model = make_model("mlp", num_outputs=2, widths=(16,), concrete=True)
    x = jax.random.normal(KEY, (64, 4))
    params = model.init(KEY, x)["params"]
    loss_fn = rj.build_loss(model.apply, "cross_entropy", rates={"concrete_dropout": 0.1})
    y = jax.random.bernoulli(jax.random.key(5), 0.5, (64,)).astype(jnp.int32)
    (loss, aux), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, rj.Batch(x, y), jax.random.key(1))
    assert set(aux.parts) == {"data_loss", "concrete_dropout"}
    assert float(aux.parts["concrete_dropout"]) < 0
    np.testing.assert_allclose(loss, sum(aux.parts.values()), rtol=1e-6)
    assert float(grads["output"]["rate_logit"]) < 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_activation_is_the_one_named(activation):
    named = {
        "relu": np.array([0.0, 0.5]),
        "tanh": np.tanh([-1.0, 0.5]),
        "selu": 1.0507009873554805 * np.array([1.6732632423543772 * np.expm1(-1.0), 0.5]),
        "gelu": [-0.158808, 0.345714],  # the approximation by tanh
    }
    params = {
        "hidden_0": {"kernel": jnp.array([[-1.0, 0.5]]), "bias": jnp.zeros(2)},
        "output": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)},
    }
    model = MLP(num_outputs=2, widths=(2,), activation=activation)
    np.testing.assert_allclose(model.apply({"params": params}, jnp.ones((1, 1)))[0], named[activation], atol=1e-5)


def test_batch_norm_stands_before_the_activation():
    model = MLP(num_outputs=1, widths=(1,), batch_norm=True, task="regression")
    variables = {
        "params": {
            "hidden_0": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)},
            "norm_0": {"scale": jnp.full(1, 2.0), "bias": jnp.full(1, 1.0)},
            "output": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)},
        },
        "batch_stats": {"norm_0": {"mean": jnp.full(1, 3.0), "var": jnp.full(1, 4.0)}},
    }
    # relu(2 (x - 3) / 2 + 1) of 5 and of 1
    np.testing.assert_allclose(model.apply(variables, jnp.array([[5.0], [1.0]])), [3.0, 0.0], rtol=1e-5)


def test_which_noises_there_are_follows_from_the_fields():
    plain = MLP(num_outputs=2, widths=(4, 4)).accepted_rates
    assert MLP(num_outputs=2, widths=(4, 4), skip=True).accepted_rates == (*plain, "drop_path")
    assert MLP(num_outputs=2, widths=(4, 4), concrete=True).accepted_rates == (*plain, "concrete_dropout")
    assert {"drop_path", "concrete_dropout"}.isdisjoint(plain)
