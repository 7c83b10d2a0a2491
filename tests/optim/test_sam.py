import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj

X = jax.random.normal(jax.random.key(0), (32, 4))
BATCH = rj.Batch(X, X @ jnp.array([[1.0], [-2.0], [0.5], [0.0]]))
PARAMS = {"kernel": jax.random.normal(jax.random.key(1), (4, 1))}


def loss(params):
    return jnp.mean(jnp.square(BATCH.y - X @ params["kernel"]))


def test_sam_by_hand():
    """The gradient at w + rho g / ||g||, applied at w."""
    g = jax.grad(loss)(PARAMS)["kernel"]
    nearby = {"kernel": PARAMS["kernel"] + 0.3 * g / jnp.linalg.norm(g)}
    expected = PARAMS["kernel"] - 0.1 * jax.grad(loss)(nearby)["kernel"]
    tx = rj.sam(optax.sgd(0.1), rho=0.3)
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse")
    state, _ = rj.make_step(loss_fn, tx)(None, rj.init_train_state(PARAMS, {}, tx), BATCH, jax.random.key(0))
    np.testing.assert_allclose(state.params["kernel"], expected, rtol=1e-5)


def test_sam_counts_as_one_step():
    tx = rj.sam(rj.make_optimizer("adam", 0.1, penalty=rj.l1(0.1), mode="proximal"), rho=0.1)
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse")
    step, state = jax.jit(rj.make_step(loss_fn, tx)), rj.init_train_state(PARAMS, {}, tx)
    for i in range(3):
        state, _ = step(None, state, BATCH, jax.random.key(i))
    assert int(state.step) == 3
    assert int(optax.tree.get(state.opt_state.opt_state, "count", filtering=lambda p, _: "inner" not in str(p))) == 3


def test_sam_with_radius_zero_and_at_a_stationary_point():
    tx, plain = rj.sam(optax.sgd(0.1), rho=0.0), optax.sgd(0.1)
    grads = jax.grad(loss)(PARAMS)
    ours, _ = tx.update(grads, tx.init(PARAMS), PARAMS, grad_fn=lambda p, i: jax.grad(loss)(p))
    theirs, _ = plain.update(grads, plain.init(PARAMS), PARAMS)
    np.testing.assert_allclose(ours["kernel"], theirs["kernel"], rtol=1e-6)
    flat = jax.tree.map(jnp.zeros_like, PARAMS)
    tx = rj.sam(optax.sgd(0.1), rho=0.5)
    still, _ = tx.update(flat, tx.init(PARAMS), PARAMS, grad_fn=lambda p, i: flat)
    np.testing.assert_array_equal(still["kernel"], 0.0)


def test_the_penalty_of_the_inner_optimizer_acts_at_the_weights_themselves():
    tx = rj.sam(rj.make_optimizer("sgd", 0.5, penalty=rj.l2(0.1), mode="decoupled"), rho=1.0)
    params = {"kernel": jnp.full((1, 1), 2.0)}
    updates, _ = tx.update(params, tx.init(params), params, grad_fn=lambda p, i: jax.tree.map(lambda w: 2 * w, p))
    # The gradient of w^2 at 3 is 6; the decay of l2(0.1) at 2 is 0.4.
    np.testing.assert_allclose(updates["kernel"], -0.5 * (6 + 0.4), rtol=1e-6)


def test_what_sam_refuses():
    for rho in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"sam: rho must be >= 0.*, got {rho}"):
            rj.sam(optax.sgd(0.1), rho)
    tx = rj.sam(optax.sgd(0.1))
    with pytest.raises(ValueError, match="sam: update needs grad_fn="):
        tx.update(PARAMS, tx.init(PARAMS), PARAMS)
