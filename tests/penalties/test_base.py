import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj

PARAMS = {"a": {"kernel": jnp.array([[1.0, -2.0], [0.0, 3.0]]), "bias": jnp.array([5.0, 5.0])}}


def kernel(values) -> dict:
    return {"kernel": jnp.atleast_2d(jnp.asarray(values, jnp.float32))}


def test_prox_with_one_step_a_weight():
    stepsize = {"kernel": jnp.array([[1.0, 0.5]]), "bias": jnp.array([1.0])}
    params = {"kernel": jnp.array([[1.0, 1.0]]), "bias": jnp.array([9.0])}
    out = rj.l1(0.6).prox(params, stepsize)
    np.testing.assert_allclose(out["kernel"], [[0.4, 0.7]], rtol=1e-6)
    assert out["bias"] is params["bias"]


def test_sum_and_plus_build_the_same_penalty():
    p, q = rj.l1(0.1), rj.l2(0.2)
    for built in (p + q, sum([p, q]), rj.combine([p, q])):
        assert {n: float(v) for n, v in built.terms(PARAMS).items()} == pytest.approx({"l1": 0.6, "l2": 2.8})
    assert list((p + p).terms(PARAMS)) == ["l1", "l1_2"]


def test_schedule_is_read_by_step():
    penalty = rj.l2(lambda step: 0.1 * step)
    np.testing.assert_allclose(penalty.value(kernel([2.0]), step=3), 1.2, rtol=1e-6)
    assert penalty.value(kernel([2.0])) == 0


def test_a_tree_of_strengths_names_its_leaves():
    params = {"a": {"kernel": jnp.ones((1, 2)), "bias": jnp.ones(2)}, "b": {"kernel": jnp.ones((1, 2))}}
    penalty = rj.l1({"a": {"bias": 1.0}, "b": {"kernel": 2.0}})
    assert float(penalty.value(params)) == 6.0
    assert float(rj.l1({"a": {"bias": 1.0}, "b": {"kernel": 2.0}}, where="b/").value(params)) == 4.0
    out = penalty.prox(params, 0.25)
    np.testing.assert_allclose(
        [out["a"]["kernel"][0, 0], out["a"]["bias"][0], out["b"]["kernel"][0, 0]], [1, 0.75, 0.5]
    )
    assert "l1(2)" in str(penalty.plan(params))
    with pytest.raises(ValueError, match="l1: strengths for c/kernel, but the leaves are a/bias, a/kernel, b/kernel"):
        rj.l1({"c": {"kernel": 1.0}}).value(params)
    assert float(jax.jit(lambda p: p.value(params))(penalty)) == 6.0


def test_strengths_by_entry_are_the_adaptive_lasso():
    weights = jnp.array([[1.0, 0.0], [2.0, 0.5]])
    penalty = rj.l1({"a": {"kernel": weights}})
    assert float(penalty.value(PARAMS)) == pytest.approx(1.0 + 0.0 + 0.0 + 1.5)
    np.testing.assert_allclose(penalty.prox(PARAMS, 1.0)["a"]["kernel"], [[0, -2], [0, 2.5]])
    with pytest.raises(ValueError, match="group_lasso: needs one strength for the whole of a/kernel"):
        rj.group_lasso({"a": {"kernel": weights}}).value(PARAMS)


def test_smooth():
    assert rj.l2(1.0).smooth
    assert not rj.l1(1.0).smooth
    assert not (rj.l1(1.0) + rj.l2(1.0)).smooth


def test_plan_counts_what_is_penalized():
    text = str((rj.l1(0.1) + rj.mcp(0.2)).plan(PARAMS))
    assert "a/kernel  2x2    4     l1(0.1) + mcp(0.2, 3)" in text
    assert text.endswith("1 of 2 leaves, 4 of 6 numbers penalized")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.elastic_net(1.0, l1_ratio=1.5), r"l1_ratio must be in \[0, 1\], got 1.5"),
        (lambda: rj.mcp(1.0, gamma=1.0), r"mcp: gamma must be > 1, got 1.0"),
        (lambda: rj.scad(1.0, gamma=2.0), r"scad: gamma must be > 2, got 2.0"),
        (lambda: rj.log_sum(1.0, epsilon=0.0), r"log_sum: epsilon must be > 0, got 0.0"),
        (lambda: rj.group_lasso(1.0, axis=2).value(PARAMS), r"axis must be in \[-2, 2\) for a/kernel \(2, 2\), got 2"),
        (lambda: rj.group_lasso(1.0, axis=0.5), "an integer or a tuple of integers, got 0.5"),
        (lambda: rj.group_lasso(1.0, weighting="sqrt"), "did you mean 'sqrt_size'"),
        (lambda: rj.orthogonal(1.0, "sript"), "did you mean 'srip'"),
        (lambda: rj.spectral(1.0, iterations=0), "spectral: iterations must be >= 1, got 0"),
        (lambda: rj.nuclear(1.0, where="bias").value(PARAMS), r"a/bias must be a matrix .* got shape \(2,\)"),
        (lambda: rj.l2_to({"b": jnp.ones(2)}, 1.0).value(PARAMS), r"a/kernel of shape \(2, 2\) needs an anchor"),
        (lambda: rj.l2_to({}, 1.0), "anchor must be a tree of arrays"),
        (lambda: rj.l1({}), "strength must be a number, a schedule or a tree"),
        (lambda: rj.combine(), "at least one"),
        (lambda: rj.combine(rj.l1(1.0), 3), "expected penalties"),
        (
            lambda: rj.l1(1.0, where="nothing").value(PARAMS),
            r"nothing matches 'nothing' among the leaves: a/bias \(2,\)",
        ),
        (lambda: rj.nuclear(1.0).prox(PARAMS, jax.tree.map(jnp.ones_like, PARAMS)), "nuclear needs one step"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_complex_weights_use_the_modulus():
    params = {"kernel": jnp.array([[3 + 4j]])}
    assert float(rj.l1(1.0).value(params)) == pytest.approx(5.0)
    assert float(rj.l2(1.0).value(params)) == pytest.approx(25.0)
    np.testing.assert_allclose(rj.l1(1.0).prox(params, 2.5)["kernel"], [[1.5 + 2j]], rtol=1e-6)
    np.testing.assert_allclose(rj.group_lasso(1.0).prox(params, 2.5)["kernel"], [[1.5 + 2j]], rtol=1e-6)
    zero = jax.grad(lambda w: rj.l1(1.0).value({"kernel": w}))(jnp.zeros((1, 1), jnp.complex64))
    assert np.isfinite(zero).all()


@pytest.mark.slow
def test_strength_max_is_where_the_solution_becomes_zero():
    """Proximal gradient from zero stays there above the threshold and leaves below it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)).astype(np.float32), rng.normal(size=(50, 3)).astype(np.float32)
    zero = {"kernel": jnp.zeros((6, 3))}
    grads = jax.grad(lambda p: jnp.mean((y - x @ p["kernel"]) ** 2))(zero)
    for make in (
        rj.l1,
        lambda s: rj.elastic_net(s, 0.4),
        rj.group_lasso,
        lambda s: rj.group_lasso(s, axis=0, weighting="sqrt_size"),
        lambda s: rj.sparse_group_lasso(s, 0.3),
        lambda s: rj.sparse_group_lasso(s, 0.0),
        lambda s: rj.sparse_group_lasso(s, 1.0),
        rj.nuclear,
        rj.mcp,
        rj.scad,
        lambda s: rj.log_sum(s, 0.5),
    ):
        limit = float(make(1.0).strength_max(grads))
        moved = {"kernel": -0.01 * grads["kernel"]}
        assert not np.any(make(1.0001 * limit).prox(moved, 0.01)["kernel"]), make(1.0)
        assert np.any(make(0.999 * limit).prox(moved, 0.01)["kernel"]), make(1.0)
    for penalty in (rj.l2(1.0), rj.l0(1.0), rj.orthogonal(1.0)):
        with pytest.raises(ValueError, match="no strength of"):
            penalty.strength_max(grads)
    with pytest.raises(ValueError, match="a sum of 2"):
        (rj.l1(1.0) + rj.l2(1.0)).strength_max(grads)


def test_strength_max_of_a_tree_or_an_array_is_a_factor():
    grads = {"kernel": jnp.array([[0.5, -2.0]])}
    assert float(rj.l1({"kernel": 4.0}).strength_max(grads)) == 0.5
    assert float(rj.l1(jnp.array([[1.0, 4.0]])).strength_max(grads)) == 0.5
    both = {**grads, "bias": 99 * jnp.ones(2)}
    assert float(rj.l1({"kernel": 2.0, "bias": 0.0}).strength_max(both)) == 1.0  # an unpenalized bias does not count
    factor = rj.l1(jnp.array([[1.0, 4.0]])).strength_max(grads)
    moved = {"kernel": -grads["kernel"]}  # one gradient step of size 1 from zero
    at, below = (rj.l1(jnp.array([[1.0, 4.0]])).scaled(f).prox(moved, 1.0)["kernel"] for f in (factor, 0.99 * factor))
    assert not np.any(at)
    assert np.any(below)
    with pytest.raises(ValueError, match="no strength of elastic_net with l1_ratio 0"):
        rj.elastic_net(1.0, l1_ratio=0.0).strength_max(grads)


@pytest.mark.parametrize(
    "stepsize", [{"kernel": -1.0}, {"kernel": jnp.array([[0.0, -1.0]])}, np.inf, {"kernel": np.nan}]
)
def test_concrete_steps_out_of_range_are_refused_in_trees_too(stepsize):
    with pytest.raises(ValueError, match="prox: stepsize must be >= 0"):
        rj.l1(1.0).prox({"kernel": jnp.ones((1, 2))}, stepsize)


def test_steps_of_another_tree_are_refused():
    params = {"kernel": jnp.ones((1, 2))}
    with pytest.raises(ValueError, match="missing: kernel; unknown: dense"):
        rj.l1(1.0).prox(params, {"dense": 1.0})
    with pytest.raises(ValueError, match=r"must be one number or a tree like params, got shape \(7,\)"):
        rj.l1(1.0).prox(params, jnp.ones(7))


def test_a_schedule_that_turns_negative_is_refused_where_its_number_is_known():
    penalty = rj.l1(lambda step: 1.0 - step)
    params = {"kernel": jnp.ones((1, 2))}
    assert float(penalty.value(params, 0)) == 2.0
    with pytest.raises(ValueError, match="l1: scheduled strength must be >= 0, got -1"):
        penalty.value(params, 2)


def test_a_strength_that_float32_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="l1: strength must be >= 0 and finite, got 1e"):
        rj.l1(1e39)
