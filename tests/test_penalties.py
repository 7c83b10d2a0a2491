import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regjax as rj
from regjax.penalties import Penalty

PARAMS = {"a": {"kernel": jnp.array([[1.0, -2.0], [0.0, 3.0]]), "bias": jnp.array([5.0, 5.0])}}

# One entry a penalty: whoever adds one adds it here and inherits the whole suite.
REGISTRY = {
    "l1": (lambda s: rj.l1(s), lambda w, s: s * np.abs(w).sum()),
    "l2": (lambda s: rj.l2(s), lambda w, s: s * np.square(w).sum()),
    "elastic_net": (
        lambda s: rj.elastic_net(s, l1_ratio=0.3),
        lambda w, s: s * (0.3 * np.abs(w).sum() + 0.7 * np.square(w).sum()),
    ),
    "combine": (
        lambda s: rj.combine(rj.l1(s), rj.l2(2 * s)),
        lambda w, s: s * np.abs(w).sum() + 2 * s * np.square(w).sum(),
    ),
}
each = pytest.mark.parametrize("name", REGISTRY)


def kernel(values) -> dict:
    return {"kernel": jnp.atleast_2d(jnp.asarray(values, jnp.float32))}


@each
def test_value_matches_numpy_and_skips_biases(name):
    make, reference = REGISTRY[name]
    np.testing.assert_allclose(make(0.7).value(PARAMS), reference(np.array([1.0, -2, 0, 3]), 0.7), rtol=1e-6)


@each
def test_eager_equals_jit_and_vmap_equals_loop(name):
    make, _ = REGISTRY[name]
    strengths = jnp.array([0.0, 0.1, 2.0])
    loop = [make(s).value(PARAMS) for s in strengths]
    jitted = [jax.jit(lambda s: make(s).value(PARAMS))(s) for s in strengths]
    mapped = jax.vmap(lambda s: make(s).value(PARAMS))(strengths)
    np.testing.assert_allclose(jitted, loop, rtol=1e-6)
    np.testing.assert_allclose(mapped, loop, rtol=1e-6)


@each
def test_a_penalty_is_a_pytree_and_a_new_strength_does_not_retrace(name):
    make, _ = REGISTRY[name]
    traces = []

    @jax.jit
    def value(penalty: Penalty):
        traces.append(1)
        return penalty.value(PARAMS)

    first, second = value(make(0.5)), value(make(np.float32(1.0)))
    value(make(2))
    assert len(traces) == 1
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)


@each
def test_strength_zero_is_the_identity_with_finite_gradients(name):
    penalty = REGISTRY[name][0](0.0)
    params = kernel([0.0, 1.0])
    assert penalty.value(params) == 0
    np.testing.assert_array_equal(penalty.prox(params, 0.5)["kernel"], params["kernel"])
    assert np.isfinite(jax.grad(penalty.value)(params)["kernel"]).all()


@each
def test_bfloat16_keeps_its_dtype(name):
    penalty = REGISTRY[name][0](0.1)
    params = {"kernel": jnp.ones((2, 2), jnp.bfloat16)}
    assert penalty.value(params).dtype == jnp.float32
    assert penalty.prox(params, 0.5)["kernel"].dtype == jnp.bfloat16
    assert jax.grad(penalty.value)(params)["kernel"].dtype == jnp.bfloat16


@each
@settings(max_examples=30, deadline=None)
@given(
    w=st.floats(-3, 3, width=32),
    strength=st.floats(0, 2, width=32),
    stepsize=st.floats(0.0625, 2, width=32),
)
def test_prox_beats_every_point_of_a_grid(name, w, strength, stepsize):
    make, reference = REGISTRY[name]

    def objective(z):
        return 0.5 * (z - w) ** 2 + stepsize * reference(np.array([z], np.float64), strength)

    z = float(make(strength).prox(kernel([w]), stepsize)["kernel"][0, 0])
    assert objective(z) <= min(objective(g) for g in np.linspace(-4, 4, 801)) + 1e-5


@each
@settings(max_examples=20, deadline=None)
@given(u=st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4), seed=st.integers(0, 9))
def test_prox_is_nonexpansive(name, u, seed):
    penalty = REGISTRY[name][0](0.8)
    v = np.random.default_rng(seed).normal(size=4)
    a, b = (penalty.prox(kernel(values), 0.5)["kernel"] for values in (u, v))
    assert np.linalg.norm(a - b) <= np.linalg.norm(np.asarray(u) - v) + 1e-5


def test_prox_with_one_step_a_weight():
    stepsize = {"kernel": jnp.array([[1.0, 0.5]]), "bias": jnp.array([1.0])}
    params = {"kernel": jnp.array([[1.0, 1.0]]), "bias": jnp.array([9.0])}
    out = rj.l1(0.6).prox(params, stepsize)
    np.testing.assert_allclose(out["kernel"], [[0.4, 0.7]], rtol=1e-6)
    assert out["bias"] is params["bias"]


def test_prox_of_the_sum_on_disjoint_leaves_and_on_one_leaf():
    params = {"a": {"kernel": jnp.full((1, 1), 2.0)}, "b": {"kernel": jnp.full((1, 1), 2.0)}}
    out = (rj.l1(0.5, where="a/") + rj.l2(0.5, where="b/")).prox(params, 1.0)
    assert (float(out["a"]["kernel"][0, 0]), float(out["b"]["kernel"][0, 0])) == (1.5, 1.0)
    both = (rj.l1(0.5) + rj.l2(0.5)).prox(params, 1.0)
    assert float(both["a"]["kernel"][0, 0]) == 0.75


def test_sum_and_plus_build_the_same_penalty():
    p, q = rj.l1(0.1), rj.l2(0.2)
    for built in (p + q, sum([p, q]), rj.combine([p, q])):
        assert {n: float(v) for n, v in built.terms(PARAMS).items()} == pytest.approx({"l1": 0.6, "l2": 2.8})
    assert list((p + p).terms(PARAMS)) == ["l1", "l1_2"]


def test_schedule_is_read_by_step():
    penalty = rj.l2(lambda step: 0.1 * step)
    np.testing.assert_allclose(penalty.value(kernel([2.0]), step=3), 1.2, rtol=1e-6)
    assert penalty.value(kernel([2.0])) == 0


def test_smooth():
    assert rj.l2(1.0).smooth
    assert not rj.l1(1.0).smooth
    assert not (rj.l1(1.0) + rj.l2(1.0)).smooth


def test_plan_counts_what_is_penalized():
    text = str((rj.l1(0.1) + rj.l2(0.2)).plan(PARAMS))
    assert "a/kernel  2x2    4     l1(0.1) + l2(0.2)" in text
    assert text.endswith("1 of 2 leaves, 4 of 6 numbers penalized")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.l1(-1.0), r"l1: strength must be >= 0, got -1.0"),
        (lambda: rj.l2(float("nan")), r"l2: strength must be >= 0, got nan"),
        (lambda: rj.l2("0.1"), r"l2: strength must be a number, got '0.1'"),
        (lambda: rj.elastic_net(1.0, l1_ratio=1.5), r"l1_ratio must be in \[0, 1\], got 1.5"),
        (lambda: rj.l1(1.0).prox(kernel([1.0]), 0.0), r"stepsize must be > 0, got 0.0"),
        (lambda: rj.combine(), "at least one"),
        (lambda: rj.combine(rj.l1(1.0), 3), "expected penalties"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_complex_weights_use_the_modulus():
    params = {"kernel": jnp.array([[3 + 4j]])}
    assert float(rj.l1(1.0).value(params)) == pytest.approx(5.0)
    assert float(rj.l2(1.0).value(params)) == pytest.approx(25.0)
