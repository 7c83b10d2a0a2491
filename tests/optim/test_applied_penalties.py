"""What an optimizer says about the penalties inside it."""

import jax
import jax.numpy as jnp
import optax
import pytest

import regjax as rj
from regjax.optim.applied_penalties import acting_leaves, applied_penalties, applied_penalty, with_extra_arguments
from regjax.optim.optimizers import with_penalties

PARAMS = {"dense": {"bias": jnp.ones(2), "kernel": jnp.ones((2, 2))}, "out": {"kernel": jnp.ones((2, 1))}}


def start():
    return {"kernel": jnp.ones((4, 1))}


def test_routes_ride_in_the_state():
    tx = with_penalties("adam", 0.1, {"proximal": rj.l1(0.1), "coupled": rj.l2(0.1)})
    found = {applied.mode: applied.terms for applied in applied_penalties(tx.init(start()))}
    assert found == {"proximal": (("l1", None),), "coupled": (("l2", None),)}


def test_a_sum_and_a_term_of_parts_are_recorded_by_kind():
    penalty = rj.elastic_net(0.1) + rj.group_lasso(0.2, where="out/")
    record = applied_penalty("proximal", penalty)
    assert record.mode == "proximal"
    assert record.terms == (("l1", None), ("l2", None), ("group_lasso", "out/"))


def test_records_are_structure_and_no_leaves():
    tx = rj.make_optimizer("sgd", 0.1, penalty=rj.l1(0.1), mode="proximal")
    state = tx.init(PARAMS)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
    passed = jax.jit(lambda s: s)(state)
    assert applied_penalties(passed) == applied_penalties(state) != ()
    assert applied_penalties(optax.sgd(0.1).init(PARAMS)) == ()


def test_penalties_are_found_wherever_they_are_nested():
    tx = rj.make_optimizer("sgd", 0.1, penalty=rj.l1(0.1), mode="proximal")
    nested = optax.MultiSteps(optax.chain(optax.clip(1.0), tx), 2)
    assert [record.terms for record in applied_penalties(nested.init(PARAMS))] == [(("l1", None),)]


def test_a_mask_is_any_term_that_acts_and_no_frozen_leaf():
    penalty = rj.l1(0.1, where="out/") + rj.l2(0.1, where="bias")
    assert acting_leaves(penalty, PARAMS) == [True, False, True]
    assert acting_leaves(penalty, PARAMS, frozen=["out/kernel"]) == [True, False, False]
    assert acting_leaves(rj.l2(0.1), PARAMS) == [False, True, True]


@pytest.mark.parametrize("multi", [lambda tx: tx, lambda tx: tx.gradient_transformation()])
def test_extra_arguments_pass_through_accumulation(multi):
    def update(grads, state, params=None, **extra):
        return grads + extra["key"], state

    inner = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    tx = with_extra_arguments(multi(optax.MultiSteps(inner, 1)))
    updates, _ = tx.update(jnp.float32(3.0), tx.init(jnp.float32(0.0)), jnp.float32(0.0), key=7)
    assert float(updates) == 10.0
    plain = with_extra_arguments(optax.sgd(1.0))
    assert float(plain.update(2.0, plain.init(0.0), 0.0, key=7)[0]) == -2.0
