"""Optimizers whose step is known pass, the others are refused before they solve another problem."""

import jax
import jax.numpy as jnp
import optax
import pytest

import regjax as rj
from regjax.optim import stepsizes as sizes

RATE = optax.cosine_decay_schedule(0.02, 1000)
WARM = optax.linear_schedule(0.0, 0.1, 100)
FOLLOW = {
    "sgd": (optax.sgd(RATE), sizes.sgd(RATE)),
    "momentum": (optax.sgd(0.1, momentum=0.9), sizes.sgd(0.1, 0.9)),
    "nesterov": (optax.sgd(0.1, momentum=0.9, nesterov=True), sizes.sgd(0.1, 0.9, nesterov=True)),
    "adam": (optax.adam(RATE, b1=0.8, b2=0.99), sizes.adam(RATE, b2=0.99)),
    "adam, warm-up": (optax.adam(WARM), sizes.adam(WARM)),
    "adamw": (optax.adamw(RATE, weight_decay=0.1), sizes.adam(RATE)),
    "rmsprop": (optax.rmsprop(0.1), sizes.rmsprop(0.1)),
    "rmsprop of torch": (optax.rmsprop(0.1, eps_in_sqrt=False), sizes.rmsprop(0.1, eps_in_sqrt=False)),
    "adagrad": (optax.adagrad(0.1), sizes.adagrad(0.1)),
    "coupled decay": (optax.chain(rj.add_penalty(rj.l2(0.1)), optax.adam(0.1)), sizes.adam(0.1)),
    "injected": (optax.inject_hyperparams(optax.adam)(learning_rate=0.1), sizes.adam(0.1)),
    "masked for another tree": (optax.masked(optax.sgd(0.1), {"a": True}), sizes.sgd(0.1)),
    "plain claims nothing": (optax.lion(0.1), sizes.plain(0.1)),
}
DIFFER = {
    "lamb": (optax.lamb(RATE), sizes.adam(RATE)),
    "lion": (optax.lion(RATE), sizes.sgd(RATE)),
    "adam as sgd": (optax.adam(RATE), sizes.sgd(RATE)),
    "momentum as sgd": (optax.sgd(0.1, momentum=0.9), sizes.sgd(0.1)),
    "adamax": (optax.adamax(RATE), sizes.adam(RATE)),
    "eps_root": (optax.adam(RATE, eps_root=1e-2), sizes.adam(RATE)),
    "radam": (optax.radam(RATE), sizes.adam(RATE)),
    "nadam": (optax.nadam(0.1), sizes.adam(0.1)),
    "clipping": (optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)), sizes.adam(0.1)),
    "adaptive clipping": (optax.chain(optax.adaptive_grad_clip(0.1), optax.sgd(0.1)), sizes.sgd(0.1)),
    # A constant gradient leaves an average in bfloat16 4% short, and a solution that is as much weaker.
    "moments in 16 bits": (optax.adam(0.1, mu_dtype=jnp.bfloat16), sizes.adam(0.1)),
    "another b2": (optax.adam(0.1, b2=0.9), sizes.adam(0.1)),
    "another rate": (optax.adam(0.1), sizes.adam(0.2)),
}


@pytest.mark.parametrize("name", FOLLOW)
def test_known_steps_pass(name):
    tx, stepsize = FOLLOW[name]
    rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=stepsize)


@pytest.mark.parametrize("name", DIFFER)
def test_other_steps_are_refused(name):
    tx, stepsize = DIFFER[name]
    with pytest.raises(ValueError, match="stepsize: on kernel"):
        rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=stepsize)
    rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=stepsize, check_step=False)


def test_traced_numbers_are_not_judged():
    def build(rate):
        rj.regularize(optax.adam(rate), rj.l1(0.2), mode="proximal", stepsize=sizes.adam(rate))
        return rate

    jax.jit(build)(0.1)


@pytest.mark.parametrize("tx", [optax.amsgrad(0.1), optax.adabelief(0.1), optax.rmsprop(0.1, momentum=0.9)])
def test_a_state_that_is_not_the_expected_one_is_refused_at_once(tx):
    stepsize = sizes.rmsprop(0.1) if "rms" in str(tx.init({"w": 1.0})).lower() else sizes.adam(0.1)
    with pytest.raises(ValueError, match=r"must hold one ScaleByAdamState|RMSProp with momentum is not known"):
        rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=stepsize)


@pytest.mark.parametrize(
    "setting",
    [
        lambda: jax.debug_nans(True),
        lambda: jax.debug_infs(True),
        lambda: jax.disable_jit(True),
        lambda: jax.transfer_guard("disallow"),
        lambda: jax.numpy_rank_promotion("raise"),
    ],
)
def test_settings_for_debugging_change_no_verdict(setting):
    with setting():
        tx, step = FOLLOW["adamw"]
        rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=step)
        tx, step = DIFFER["another b2"]
        with pytest.raises(ValueError, match="stepsize: on kernel"):
            rj.regularize(tx, rj.l1(0.2), mode="proximal", stepsize=step)
