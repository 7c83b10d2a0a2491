"""Steps that are one number for each leaf, against the updates of the optimizers of optax under a constant gradient."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from regjax.optim import stepsizes
from regjax.optim.stepsizes import StepSize

RATE = optax.linear_schedule(0.1, 0.02, 4)


def moved(tx, count):
    """The size of each of the first updates for a constant gradient of one, and the state after it."""
    params = {"w": jnp.ones(())}
    state = tx.init(params)
    for _ in range(count):
        updates, state = tx.update({"w": jnp.ones(())}, state, params)
        yield -float(updates["w"]), state


# A schedule and momentum together have no one step: the momentum mixes the rates of several updates.
@pytest.mark.parametrize(
    ("rate", "momentum", "nesterov"),
    [(0.1, 0.0, False), (RATE, 0.0, False), (0.1, 0.5, False), (0.1, 0.9, False), (0.1, 0.5, True), (0.1, 0.9, True)],
)
def test_the_step_of_gradient_descent_is_what_the_optimizer_moves(rate, momentum, nesterov):
    step, tx = stepsizes.sgd(rate, momentum, nesterov=nesterov), optax.sgd(rate, momentum or None, nesterov=nesterov)
    assert not step.elementwise
    assert step.is_exact
    for count, (size, state) in enumerate(moved(tx, 5)):
        assert float(step.compute(state, jnp.int32(count), {})) == pytest.approx(size, rel=1e-5)


def test_steps_by_hand():
    # The third update: 0.1 (1 + 0.5 + 0.25), and with Nesterov's correction one power more.
    assert float(stepsizes.sgd(0.1, 0.5).compute((), jnp.int32(2), {})) == pytest.approx(0.175)
    assert float(stepsizes.sgd(0.1, 0.5, nesterov=True).compute((), jnp.int32(2), {})) == pytest.approx(0.1875)
    assert float(stepsizes.sgd(0.1).compute((), jnp.int32(2), {})) == pytest.approx(0.1)
    assert float(stepsizes.sgd(0.1, nesterov=True).compute((), jnp.int32(2), {})) == pytest.approx(0.1)
    assert float(stepsizes.plain(RATE).compute((), jnp.int32(2), {})) == pytest.approx(0.06)
    assert float(stepsizes.frozen().compute((), 3, {})) == 0.0


def test_injected_rate_and_momentum_are_read_from_the_state():
    tx = optax.inject_hyperparams(optax.sgd)(learning_rate=0.2, momentum=0.5)
    state = tx.init({"w": jnp.ones(())})
    assert float(stepsizes.sgd(0.1, 0.9).compute(state, jnp.int32(1), {})) == pytest.approx(0.2 * 1.5)
    assert float(stepsizes.plain(0.1).compute(state, jnp.int32(1), {})) == pytest.approx(0.2)


def test_what_each_step_claims():
    assert (stepsizes.plain(0.1).elementwise, stepsizes.plain(0.1).is_exact) == (False, False)
    assert (stepsizes.frozen().elementwise, stepsizes.frozen().is_exact) == (False, True)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stepsizes.sgd(0.0),
        lambda: stepsizes.plain(0.0),
        lambda: stepsizes.sgd(0.1, momentum=1.0),
        lambda: stepsizes.sgd(0.1, momentum=-0.1),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()


PARAMS = {"body": {"a": jnp.ones(2), "b": jnp.ones(3)}, "head": jnp.ones(2)}


def partitioned(labels, **optimizers):
    return optax.partition(optimizers, labels).init(PARAMS)


def test_each_leaf_has_the_step_of_its_label():
    """A label of a subtree holds for its leaves; labels may be a function of the parameters."""
    labels = {"body": "slow", "head": "fast"}
    steps = {"slow": stepsizes.sgd(0.01), "fast": stepsizes.sgd(0.1, 0.5)}
    state = partitioned(labels, slow=optax.sgd(0.01), fast=optax.sgd(0.1, 0.5))
    for given in (labels, lambda params: labels):
        step = stepsizes.partition(steps, given)
        assert (step.elementwise, step.is_exact) == (False, True)
        found = step.compute(state, jnp.int32(1), PARAMS)
        assert float(found["body"]["a"]) == float(found["body"]["b"]) == pytest.approx(0.01)
        assert float(found["head"]) == pytest.approx(0.15)


def test_steps_of_single_entries_go_to_their_leaves():
    labels = {"body": {"a": "adam", "b": "still"}, "head": "adam"}
    tx = optax.partition({"adam": optax.adam(0.1), "still": optax.set_to_zero()}, labels)
    grads = {"body": {"a": jnp.array([1.0, 2.0]), "b": jnp.ones(3)}, "head": jnp.array([4.0, 8.0])}
    _, state = tx.update(grads, tx.init(PARAMS), PARAMS)
    step = stepsizes.partition({"adam": stepsizes.adam(0.1), "still": stepsizes.frozen()}, labels)
    assert step.elementwise
    found = step.compute(state, jnp.int32(0), PARAMS)
    np.testing.assert_allclose(found["body"]["a"], [0.1, 0.05], rtol=1e-5)  # rate over the size of the gradient
    np.testing.assert_allclose(found["head"], [0.025, 0.0125], rtol=1e-5)
    assert float(found["body"]["b"]) == 0.0


def test_one_step_that_is_not_exact_makes_the_partition_inexact():
    steps = {"a": stepsizes.sgd(0.1), "b": stepsizes.plain(0.1)}
    assert not stepsizes.partition(steps, {"body": "a", "head": "b"}).is_exact


def test_a_step_of_fewer_leaves_than_its_label_is_refused():
    labels = {"body": "slow", "head": "slow"}
    short = StepSize(lambda state, count, params: [0.1, 0.2], elementwise=True)
    state = partitioned(labels, slow=optax.sgd(0.01))
    with pytest.raises(ValueError, match="zip"):
        stepsizes.partition({"slow": short}, labels).compute(state, jnp.int32(0), PARAMS)


def test_labels_without_a_step_are_refused_by_name():
    labels = {"body": "slow", "head": "fast"}
    state = partitioned(labels, slow=optax.sgd(0.01), fast=optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"no step for the labels fast; given: \['slow'\]"):
        stepsizes.partition({"slow": stepsizes.sgd(0.01)}, labels).compute(state, jnp.int32(0), PARAMS)
    with pytest.raises(ValueError, match="must hold one PartitionState, found 0"):
        stepsizes.partition({"slow": stepsizes.sgd(0.01)}, labels).compute((), jnp.int32(0), PARAMS)
