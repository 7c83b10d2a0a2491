import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regjax as rj
from regjax.penalties.constraints import CONSTRAINTS

CASES = {
    "max_norm": (lambda: rj.max_norm(1.0), lambda w: np.linalg.norm(w, axis=0).max() <= 1 + 1e-6),
    "max_norm rows": (lambda: rj.max_norm(0.5, axis=0), lambda w: np.linalg.norm(w, axis=1).max() <= 0.5 + 1e-6),
    "unit_norm": (rj.unit_norm, lambda w: np.allclose(np.linalg.norm(w, axis=0), 1, atol=1e-6)),
    "non_negative": (rj.non_negative, lambda w: w.min() >= 0),
    "box": (lambda: rj.box(-0.1, 0.3), lambda w: w.min() >= np.float32(-0.1) and w.max() <= np.float32(0.3)),
    "both": (
        lambda: rj.max_norm(1.0) + rj.non_negative(),
        lambda w: w.min() >= 0 and np.linalg.norm(w, axis=0).max() <= 1 + 1e-6,
    ),
}
each = pytest.mark.parametrize("name", CASES)
matrices = st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6).map(lambda v: np.reshape(v, (3, 2)))


def tree(w, dtype=jnp.float32) -> dict:
    return {"kernel": jnp.asarray(w, dtype), "bias": jnp.full(2, -9.0)}


def test_the_suite_covers_every_constraint():
    assert set(CONSTRAINTS) <= set(CASES)


@each
@settings(max_examples=30)
@given(w=matrices)
def test_projection_is_inside_idempotent_and_leaves_biases_alone(name, w):
    make, inside = CASES[name]
    once = rj.apply_constraints(make(), tree(w))
    assert inside(np.asarray(once["kernel"]))
    np.testing.assert_allclose(rj.apply_constraints(make(), once)["kernel"], once["kernel"], atol=1e-6)
    np.testing.assert_array_equal(once["bias"], [-9, -9])


@pytest.mark.parametrize("name", [name for name in CASES if name != "unit_norm"])
@settings(max_examples=30)
@given(w=matrices, seed=st.integers(0, 99))
@pytest.mark.slow
def test_projection_is_the_nearest_point(name, w, seed):
    """Obtuse angle: (w - Pw) . (v - Pw) <= 0 for every v inside, which characterizes the projection on a convex set."""
    make, _ = CASES[name]
    p = np.asarray(rj.apply_constraints(make(), tree(w))["kernel"], np.float64)
    for v in np.random.default_rng(seed).normal(size=(20, 3, 2)):
        v = np.asarray(rj.apply_constraints(make(), tree(v))["kernel"], np.float64)
        assert np.sum((w - p) * (v - p)) <= 1e-4


@each
def test_what_is_inside_is_untouched_to_the_bit(name):
    make, _ = CASES[name]
    w = {"unit_norm": [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]}.get(name, [[0.1, 0.2], [0.0, 0.1], [0.3, 0.0]])
    np.testing.assert_array_equal(rj.apply_constraints(make(), tree(w))["kernel"], np.float32(w))


@each
def test_every_optax_update_ends_inside_to_rounding(name):
    make = CASES[name][0]
    tx = optax.chain(optax.adam(0.3), rj.project(make()))
    params = tree(np.random.default_rng(0).normal(size=(3, 2)))
    state = tx.init(params)
    for i in range(20):
        grads = jax.tree.map(lambda w, i=i: jax.random.normal(jax.random.key(i), w.shape), params)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        near = np.asarray(rj.apply_constraints(make(), params)["kernel"])
        np.testing.assert_allclose(params["kernel"], near, atol=1e-6)


@each
def test_limits_are_data_and_dtypes_are_kept(name):
    make, _ = CASES[name]
    traces = []

    @jax.jit
    def project(constraint, params):
        traces.append(1)
        return constraint.project(params)

    out = project(make(), tree(np.ones((3, 2)), jnp.bfloat16))
    project(jax.tree.map(lambda leaf: 0.5 * leaf, make()), tree(np.ones((3, 2)), jnp.bfloat16))
    assert out["kernel"].dtype == jnp.bfloat16
    assert len(traces) == 1


def test_a_zero_unit_gets_unit_norm_without_nan():
    out = rj.unit_norm().project(tree(np.zeros((4, 2))))["kernel"]
    np.testing.assert_allclose(out, 0.5)


def test_the_step_is_exact():
    """`w + (clip(w + u) - w)` leaves a box by an ulp; the step projects once more."""
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse")
    constraint = rj.box(-0.1, 0.3)
    x, y = jax.random.normal(jax.random.key(0), (64, 50)), jax.random.normal(jax.random.key(1), (64, 20))
    params = {"kernel": 0.01 * jax.random.normal(jax.random.key(2), (50, 20))}
    tx = optax.sgd(30.0)
    step, state = rj.make_step(loss_fn, tx, constraint=constraint), rj.init_train_state(params, {}, tx)
    for i in range(5):
        state, _ = step(None, state, rj.Batch(x, y), jax.random.key(i))
        w = np.asarray(state.params["kernel"])
        assert w.min() >= np.float32(-0.1)
        assert w.max() <= np.float32(0.3)
        assert (w == np.float32(0.3)).any()


def test_make_optimizer_takes_a_constraint():
    tx = rj.make_optimizer("sgd", 1.0, constraint=rj.non_negative())
    params = tree(np.ones((3, 2)))
    updates, _ = tx.update(tree(np.full((3, 2), 5.0)), tx.init(params), params)
    np.testing.assert_array_equal(optax.apply_updates(params, updates)["kernel"], 0.0)


def test_sequences_and_none():
    params = tree([[3.0, -1.0], [4.0, 0.5], [0.0, 0.0]])
    assert rj.apply_constraints(None, params) is params
    one = rj.apply_constraints([rj.non_negative(), rj.max_norm(1.0)], params)
    np.testing.assert_array_equal(one["kernel"], (rj.max_norm(1.0) + rj.non_negative()).project(params)["kernel"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.max_norm(0.0), "max_norm: limit must be > 0, got 0.0"),
        (lambda: rj.max_norm(float("nan")), "max_norm: limit must be > 0, got nan"),
        (lambda: rj.box(1.0, 0.0), r"box: low must be <= high, got 1.0 and 0.0"),
        (lambda: rj.max_norm(1.0, axis=0.5), "an integer or a tuple of integers"),
        (
            lambda: rj.unit_norm(axis=3).project(tree(np.ones((3, 2)))),
            r"unit_norm: axis must be in \[-2, 2\) for kernel",
        ),
        (lambda: (rj.box(0.0, 1.0) + rj.max_norm(1.0)).project(tree(np.ones((3, 2)))), "box and max_norm on kernel"),
        (lambda: rj.box(0.0, 1.0).project({"kernel": jnp.array([[1j]])}), "box: kernel must be real, got complex"),
        (lambda: rj.non_negative().project({"kernel": jnp.array([[1j]])}), "non_negative: kernel must be real, got c"),
        (lambda: rj.box(0.0, 1.0, where="conv").project(tree(np.ones((3, 2)))), "nothing matches 'conv'"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_constraint_is_named():
    with pytest.raises(ValueError, match="apply_constraints: expected constraints"):
        rj.apply_constraints(3, {"kernel": jnp.ones((2, 2))})
