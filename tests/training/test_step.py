"""One update: by hand in NumPy, its order, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5], np.float32)
KEY = jax.random.key(0)


def linear(variables, x):
    return x @ variables["params"]["kernel"][:, 0]


def stepped(loss, tx, count=1, hparams=None, **options):
    """The state and the metrics of the last of some updates from a kernel of ones."""
    made = tx if isinstance(tx, optax.GradientTransformation | optax.MultiSteps) else tx(hparams)
    state = rj.init_train_state({"kernel": jnp.ones((3, 1))}, {}, made)
    step = jax.jit(rj.make_step(loss, tx, **options))
    for i in range(count):
        state, metrics = step(hparams, state, rj.Batch(X, Y), jax.random.key(i))
    return state, metrics


def by_hand(w, rate, l2=0.0):
    """One step of gradient descent on the mean squared error with an L2 penalty."""
    return w - rate * (2 / len(X) * X.T @ (X @ w - Y) + 2 * l2 * w)


def test_an_update_by_hand_with_metrics_of_the_weights_before_it():
    state, metrics = stepped(rj.build_loss(linear, "mse", rj.l2(0.1)), optax.sgd(0.05))
    ones = np.ones(3)
    np.testing.assert_allclose(state.params["kernel"][:, 0], by_hand(ones, 0.05, 0.1), rtol=1e-5)
    error = np.mean((X @ ones - Y) ** 2)
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(
        {"loss": error + 0.3, "data_loss": error, "l2": 0.3}, rel=1e-5
    )
    assert int(state.step) == 1


def test_hyperparameters_are_data():
    traces = []

    def make_tx(hparams):
        traces.append(hparams)
        return optax.sgd(hparams)

    step = jax.jit(rj.make_step(rj.build_loss(linear, "mse"), make_tx))
    for rate in (0.1, 0.2):
        state = rj.init_train_state({"kernel": jnp.ones((3, 1))}, {}, optax.sgd(rate))
        state, _ = step(jnp.float32(rate), state, rj.Batch(X, Y), KEY)
        np.testing.assert_allclose(state.params["kernel"][:, 0], by_hand(np.ones(3), rate), rtol=1e-5)
    assert len(traces) == 1


def test_a_constraint_holds_after_every_update():
    state, _ = stepped(rj.build_loss(linear, "mse"), optax.sgd(0.05), 3, constraint=rj.box(-0.3, 0.3))
    kernel = np.asarray(state.params["kernel"])
    assert np.all(np.abs(kernel) <= 0.3)
    assert np.any(np.abs(kernel) == np.float32(0.3))


def test_accumulated_updates_come_at_the_last_micro_step():
    loss = rj.build_loss(linear, "mse")
    early, _ = stepped(loss, optax.MultiSteps(optax.sgd(0.05), 3), 2)
    late, _ = stepped(loss, optax.MultiSteps(optax.sgd(0.05), 3), 3)
    np.testing.assert_array_equal(early.params["kernel"], 1.0)
    np.testing.assert_allclose(late.params["kernel"][:, 0], by_hand(np.ones(3), 0.05), rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_micro_batches_give_the_update_of_the_whole_batch(size):
    loss = rj.build_loss(linear, "mse", rj.l2(0.1))
    whole, _ = stepped(loss, optax.sgd(0.05), 2)
    parts, _ = stepped(loss, optax.sgd(0.05), 2, micro_batch=size)
    np.testing.assert_allclose(parts.params["kernel"], whole.params["kernel"], rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "tx", "message"),
    [
        (
            lambda: rj.build_loss(linear, "mse", rj.l2(0.1)),
            lambda: rj.make_optimizer("sgd", 0.1, penalty=rj.l2(0.1), mode="decoupled"),
            "l2 acts on kernel in two modes, decoupled and loss",
        ),
        (
            lambda: rj.build_loss(linear, "mse"),
            lambda: optax.chain(optax.sgd(0.1), rj.add_penalty(rj.l2(0.1))),
            "uphill",
        ),
        (lambda: rj.build_loss(linear, "mse", lambda _: rj.l0(0.1)), lambda: optax.sgd(0.1), "l0"),
    ],
)
def test_what_would_train_something_else_is_refused(loss, tx, message):
    with pytest.raises(ValueError, match=message):
        stepped(loss(), tx())
