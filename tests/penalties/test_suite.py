"""One suite over every penalty: whoever adds one adds it to CASES and inherits all of this."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regjax as rj
from regjax.penalties import PENALTIES, PENALTY_MODES, Penalty

ANCHOR = {"a": {"kernel": jnp.array([[0.5, 0.0], [-1.0, 2.0]])}}
PARAMS = {"a": {"kernel": jnp.array([[1.0, -2.0], [0.0, 3.0]]), "bias": jnp.array([5.0, 5.0])}}


def _columns(w):
    return np.sqrt((np.asarray(w) ** 2).sum(0)).sum()


def _scad(w, s, g=3.7):
    w = np.abs(w)
    middle = (2 * g * s * w - w**2 - s**2) / (2 * (g - 1))
    return np.where(w <= s, s * w, np.where(w <= g * s, middle, s**2 * (g + 1) / 2)).sum()


def _mcp(w, s, g=3.0):
    w = np.abs(w)
    return np.where(w <= g * s, s * w - w**2 / (2 * g), g * s**2 / 2).sum()


def _orthogonal(w):
    return np.square(w.T @ w - np.eye(w.shape[1])).sum()


def _srip(w):
    return np.abs(np.linalg.eigvalsh(w.T @ w - np.eye(w.shape[1]))).max()


# name: (make, NumPy reference on a matrix with at least as many rows as columns, {traits})
CASES = {
    "l1": (rj.l1, lambda w, s: s * np.abs(w).sum(), {"convex", "entries"}),
    "l2": (rj.l2, lambda w, s: s * (w**2).sum(), {"convex", "entries"}),
    "elastic_net": (
        lambda s: rj.elastic_net(s, l1_ratio=0.3),
        lambda w, s: s * (0.3 * np.abs(w).sum() + 0.7 * (w**2).sum()),
        {"convex", "entries"},
    ),
    "l1 + l2": (
        lambda s: rj.combine(rj.l1(s), rj.l2(2 * s)),
        lambda w, s: s * np.abs(w).sum() + 2 * s * (w**2).sum(),
        {"convex", "entries"},
    ),
    "mcp": (rj.mcp, _mcp, {"entries"}),
    "mcp + l2": (lambda s: rj.mcp(s) + rj.l2(s), lambda w, s: _mcp(w, s) + s * (w**2).sum(), {"entries"}),
    "scad": (rj.scad, _scad, {"entries"}),
    "log_sum": (
        lambda s: rj.log_sum(s, epsilon=0.5),
        lambda w, s: s * np.log1p(np.abs(w) / 0.5).sum(),
        {"entries"},
    ),
    "l0": (rj.l0, lambda w, s: s * (w != 0).sum(), {"entries"}),
    "group_lasso": (rj.group_lasso, lambda w, s: s * _columns(w), {"convex"}),
    "group_lasso + l1 + l2": (
        lambda s: rj.group_lasso(s) + rj.l1(s) + rj.l2(s),
        lambda w, s: s * (_columns(w) + np.abs(w).sum() + (w**2).sum()),
        {"convex"},
    ),
    "sparse_group_lasso": (
        lambda s: rj.sparse_group_lasso(s, l1_ratio=0.25),
        lambda w, s: s * (0.25 * np.abs(w).sum() + 0.75 * _columns(w)),
        {"convex"},
    ),
    "nuclear": (rj.nuclear, lambda w, s: s * np.linalg.svd(w)[1].sum(), {"convex"}),
    "spectral": (rj.spectral, lambda w, s: s * np.linalg.svd(w)[1][0] ** 2, {"convex"}),
    "orthogonal": (rj.orthogonal, lambda w, s: s * _orthogonal(w), {"no prox"}),
    "srip": (lambda s: rj.orthogonal(s, "srip"), lambda w, s: s * _srip(w), {"no prox"}),
    "l2_to": (
        lambda s: rj.l2_to(ANCHOR, s),
        lambda w, s: s * ((w - np.asarray(ANCHOR["a"]["kernel"])) ** 2).sum(),
        {"convex", "anchored"},
    ),
}
each = pytest.mark.parametrize("name", CASES)


def having(trait: str, without: str = ""):
    return pytest.mark.parametrize(
        "name", [n for n, c in CASES.items() if trait in c[2] and without not in c[2] | {" "}]
    )


def proximable():
    return pytest.mark.parametrize("name", [n for n, c in CASES.items() if "no prox" not in c[2]])


def tree(matrix) -> dict:
    return {"a": {"kernel": jnp.asarray(matrix, jnp.float32), "bias": jnp.array([5.0, 5.0])}}


def entries(count=4):
    return st.lists(st.floats(-3, 3, width=32, allow_subnormal=False), min_size=count, max_size=count)


def test_the_suite_covers_every_penalty():
    assert set(PENALTIES) <= {n for name in CASES for n in name.split(" + ")}


@each
@settings(max_examples=25)
@given(w=entries(6), s=st.floats(0, 2, width=32))
def test_value_matches_numpy_and_skips_biases(name, w, s):
    make, reference, traits = CASES[name]
    w = np.reshape(w[:4], (2, 2)) if "anchored" in traits else np.reshape(w, (3, 2))
    np.testing.assert_allclose(make(s).value(tree(w)), reference(w, s), rtol=2e-4, atol=2e-4)


@each
def test_eager_equals_jit_and_vmap_equals_loop(name):
    make = CASES[name][0]
    strengths = jnp.array([0.0, 0.1, 2.0])
    loop = [make(s).value(PARAMS) for s in strengths]
    np.testing.assert_allclose([jax.jit(lambda s: make(s).value(PARAMS))(s) for s in strengths], loop, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda s: make(s).value(PARAMS))(strengths), loop, rtol=1e-5)


@proximable()
def test_the_prox_maps_too(name):
    make = CASES[name][0]
    strengths = jnp.array([0.0, 0.1, 2.0])
    prox = lambda s: make(s).prox(PARAMS, 0.5)["a"]["kernel"]  # noqa: E731
    loop = jnp.stack([prox(s) for s in strengths])
    np.testing.assert_allclose(jax.vmap(prox)(strengths), loop, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.jit(prox)(strengths[1]), loop[1], rtol=1e-4, atol=1e-5)


@each
def test_a_penalty_is_a_pytree_and_a_new_strength_does_not_retrace(name):
    make = CASES[name][0]
    traces = []

    @jax.jit
    def value(penalty: Penalty):
        traces.append(1)
        return penalty.value(PARAMS)

    for strength in (0.5, np.float32(1.0), 2):
        value(make(strength))
    assert len(traces) == 1
    lanes = jax.tree.map(lambda *leaves: jnp.stack(leaves), make(0.5), make(1.0))
    np.testing.assert_allclose(
        jax.vmap(lambda p: p.value(PARAMS))(lanes), [make(s).value(PARAMS) for s in (0.5, 1.0)], rtol=1e-5
    )


@each
def test_strength_zero_is_the_identity_with_finite_gradients(name):
    penalty, traits = CASES[name][0](0.0), CASES[name][2]
    for params in (PARAMS, tree(np.zeros((2, 2)))):
        assert penalty.value(params) == 0
        assert np.isfinite(jax.grad(penalty.value)(params)["a"]["kernel"]).all()
        if "no prox" not in traits:
            out = penalty.prox(params, 0.5)["a"]["kernel"]
            np.testing.assert_allclose(out, params["a"]["kernel"], atol=1e-6)
            if "nuclear" not in name:  # comes out of a singular value decomposition
                np.testing.assert_array_equal(out, params["a"]["kernel"])


@each
def test_gradients_are_finite_at_zero_and_do_not_push_zeros_away(name):
    make, _, traits = CASES[name]
    params = tree(np.zeros((2, 2)))
    gradient = np.asarray(jax.grad(make(1.0).value)(params)["a"]["kernel"])
    assert np.isfinite(gradient).all()
    if not traits & {"anchored", "no prox"} and name not in ("nuclear", "spectral"):
        np.testing.assert_array_equal(gradient, 0.0)


@each
def test_bfloat16_keeps_its_dtype(name):
    penalty, traits = CASES[name][0](0.1), CASES[name][2]
    params = {"a": {"kernel": jnp.asarray(PARAMS["a"]["kernel"], jnp.bfloat16)}}
    assert penalty.value(params).dtype == jnp.float32
    assert jax.grad(penalty.value)(params)["a"]["kernel"].dtype == jnp.bfloat16
    if "no prox" not in traits:
        assert penalty.prox(params, 0.5)["a"]["kernel"].dtype == jnp.bfloat16


@proximable()
@settings(max_examples=25)
@given(w=entries(), s=st.floats(0, 2, width=32), t=st.floats(0.0625, 2, width=32), seed=st.integers(0, 99))
def test_prox_beats_every_point_of_a_random_grid(name, w, s, t, seed):
    make, reference, _ = CASES[name]
    w = np.reshape(w, (2, 2)).astype(np.float64)
    z = np.asarray(make(s).prox(tree(w), t)["a"]["kernel"], np.float64)

    def objective(v):
        return 0.5 * np.square(v - w).sum() + t * reference(v, s)

    rng = np.random.default_rng(seed)
    near = z + rng.normal(size=(60, 2, 2)) * rng.choice([1e-3, 0.03, 0.3, 1.0], size=(60, 1, 1))
    masked = w * rng.integers(0, 2, size=(20, 2, 2))
    best = min(objective(v) for v in [*near, *masked, w, np.zeros((2, 2))])
    assert objective(z) <= best + 1e-5 * (1 + abs(best))


@having("entries")
@settings(max_examples=25)
@given(
    w=st.floats(-3, 3, width=32, allow_subnormal=False), s=st.floats(0, 2, width=32), t=st.floats(0.0625, 8, width=32)
)
def test_prox_of_an_entry_beats_a_fine_grid_at_any_step(name, w, s, t):
    """Also where the objective is not convex because the step is long."""
    make, reference, _ = CASES[name]
    z = float(make(s).prox(tree([[w]]), t)["a"]["kernel"][0, 0])

    def objective(v):
        return 0.5 * (v - w) ** 2 + t * reference(np.array([v], np.float64), s)

    assert objective(z) <= min(objective(g) for g in [*np.linspace(-4, 4, 801), 0.0, w]) + 2e-5


@having("convex")
@settings(max_examples=20)
@given(u=entries(), v=entries())
def test_prox_of_a_convex_penalty_is_nonexpansive(name, u, v):
    penalty = CASES[name][0](0.8)
    a, b = (penalty.prox(tree(np.reshape(x, (2, 2))), 0.5)["a"]["kernel"] for x in (u, v))
    assert np.linalg.norm(a - b) <= np.linalg.norm(np.subtract(u, v)) + 1e-4


@having("entries")
def test_one_step_an_entry(name):
    """The metric of an adaptive optimizer: every entry is that of its own step."""
    penalty = CASES[name][0](0.3)
    steps = jnp.array([[0.1, 1.0], [0.5, 2.0]])
    w = jnp.array([[0.2, -1.0], [0.4, 3.0]])
    both = penalty.prox(tree(w), {"a": {"kernel": steps, "bias": jnp.ones(2)}})["a"]["kernel"]
    for i in np.ndindex(2, 2):
        alone = penalty.prox(tree([[w[i]]]), float(steps[i]))["a"]["kernel"][0, 0]
        np.testing.assert_allclose(both[i], alone, rtol=1e-6)


@each
def test_routes_and_smoothness_are_stated(name):
    penalty, traits = CASES[name][0](0.1), CASES[name][2]
    assert ("proximal" in penalty.modes) == ("no prox" not in traits)
    assert penalty.modes == tuple(mode for mode in PENALTY_MODES if mode in penalty.modes)
    if "no prox" in traits:
        with pytest.raises(ValueError, match="no proximal map"):
            penalty.prox(PARAMS, 0.5)
    assert penalty.smooth == (name in ("l2", "l2_to", "orthogonal"))


@pytest.mark.parametrize("name", sorted(PENALTIES))
@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "0.1"])
def test_bad_strengths_are_refused_by_name(name, bad):
    with pytest.raises(ValueError, match=rf"{name}: strength must be .*got"):
        PENALTIES[name](bad)


@proximable()
def test_a_step_of_zero_is_the_identity(name):
    """A schedule that starts at 0 gives such a first step; a leaf that an optimizer does not move has no other."""
    penalty = CASES[name][0](0.7)
    tree = jax.tree.map(lambda w: jnp.zeros(()), PARAMS)
    for step in (0.0, jnp.float32(0.0), tree):
        for prox in (penalty.prox, jax.jit(penalty.prox)):
            moved = prox(PARAMS, step)
            jax.tree.map(np.testing.assert_array_equal, moved, PARAMS)
    slope = jax.grad(lambda t: sum(jnp.sum(w) for w in jax.tree.leaves(penalty.prox(PARAMS, t))))(0.0)
    assert np.isfinite(slope)


@proximable()
@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_bad_steps_are_refused(name, bad):
    with pytest.raises(ValueError, match="prox: stepsize must be >= 0"):
        CASES[name][0](0.1).prox(PARAMS, bad)


@pytest.mark.parametrize(
    "make", [lambda: rj.log_sum(1.0), lambda: rj.scad(1.0), lambda: rj.mcp(1.0), lambda: rj.l1(1.0)]
)
def test_very_large_weights_are_kept(make):
    w = np.array([[1e25, np.inf], [-1e30, -np.inf]], np.float32)
    np.testing.assert_allclose(make().prox({"kernel": jnp.asarray(w)}, 0.1)["kernel"], w, rtol=1e-6)


@pytest.mark.parametrize("columns", [[0.0, 0.0], [0.1, 0.0], [1.0, 0.2]], ids=str)
@pytest.mark.parametrize("name", [n for n in CASES if not {"no prox", "anchored"} & set(CASES[n][2])])
def test_proximal_maps_have_derivatives_where_they_are_zero(name, columns):
    """Reverse mode agrees with forward mode and is finite; a map of singular values has none where the rank is low."""
    w = jnp.array([[0.4, 1.0], [0.01, -0.5], [-2.6, 0.3]]) * jnp.array(columns)

    def outcome(w, s, t):
        return jnp.sum(CASES[name][0](s).prox({"kernel": w}, t)["kernel"] * jnp.arange(1.0, 7.0).reshape(3, 2))

    at = (w, jnp.float32(0.3), jnp.float32(0.7))
    if name in ("nuclear", "spectral") and columns[1] == 0:
        assert np.isnan(jax.grad(outcome)(*at)).all()  # not a number that would be wrong
        return
    found = jax.grad(outcome, (0, 1, 2))(*at)
    expected = jax.jacfwd(outcome, (0, 1, 2))(*at)
    for a, b in zip(found, expected, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_weight_that_is_nan_is_not_repaired(name):
    w = {"a": {"kernel": jnp.array([[0.4, 1.0], [jnp.nan, -0.5]])}}
    penalty = CASES[name][0](0.3)
    assert jnp.isnan(penalty.value(w))
    if "no prox" not in CASES[name][2]:
        assert jnp.isnan(penalty.prox(w, 0.7)["a"]["kernel"][1, 0])
