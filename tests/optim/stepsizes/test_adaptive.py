import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.optim import stepsizes

MAKERS = {
    "adam": (optax.adam, stepsizes.adam),
    "nadam": (optax.nadam, stepsizes.nadam),
    "amsgrad": (optax.amsgrad, stepsizes.amsgrad),
    "adamax": (optax.adamax, stepsizes.adamax),
    "rmsprop": (optax.rmsprop, stepsizes.rmsprop),
    "adagrad": (
        lambda rate: optax.adagrad(rate, initial_accumulator_value=0.0, eps=1e-8),
        lambda rate: stepsizes.adagrad(rate, 1e-8),
    ),
}


def after(tx, gradients):
    """The state after updates with these gradients of `{"w": ...}`, and their number."""
    params = {"w": jnp.ones_like(jnp.asarray(gradients[0]))}
    state = tx.init(params)
    for gradient in gradients:
        _, state = tx.update({"w": jnp.asarray(gradient)}, state, params)
    return state, params


@pytest.mark.parametrize("name", MAKERS)
def test_the_step_is_what_the_optimizer_moves_under_a_constant_gradient(name):
    make, step = MAKERS[name]
    gradient = np.array([0.5, -2.0, 1e-3], np.float32)
    tx, params = make(0.1), {"w": jnp.ones(3)}
    state = tx.init(params)
    for count in range(5):
        updates, state = tx.update({"w": jnp.asarray(gradient)}, state, params)
        t = step(0.1).compute(state, jnp.int32(count), params)["w"]
        np.testing.assert_allclose(updates["w"], -np.asarray(t) * gradient, rtol=2e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_an_entry_without_a_gradient_takes_the_step_of_its_leaf(name):
    """By hand: with gradients 3 and 4 of the others, the root mean square of the second moment is sqrt(12.5)."""
    make, step = MAKERS[name]
    state, params = after(make(0.1), [np.array([3.0, 4.0, 0.0], np.float32)])
    t = np.asarray(step(0.1).compute(state, jnp.int32(0), params)["w"])
    scale = t[0] * 3.0 / 0.1  # what the optimizer has besides: RMSProp's first average, Nesterov's gain
    np.testing.assert_allclose(t, 0.1 * scale / np.array([3.0, 4.0, np.sqrt(12.5)]), rtol=1e-4)
    state, params = after(make(0.1), [np.zeros(3, np.float32)])
    np.testing.assert_array_equal(step(0.1).compute(state, jnp.int32(0), params)["w"], 0.0)


@pytest.mark.parametrize("name", MAKERS)
def test_unused_rows_are_not_erased_and_vanish_in_time(name):
    """An embedding of which one row is used: the others shrink as fast as a used weight, to exact zeros at last."""
    make, step = MAKERS[name]
    tx = rj.regularize(make(0.03), rj.l1(0.5), mode="proximal", stepsize=step(0.03))
    params = {"embedding": jnp.ones((4, 2))}
    state = tx.init(params)

    def update(carry, _):
        params, state = carry
        grads = {"embedding": jnp.zeros((4, 2)).at[0].set(1.0)}
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params["embedding"][1]

    _, unused = jax.jit(lambda c: jax.lax.scan(update, c, None, length=3000))((params, state))
    assert np.all(np.asarray(unused[0]) > 0.9)
    assert np.all(np.diff(unused[:20], axis=0) < 0)
    np.testing.assert_array_equal(unused[-1], 0.0)


def test_a_gradient_that_is_not_finite_spreads_to_its_entry_alone():
    state, params = after(optax.adam(0.1), [np.array([1.0, np.nan, 0.0], np.float32)])
    t = np.asarray(stepsizes.adam(0.1).compute(state, jnp.int32(0), params)["w"])
    assert np.isnan(t[1])
    np.testing.assert_allclose(t[[0, 2]], 0.1, rtol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stepsizes.nadam(0.1, b1=1.0),
        lambda: stepsizes.adam(0.1, b2=-0.1),
        lambda: stepsizes.amsgrad(0.0),
        lambda: stepsizes.adamax(0.1, eps=-1.0),
        lambda: stepsizes.adagrad(float("nan")),
        lambda: stepsizes.rmsprop(-1.0),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
