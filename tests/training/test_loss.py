import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.models.interface import as_model

MODEL = rj.models.make_model("mlp", num_outputs=3, widths=(8,))
X = jax.random.normal(jax.random.key(0), (10, 4))
BATCH = rj.Batch(X, jnp.arange(10, dtype=jnp.int32) % 3)
PARAMS = MODEL.init(jax.random.key(1), X)["params"]


@pytest.mark.slow
def test_parts_add_up_and_penalties_are_not_divided_by_the_batch():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", rj.l1(0.1) + rj.l2(0.2))
    loss, aux = loss_fn(PARAMS, BATCH, train=False)
    assert list(aux.parts) == ["data_loss", "l1", "l2"]
    np.testing.assert_allclose(loss, sum(aux.parts.values()), rtol=1e-6)
    half = rj.Batch(X[:5], BATCH.y[:5])
    assert loss_fn(PARAMS, half, train=False)[1].parts["l2"] == aux.parts["l2"]


@pytest.mark.slow
def test_weights_leave_examples_out():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy")
    padded = rj.Batch(X, BATCH.y, jnp.arange(10) < 6)
    alone = rj.Batch(X[:6], BATCH.y[:6])
    np.testing.assert_allclose(
        loss_fn(PARAMS, padded, train=False)[0], loss_fn(PARAMS, alone, train=False)[0], rtol=1e-6
    )


def test_training_is_random_by_key_and_inference_is_not():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", rates={"dropout": 0.5})
    one, same, other = (loss_fn(PARAMS, BATCH, jax.random.key(k))[0] for k in (0, 0, 1))
    assert one == same != other
    assert loss_fn(PARAMS, BATCH, train=False)[0] == loss_fn(PARAMS, BATCH, jax.random.key(5), train=False)[0]
    with pytest.raises(ValueError, match="rngs="):
        loss_fn(PARAMS, BATCH)


def test_rates_for_a_model_that_takes_none():
    loss_fn = rj.build_loss(nn.Dense(3).apply, "cross_entropy", rates={"dropout": 0.5})
    params = nn.Dense(3).init(jax.random.key(0), X)["params"]
    with pytest.raises(ValueError, match="takes no argument 'rates'"):
        loss_fn(params, BATCH, jax.random.key(0))


def test_transform_batch_needs_a_key_and_acts_in_training_only():
    def double(key, batch, hparams):
        return batch._replace(x=2 * batch.x)

    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", transform_batch=double)
    with pytest.raises(ValueError, match="needs a key"):
        loss_fn(PARAMS, BATCH)
    plain = rj.build_loss(MODEL.apply, "cross_entropy")
    assert loss_fn(PARAMS, BATCH, train=False)[0] == plain(PARAMS, BATCH, train=False)[0]
    np.testing.assert_allclose(
        loss_fn(PARAMS, BATCH, jax.random.key(0))[0], plain(PARAMS, rj.Batch(2 * X, BATCH.y), train=False)[0], rtol=1e-6
    )


def test_a_loss_of_ones_own():
    scalar = rj.build_loss(MODEL.apply, lambda f, y: jnp.mean(jnp.square(f)))
    np.testing.assert_allclose(
        scalar(PARAMS, BATCH, train=False)[0], jnp.mean(jnp.square(MODEL.apply({"params": PARAMS}, X))), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"\(10, 3\)"):
        rj.build_loss(MODEL.apply, lambda f, y: f)(PARAMS, BATCH, train=False)


def squares(outputs, y):
    del y
    return jnp.square(outputs).mean(axis=1)


@pytest.mark.parametrize(
    "y", [None, {"a": BATCH.y, "b": X}, (BATCH.y, BATCH.y), 3.0], ids=["None", "dict", "pair", "scalar"]
)
def test_a_loss_of_ones_own_takes_targets_of_any_structure(y):
    weight = jnp.arange(10.0)
    loss_fn = rj.build_loss(MODEL.apply, squares)
    each = squares(MODEL.apply({"params": PARAMS}, X), None)
    found = loss_fn(PARAMS, rj.Batch(X, y, weight), train=False)[0]
    np.testing.assert_allclose(found, np.average(each, weights=weight), rtol=1e-6)
    tx = rj.make_optimizer("sgd", 0.1)
    state = rj.init_train_state(PARAMS, {}, tx)
    if y is not None:
        assert rj.make_step(loss_fn, tx)(None, state, rj.Batch(X, y, weight), jax.random.key(0))[1]["loss"] == found
    with pytest.raises(ValueError, match=r"\(3,\)"):
        rj.build_loss(MODEL.apply, lambda f, y: f[0])(PARAMS, rj.Batch(X, y), train=False)


@pytest.mark.slow
def test_the_same_term_through_two_routes_is_refused():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", rj.l2(0.1))
    tx = rj.make_optimizer("adam", 0.01, penalty=rj.l2(0.1), mode="decoupled")
    state = rj.init_train_state(PARAMS, {}, tx)
    with pytest.raises(ValueError, match=r"l2 acts on hidden_0/kernel in two modes, decoupled and loss"):
        rj.make_step(loss_fn, tx)(None, state, BATCH, jax.random.key(0))
    # Another kind, or other leaves, is allowed; so is one mode twice.
    for penalty in (rj.l1(0.1), rj.l2(0.1, where="output/kernel")):
        other = rj.make_optimizer("adam", 0.01, penalty=rj.l2(0.1, where="hidden"), mode="decoupled")
        step = rj.make_step(rj.build_loss(MODEL.apply, "cross_entropy", penalty), other)
        step(None, rj.init_train_state(PARAMS, {}, other), BATCH, jax.random.key(0))


@pytest.mark.slow
def test_step_is_the_update_of_optax():
    loss_fn, tx = rj.build_loss(MODEL.apply, "cross_entropy"), optax.sgd(0.1)
    state, metrics = rj.make_step(loss_fn, tx)(None, rj.init_train_state(PARAMS, {}, tx), BATCH, jax.random.key(0))
    gradient = jax.grad(lambda p: loss_fn(p, BATCH, train=False)[0])(PARAMS)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, PARAMS, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), state.params, expected)
    assert int(state.step) == 1
    assert set(metrics) == {"loss", "data_loss"}


def test_as_model_takes_pairs_that_take_options():
    seen = {}

    def apply(params, x, train=False, rngs=None):
        seen.update(train=train, rngs=rngs)
        return x @ params

    model = as_model((lambda key, x: jnp.ones((4, 3)), apply))
    params, _ = model.init(jax.random.key(0), X)
    loss_fn = rj.build_loss(model.apply, "cross_entropy")
    loss_fn(params, BATCH, jax.random.key(0))
    assert seen["train"]
    assert set(seen["rngs"]) == {"dropout"}
    assert hash(model.apply) == hash(as_model((lambda: 0, apply)).apply)
    with pytest.raises(ValueError, match=r"a pair \(init, apply\)"):
        as_model(3)


@pytest.mark.slow
def test_a_tree_of_strengths_is_checked_on_the_leaves_it_names():
    """It may name biases alone, and another mode may have the leaves that it leaves out."""
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["a"] + v["params"]["b"], "mse", rj.l1({"b": 0.1}))
    params, batch = {"a": jnp.ones(2), "b": jnp.ones(())}, rj.Batch(jnp.ones((3, 2)), jnp.zeros(3))

    def one(where):
        tx = rj.make_optimizer("sgd", 0.1, penalty=rj.l1(0.1, where=where), mode="decoupled")
        return rj.make_step(loss_fn, tx)(None, rj.init_train_state(params, {}, tx), batch, jax.random.key(0))

    assert int(one("a")[0].step) == 1
    with pytest.raises(ValueError, match="l1 acts on b in two modes, decoupled and loss"):
        one("b")
