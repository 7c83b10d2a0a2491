"""The same tests on the parameters of every library: Flax Linen, Flax nnx, Haiku, Equinox, and plain containers."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import regjax as rj
from regjax.core.tree import leaf_names

pytestmark = pytest.mark.slow

X = jax.random.normal(jax.random.key(0), (16, 4))
KEY = jax.random.key(1)


class _Net(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(4, 3, rngs=rngs)
        self.second = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.relu(self.first(x)))


def linen():
    net = nn.Sequential([nn.Dense(3), nn.relu, nn.Dense(2)])
    return net.init(KEY, X)["params"], lambda p, x: net.apply({"params": p}, x)


def nnx_state():
    graph, params = nnx.split(_Net(nnx.Rngs(0)), nnx.Param)
    return params, lambda p, x: nnx.merge(graph, p)(x)


def haiku():
    net = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([3, 2])(x)))
    return net.init(KEY, X), net.apply


def equinox():
    params, static = eqx.partition(eqx.nn.MLP(4, 2, 3, 1, key=KEY), eqx.is_inexact_array)
    return params, lambda p, x: jax.vmap(eqx.combine(p, static))(x)


def plain():
    params = {
        "layers": [{"w": jax.random.normal(KEY, (4, 3)), "b": jnp.zeros(3)}, (jnp.ones((3, 2)), 0.5)],
        "none": None,
    }

    def apply(p, x):
        first, (w, scale) = p["layers"]
        return scale * jax.nn.relu(x @ first["w"] + first["b"]) @ w

    return params, apply


LIBRARIES = {"linen": linen, "nnx": nnx_state, "haiku": haiku, "equinox": equinox, "plain": plain}
# The axis of an output unit: Equinox, like torch, stores [out, in].
UNIT_AXIS = {"equinox": 0}
NAMES = {
    "linen": ["layers_0/kernel", "layers_2/kernel"],
    "nnx": ["first/kernel", "second/kernel"],
    "haiku": ["mlp/~/linear_0/w", "mlp/~/linear_1/w"],
    "equinox": ["layers/0/weight", "layers/1/weight"],
    "plain": ["layers/0/w", "layers/1/0"],
}
each = pytest.mark.parametrize("library", LIBRARIES)


def weights(params) -> list[np.ndarray]:
    """The two weight matrices, found by rank: independent of the code under test."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(params) if np.ndim(leaf) == 2]


def others(params) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(params) if np.ndim(leaf) < 2]


@each
def test_weights_are_found_by_name(library):
    params, _ = LIBRARIES[library]()
    plan = rj.l1(0.1).plan(params)
    assert [row.leaf for row in plan.rows if row.terms] == NAMES[library]
    only = rj.l1(0.1, where=NAMES[library][1] + "$")
    np.testing.assert_allclose(only.value(params), 0.1 * np.abs(weights(params)[1]).sum(), rtol=1e-5)


@each
def test_values_are_those_of_numpy(library):
    params, _ = LIBRARIES[library]()
    axis = UNIT_AXIS.get(library, -1)
    found = weights(params)
    np.testing.assert_allclose(rj.l2(0.5).value(params), 0.5 * sum((w**2).sum() for w in found), rtol=1e-5)
    expected = sum(np.sqrt((w**2).sum(1 if axis == 0 else 0)).sum() for w in found)
    np.testing.assert_allclose(rj.group_lasso(1.0, axis=axis).value(params), expected, rtol=1e-5)
    expected = sum(np.linalg.svd(w)[1].sum() for w in found)
    np.testing.assert_allclose(rj.nuclear(1.0).value(params), expected, rtol=1e-5)


@each
def test_prox_and_constraints_keep_structure_and_other_leaves(library):
    params, _ = LIBRARIES[library]()
    for changed in (rj.mcp(0.3).prox(params, 0.5), rj.max_norm(0.1).project(params)):
        assert jax.tree.structure(changed) == jax.tree.structure(params)
        assert leaf_names(changed) == leaf_names(params)
        for a, b in zip(others(changed), others(params), strict=True):
            np.testing.assert_array_equal(a, b)
        assert any(np.any(a != b) for a, b in zip(weights(changed), weights(params), strict=True))


@each
def test_strengths_and_anchors_as_a_tree_of_the_same_library(library):
    params, _ = LIBRARIES[library]()
    strengths = jax.tree.map(lambda leaf: float(np.ndim(leaf)), params)
    expected = sum(np.ndim(leaf) * np.abs(np.asarray(leaf)).sum() for leaf in jax.tree.leaves(params))
    np.testing.assert_allclose(rj.l1(strengths).value(params), expected, rtol=1e-5)
    assert float(rj.l2_to(params, 1.0).value(params)) == 0.0
    mask = jax.tree.map(lambda leaf: np.ndim(leaf) == 2 and 4 in np.shape(leaf), params)
    np.testing.assert_allclose(rj.l1(1.0, mask).value(params), np.abs(weights(params)[0]).sum(), rtol=1e-5)


@each
@pytest.mark.parametrize("mode", ["loss", "coupled", "decoupled", "independent", "proximal"])
def test_training_through_every_route(library, mode):
    params, apply = LIBRARIES[library]()
    params = jax.tree.map(jnp.asarray, params)
    penalty = rj.l1(0.05)
    tx = rj.make_optimizer("adam", 0.01, **({} if mode == "loss" else {"penalty": penalty, "mode": mode}))

    def loss(p):
        return jnp.mean(jnp.square(apply(p, X) - 1.0)) + (penalty.value(p) if mode == "loss" else 0.0)

    @jax.jit
    def train(params):
        def body(carry, _):
            params, state = carry
            updates, state = tx.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(body, (params, tx.init(params)), None, length=300)[0][0]

    after = train(params)
    assert jax.tree.structure(after) == jax.tree.structure(params)
    zeros = sum(int((w == 0).sum()) for w in weights(after))
    assert (zeros > 0) == (mode == "proximal")
    before, now = (sum(np.abs(w).sum() for w in weights(p)) for p in (params, after))
    assert now < before


def test_keys_and_counters_of_an_nnx_model_are_left_alone():
    class Noisy(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 3, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

    state = nnx.state(Noisy(nnx.Rngs(0)))
    assert len(jax.tree.leaves(state)) > 2  # there are keys and counters
    out = rj.l1(10.0).prox(state, 1.0)
    assert not np.any(out["linear"]["kernel"][...])
    assert [row.leaf for row in rj.l1(1.0).plan(state).rows if row.terms] == ["linear/kernel"]


@pytest.mark.parametrize("mode", ["loss", "coupled", "decoupled", "proximal"])
@pytest.mark.parametrize("micro_batch", [None, 20])
def test_complex_weights_go_downhill(mode, micro_batch):
    """`(2 / n) x' (x w - y) + 2 s w = 0`, with the conjugate transpose, has one solution; `jax.grad` is conjugated."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in ((40, 3), (40, 1)))
    s = 0.5
    # Decay beside momentum or after the step is the same at rest for plain gradient descent.
    expected = np.linalg.solve(x.conj().T @ x / 40 + s * np.eye(3), x.conj().T @ y / 40)
    penalty, rate = rj.l2(s), 0.1
    tx = optax.sgd(rate) if mode == "loss" else rj.make_optimizer("sgd", rate, penalty=penalty, mode=mode)
    loss_fn = rj.build_loss(
        lambda v, x: x @ v["params"]["w"],
        lambda outputs, y: jnp.mean(jnp.abs(outputs - y) ** 2),
        penalty if mode == "loss" else None,
    )
    step = jax.jit(rj.make_step(loss_fn, tx, micro_batch=micro_batch))
    state = rj.init_train_state({"w": jnp.ones((3, 1), jnp.complex64)}, {}, tx)
    batch = rj.Batch(jnp.asarray(x, jnp.complex64), jnp.asarray(y, jnp.complex64))
    for _ in range(200):
        state, _ = step(None, state, batch, jax.random.key(0))
    np.testing.assert_allclose(state.params["w"], expected, atol=1e-4)
