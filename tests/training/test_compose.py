"""Penalties, proximal steps and constraints inside the transformations of optax and JAX."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow

X = jax.random.normal(jax.random.key(0), (32, 6))
Y = X @ jnp.array([[1.0, -2.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0], [0.3, 0.3], [0.0, 1.0]])
PARAMS = {"first": {"kernel": 0.3 * jax.random.normal(jax.random.key(1), (6, 2))}, "bias": jnp.zeros(2)}
MODES = ("coupled", "decoupled", "independent", "proximal")


def loss(params):
    return jnp.mean(jnp.square(Y - X @ params["first"]["kernel"] - params["bias"]))


def train(tx, params=PARAMS, steps=20):
    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(body, (params, tx.init(params)), None, length=steps)[0][0]


def optimizer(mode, rate=0.05, strength=0.02, name="adam"):
    return rj.make_optimizer(name, rate, penalty=rj.l1(strength) + rj.l2(strength), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_scan_equals_a_loop_and_jit_equals_eager(mode):
    tx = optimizer(mode)
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(5):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
    assert_trees_equal(jax.jit(functools.partial(train, tx, steps=5))(PARAMS), params, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_vmap_over_strengths_and_rates_equals_a_loop(mode):
    strengths, rates = jnp.array([0.0, 0.02, 0.2]), jnp.array([0.05, 0.02, 0.1])
    mapped = jax.vmap(lambda s, r: train(optimizer(mode, r, s)))(strengths, rates)
    for i in range(3):
        alone = train(optimizer(mode, rates[i], strengths[i]))
        assert_trees_equal(jax.tree.map(lambda leaf, i=i: leaf[i], mapped), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_masked_leaves_the_rest_alone(mode):
    mask = {"first": {"kernel": True}, "bias": False}
    tx = optax.chain(
        optax.masked(optimizer(mode), mask),
        optax.masked(optax.set_to_zero(), {**mask, "bias": True, "first": {"kernel": False}}),
    )
    after = train(tx)
    np.testing.assert_array_equal(after["bias"], 0.0)
    only = train(optimizer(mode, strength=0.0))
    assert not np.allclose(after["first"]["kernel"], only["first"]["kernel"])


@pytest.mark.parametrize("mode", MODES)
def test_inject_hyperparams_changes_strength_and_rate_between_updates(mode):
    @optax.inject_hyperparams
    def make(rate, strength):
        return optimizer(mode, rate, strength)

    tx = make(rate=0.05, strength=0.02)
    state, params = tx.init(PARAMS), PARAMS
    plain = optimizer(mode)
    reference, expected = plain.init(PARAMS), PARAMS
    for _ in range(3):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
        updates, reference = plain.update(jax.grad(loss)(expected), reference, expected)
        expected = optax.apply_updates(expected, updates)
    assert_trees_equal(params, expected, rtol=1e-5, atol=1e-6)
    state.hyperparams["strength"] = jnp.float32(5.0)
    updates, _ = tx.update(jax.grad(loss)(params), state, params)
    changed, _ = plain.update(jax.grad(loss)(params), reference, params)
    assert not np.allclose(updates["first"]["kernel"], changed["first"]["kernel"])


@pytest.mark.parametrize("mode", MODES)
def test_schedules_and_clipping(mode):
    schedule = optax.cosine_decay_schedule(0.05, 20)
    rate = rj.BaseAndShape(0.05, optax.cosine_decay_schedule(1.0, 20)) if mode == "independent" else schedule
    after = train(optax.chain(optax.clip_by_global_norm(1.0), optimizer(mode, rate)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))
    if mode == "proximal":
        strong = train(optax.chain(optax.clip_by_global_norm(1.0), optimizer(mode, rate, 2.0)))
        assert not np.any(strong["first"]["kernel"])


@pytest.mark.parametrize("mode", MODES)
def test_multisteps_around_it_equals_the_mean_gradient(mode):
    tx = optax.MultiSteps(optimizer(mode, name="momentum"), every_k_schedule=4).gradient_transformation()
    assert_trees_equal(train(tx, steps=40), train(optimizer(mode, name="momentum"), steps=10), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_strength_zero_is_the_optimizer_alone(mode):
    assert_trees_equal(
        train(optimizer(mode, strength=0.0)), train(rj.make_optimizer("adam", 0.05)), rtol=1e-6, atol=1e-7
    )


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from tests.training.test_compose import MODES, PARAMS, optimizer, train
import regjax as rj
mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
split = NamedSharding(mesh, PartitionSpec("data"))
params = {"first": {"kernel": jax.device_put(PARAMS["first"]["kernel"], split)}, "bias": PARAMS["bias"]}
for mode in MODES:
    here, there = train(optimizer(mode)), jax.jit(lambda p: train(optimizer(mode), p))(params)
    np.testing.assert_allclose(here["first"]["kernel"], there["first"]["kernel"], rtol=1e-4, atol=1e-6)
for penalty in (rj.group_lasso(0.3), rj.mcp(0.3), rj.nuclear(0.3)):
    prox = jax.jit(lambda p: penalty.prox(p, 0.5))
    np.testing.assert_allclose(prox(params)["first"]["kernel"], prox(PARAMS)["first"]["kernel"], rtol=1e-4, atol=1e-6)
out = jax.jit(rj.max_norm(0.1).project)(params)["first"]["kernel"]
assert len(out.sharding.device_set) == 2
print("sharded")
"""


def test_sharded_parameters_give_the_same():
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", SHARDED], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "sharded", done.stderr[-2000:]
