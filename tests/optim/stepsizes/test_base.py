"""How a step size reads hyperparameters and states of an optimizer."""

import dataclasses

import jax.numpy as jnp
import optax
import pytest

from regjax.optim import stepsizes
from regjax.optim.stepsizes.base import StepSize, at_step, check_rate, current, only, states

PARAMS = {"w": jnp.ones(2)}


def injected(**numbers):
    return optax.inject_hyperparams(optax.sgd)(**numbers).init(PARAMS)


def test_a_rate_is_a_number_or_a_schedule_of_the_count():
    assert at_step(0.5, 3) == 0.5
    assert at_step(lambda count: 0.5 * count, 3) == 1.5


def test_an_injected_number_goes_before_the_default():
    state = injected(learning_rate=0.25)
    assert float(current("learning_rate", 0.1, state, 0)) == 0.25
    state.hyperparams["learning_rate"] = 0.125  # by hand, in the middle of a run
    assert current("learning_rate", 0.1, state, 0) == 0.125
    assert current("momentum", 0.9, injected(learning_rate=0.25), 0) == 0.9
    assert current("learning_rate", lambda count: 2.0 * count, optax.sgd(0.1).init(PARAMS), 3) == 6.0


def test_two_injected_numbers_of_one_name_are_refused():
    state = (injected(learning_rate=0.25), injected(learning_rate=0.5))
    with pytest.raises(ValueError, match="2 injected hyperparameters are called learning_rate"):
        current("learning_rate", 0.1, state, 0)


def test_states_of_a_kind_are_the_outermost():
    inner = optax.TraceState(1)
    outer = optax.TraceState({"inside": inner})
    tree = {"a": outer, "b": [inner, optax.EmptyState(), 3.0]}
    assert states(optax.TraceState, tree) == [outer, inner]
    assert states(optax.ScaleByAdamState, tree) == []


def test_exactly_one_state_of_a_kind_is_wanted():
    adam = optax.scale_by_adam().init(PARAMS)
    assert only("here", optax.ScaleByAdamState, (adam, optax.EmptyState())) is adam
    for several in ((), (adam, adam)):
        with pytest.raises(ValueError, match=rf"here: .* one ScaleByAdamState, found {len(several)}"):
            only("here", optax.ScaleByAdamState, several)


def test_a_known_rate_is_positive():
    check_rate("here", 1e-9)
    check_rate("here", lambda count: 0.0)  # a schedule is not called
    for bad in (0.0, -0.5, float("nan")):
        with pytest.raises(ValueError, match=rf"here: learning_rate must be .*got {bad}"):
            check_rate("here", bad)


def test_a_step_claims_to_be_exact_unless_it_says_otherwise():
    made = StepSize(lambda state, count, params: 0.1, elementwise=False)
    assert made.is_exact
    assert not stepsizes.plain(0.1).is_exact
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.is_exact = False
