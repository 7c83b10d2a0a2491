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
@pytest.mark.slow
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


GRADIENTS = [np.array([0.5, -2.0], np.float32), np.array([1.0, 1.0], np.float32)]
SQUARES = np.stack(GRADIENTS) ** 2
SCHEDULE = optax.linear_schedule(0.1, 0.3, 2)  # 0.1 and 0.2 in the two updates

# By name: the optimizer, the step, and the step by hand after GRADIENTS. Each eps is large enough to be seen.
BY_HAND = {
    "adam": (
        optax.adam(SCHEDULE, b2=0.75, eps=0.25),
        stepsizes.adam(SCHEDULE, b2=0.75, eps=0.25),
        0.2 / (np.sqrt((0.75 * 0.25 * SQUARES[0] + 0.25 * SQUARES[1]) / (1 - 0.75**2)) + 0.25),
    ),
    "nadam": (
        optax.nadam(SCHEDULE, b1=0.5, b2=0.75, eps=0.25),
        stepsizes.nadam(SCHEDULE, b1=0.5, b2=0.75, eps=0.25),
        (0.5 * (1 - 0.5**2) / (1 - 0.5**3) + 0.5 / (1 - 0.5**2))
        * 0.2
        / (np.sqrt((0.75 * 0.25 * SQUARES[0] + 0.25 * SQUARES[1]) / (1 - 0.75**2)) + 0.25),
    ),
    "amsgrad": (
        optax.amsgrad(SCHEDULE, b2=0.75, eps=0.25),
        stepsizes.amsgrad(SCHEDULE, eps=0.25),
        0.2
        / (np.sqrt([(0.1875 * 0.25 + 0.25) / (1 - 0.75**2), 4.0]) + 0.25),  # the first average of the other is larger
    ),
    "adamax": (
        optax.adamax(SCHEDULE, b2=0.75, eps=0.25),
        stepsizes.adamax(SCHEDULE, eps=0.25),
        0.2 / np.maximum(0.75 * np.abs(GRADIENTS[0]) + 0.75 * 0.25, np.abs(GRADIENTS[1]) + 0.25),
    ),
    "rmsprop": (
        optax.rmsprop(SCHEDULE, decay=0.75, eps=0.25),
        stepsizes.rmsprop(SCHEDULE, eps=0.25),
        0.2 / np.sqrt(0.75 * 0.25 * SQUARES[0] + 0.25 * SQUARES[1] + 0.25),
    ),
    "rmsprop, eps outside": (
        optax.rmsprop(SCHEDULE, decay=0.75, eps=0.25, eps_in_sqrt=False),
        stepsizes.rmsprop(SCHEDULE, eps=0.25, eps_in_sqrt=False),
        0.2 / (np.sqrt(0.75 * 0.25 * SQUARES[0] + 0.25 * SQUARES[1]) + 0.25),
    ),
    "adagrad": (
        optax.adagrad(SCHEDULE, initial_accumulator_value=0.5, eps=0.25),
        stepsizes.adagrad(SCHEDULE, eps=0.25),
        0.2 / np.sqrt(0.5 + SQUARES.sum(0) + 0.25),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_by_hand(name):
    tx, step, expected = BY_HAND[name]
    state, params = after(tx, GRADIENTS)
    found = step.compute(state, jnp.int32(1), params)
    assert step.elementwise
    assert step.is_exact
    np.testing.assert_allclose(found["w"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "nadam", "amsgrad", "adamax", "rmsprop", "adagrad"])
def test_defaults_are_those_of_optax(name):
    """Gradients as small as eps show it; the decay rates show in the second update."""
    make, step = getattr(optax, name), getattr(stepsizes, name)
    gradients = [np.array([2e-8, 1e-4], np.float32), np.array([1e-8, 3e-4], np.float32)]
    tx = make(0.1, initial_accumulator_value=0.0) if name == "adagrad" else make(0.1)
    state, params = after(tx, gradients)
    known = {"adagrad": {"eps": 1e-7}}.get(name, {"eps": 1e-8})
    known |= {"adam": {"b2": 0.999}, "nadam": {"b1": 0.9, "b2": 0.999}}.get(name, {})
    expected, found = (s.compute(state, jnp.int32(1), params)["w"] for s in (step(0.1, **known), step(0.1)))
    np.testing.assert_array_equal(found, expected)
    if name not in ("rmsprop", "adagrad"):  # their first update does not have the size of a constant gradient
        start = [gradients[0]] * 2
        state, params = after(tx, start[:1])
        updates, state = tx.update({"w": jnp.asarray(start[0])}, state, params)
        moved = -np.asarray(updates["w"]) / start[0]
        np.testing.assert_allclose(step(0.1).compute(state, jnp.int32(1), params)["w"], moved, rtol=1e-4)


def test_injected_numbers_are_read_from_the_state():
    tx = optax.inject_hyperparams(optax.nadam)(learning_rate=0.2, b1=0.5, b2=0.75, eps=0.25)
    state, params = after(tx, GRADIENTS)
    expected = np.asarray(BY_HAND["nadam"][2])
    found = stepsizes.nadam(0.1, b1=0.9, b2=0.9, eps=1e-8).compute(state, jnp.int32(1), params)
    np.testing.assert_allclose(found["w"], expected, rtol=1e-5)


def test_the_step_of_a_leaf_is_over_its_own_entries():
    """By hand for Adagrad without eps: reached entries 3 and 4, then a leaf of zeros, then one without zeros."""
    tx = optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)
    params = {"some": jnp.ones(3), "none": jnp.ones(2), "all": jnp.ones(2)}
    grads = {"some": jnp.array([3.0, 0.0, 4.0]), "none": jnp.zeros(2), "all": jnp.array([0.5, 0.125])}
    _, state = tx.update(grads, tx.init(params), params)
    found = stepsizes.adagrad(0.1, eps=0.0).compute(state, jnp.int32(0), params)
    np.testing.assert_allclose(found["some"], 0.1 / np.sqrt([9, 12.5, 16]), rtol=1e-6)
    np.testing.assert_array_equal(found["none"], 0.0)
    np.testing.assert_allclose(found["all"], [0.2, 0.8], rtol=1e-6)


def test_steps_have_finite_derivatives_by_the_rate_where_no_gradient_was():
    state, params = after(optax.adagrad(0.1, initial_accumulator_value=0.0), [np.zeros(2, np.float32)])
    slope = jax.grad(lambda rate: jnp.sum(stepsizes.adagrad(rate, eps=0.0).compute(state, 0, params)["w"]))(0.1)
    assert float(slope) == 0.0


@pytest.mark.parametrize("make", [stepsizes.adam, stepsizes.nadam])
def test_decay_rates_are_below_one(make):
    make(0.1, b2=0.0)
    make(0.1, eps=0.0)
    for bad in (1.0, -0.1):
        with pytest.raises(ValueError, match=r"b2 must be in \[0, 1\)"):
            make(0.1, b2=bad)
    stepsizes.nadam(0.1, b1=0.0)
    with pytest.raises(ValueError, match=r"b1 must be in \[0, 1\)"):
        stepsizes.nadam(0.1, b1=-0.1)


def test_rmsprop_with_momentum_is_refused():
    state, params = after(optax.rmsprop(0.1, momentum=0.5), GRADIENTS)
    with pytest.raises(ValueError, match="RMSProp with momentum is not known"):
        stepsizes.rmsprop(0.1).compute(state, jnp.int32(1), params)


def test_a_gradient_smaller_than_eps_is_one_for_adamax():
    """Its norm is |g| + eps: 1.5 eps here, and eps for the entry without a gradient."""
    tx, step = optax.adamax(0.1, eps=0.25), stepsizes.adamax(0.1, eps=0.25)
    state, params = after(tx, [np.array([0.125, 0.0, 0.0], np.float32)])
    np.testing.assert_allclose(step.compute(state, jnp.int32(0), params)["w"], 0.1 / 0.375, rtol=1e-5)
