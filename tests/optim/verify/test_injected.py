"""Which changes of an injected hyperparameter a penalty would miss."""

import jax.numpy as jnp
import optax
import pytest

import regjax as rj
from regjax.optim import stepsizes

PARAMS = {"w": jnp.ones((2, 2))}


def injected(build, **numbers):
    return optax.inject_hyperparams(build)(**numbers)


def regularized(tx, stepsize):
    return rj.regularize(tx, rj.l1(0.1), mode="proximal", stepsize=stepsize)


def test_a_rate_and_a_momentum_that_the_step_reads_are_followed():
    tx = injected(lambda learning_rate, momentum: optax.sgd(learning_rate, momentum), learning_rate=0.1, momentum=0.9)
    regularized(tx, stepsizes.sgd(0.1, momentum=0.9)).init(PARAMS)


def test_a_factor_that_the_step_does_not_read_is_refused_by_its_name():
    tx = injected(lambda learning_rate, boost: optax.sgd(learning_rate * boost), learning_rate=0.1, boost=1.0)
    with pytest.raises(ValueError, match="'boost' would change the updates of this optimizer and not its penalty"):
        regularized(tx, stepsizes.sgd(0.1)).init(PARAMS)


def test_a_number_that_changes_no_update_may_have_any_name():
    def build(learning_rate, unused):
        del unused
        return optax.sgd(learning_rate)

    regularized(injected(build, learning_rate=0.1, unused=3.0), stepsizes.sgd(0.1)).init(PARAMS)
