import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq
from sklearn.linear_model import MultiTaskLasso

import regjax as rj
from regjax.penalties.constraints import check_projected


def test_axis_and_weighting_by_hand():
    params = {"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]])}
    root2 = 2**0.5
    assert float(rj.group_lasso(1.0).value(params)) == pytest.approx(6.0)
    assert float(rj.group_lasso(1.0, axis=0).value(params)) == pytest.approx(3.0 + 17**0.5)
    assert float(rj.group_lasso(1.0, axis=()).value(params)) == pytest.approx(26**0.5)
    assert float(rj.group_lasso(1.0, axis=(0, 1)).value(params)) == pytest.approx(8.0)
    assert float(rj.group_lasso(1.0, weighting="sqrt_size").value(params)) == pytest.approx(6.0 * root2)
    out = rj.group_lasso(1.0, weighting="sqrt_size").prox(params, 1.0)["kernel"]
    np.testing.assert_allclose(out, [[3 * (1 - root2 / 5), 0], [4 * (1 - root2 / 5), 0]], rtol=1e-6)


def test_a_group_of_a_convolution_is_an_output_channel():
    kernel = jnp.ones((3, 3, 2, 4))
    assert float(rj.group_lasso(1.0).value({"kernel": kernel})) == pytest.approx(4 * 18**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "rmsprop"])
def test_proximal_group_lasso_reaches_the_multitask_lasso_of_sklearn(name):
    """Under Adam too: the group step in its elementwise metric is exact."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 12))
    y = x[:, :4] @ rng.normal(size=(4, 3)) + 0.5 * rng.normal(size=(100, 3))
    alpha = 0.3
    reference = MultiTaskLasso(alpha=alpha, fit_intercept=False, tol=1e-8, max_iter=100_000).fit(x, y).coef_.T
    # 1/(2n) ||Y - XW||^2 + alpha sum ||row||: our mse is the mean over 3 outputs, so times 2 / 3.
    penalty = rj.group_lasso(2 * alpha / 3, axis=0)
    xs, ys = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    rates = {"sgd": 0.3, "momentum": 0.03, "nesterov": 0.03}
    rate = rates.get(name) or optax.cosine_decay_schedule(0.03, 3000)
    tx = rj.make_optimizer(name, rate, penalty=penalty, mode="proximal")

    def body(carry, _):
        params, state = carry
        grads = jax.grad(lambda p: jnp.mean((ys - xs @ p["kernel"]) ** 2))(params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    params = {"kernel": 0.1 * jax.random.normal(jax.random.key(0), (12, 3))}
    w = np.asarray(jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=3000)[0][0])(params)["kernel"])
    np.testing.assert_allclose(w, reference, atol=2e-5)
    np.testing.assert_array_equal(np.all(w == 0, 1), np.all(reference == 0, 1))
    assert 0 < np.all(w == 0, 1).sum() < 12


def test_an_axis_is_named_once():
    with pytest.raises(ValueError, match=r"group_lasso: axis names one twice, got \(0, 0\)"):
        rj.group_lasso(1.0, axis=(0, 0))


def test_sparse_groups_by_hand():
    """Columns (3, 4) and (0, 1): L1 norm 8, norms 5 and 1, and the root of the group size is the root of 2."""
    params = {"kernel": jnp.array([[3.0, 0.0], [-4.0, 1.0]])}
    assert float(rj.sparse_group_lasso(2.0, 0.25).value(params)) == pytest.approx(2 * (0.25 * 8 + 0.75 * 6))
    assert float(rj.sparse_group_lasso(2.0).value(params)) == pytest.approx(8 + 6)  # in equal parts
    weighted = rj.sparse_group_lasso(2.0, 0.25, weighting="sqrt_size")
    assert float(weighted.value(params)) == pytest.approx(2 * (0.25 * 8 + 0.75 * 6 * 2**0.5))
    assert float(rj.sparse_group_lasso(1.0, 0.25, axis="in").value(params)) == pytest.approx(2 + 0.75 * (3 + 17**0.5))
    # Step 0.5: soft-thresholding by 0.25 leaves (2.75, -3.75) and (0, 0.75), then 0.75 is taken from each norm.
    shrunk = rj.sparse_group_lasso(2.0, 0.25).prox(params, 0.5)["kernel"]
    factor = 1 - 0.75 / np.hypot(2.75, 3.75)
    np.testing.assert_allclose(shrunk, [[2.75 * factor, 0], [-3.75 * factor, 0]], rtol=1e-6)
    factor = 1 - 0.75 * 2**0.5 / np.hypot(2.75, 3.75)
    np.testing.assert_allclose(weighted.prox(params, 0.5)["kernel"][0, 0], 2.75 * factor, rtol=1e-6)


@pytest.mark.parametrize("weighting", ["none", "sqrt_size"])
def test_strength_max_of_groups_is_their_largest_norm_over_the_weight(weighting):
    grads = {"kernel": jnp.array([[3.0, 1.0], [4.0, 1.0], [0.0, 1.0]])}
    c = 1.0 if weighting == "none" else 3**0.5
    found = rj.group_lasso(1.0, weighting=weighting).strength_max(grads)
    assert float(found) == pytest.approx(5 / c, rel=1e-6)


@pytest.mark.parametrize("weighting", ["none", "sqrt_size"])
@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_strength_max_of_sparse_groups_is_the_root_that_scipy_finds(weighting, ratio, scale):
    """Of `||soft(g, s r)|| = s (1 - r) c`, the largest over the groups."""
    grads = scale * np.random.default_rng(2).normal(size=(4, 3))
    c = 1.0 if weighting == "none" else 2.0

    def root(g):
        excess = lambda s: np.linalg.norm(np.maximum(np.abs(g) - s * ratio, 0)) - s * (1 - ratio) * c  # noqa: E731
        return brentq(excess, 0, 2 * scale * 10, xtol=1e-12 * scale) if ratio < 1 else np.abs(g).max()

    penalty = rj.sparse_group_lasso(1.0, ratio, weighting=weighting)
    found = penalty.strength_max({"kernel": jnp.asarray(grads, jnp.float32)})
    assert float(found) == pytest.approx(max(root(g) for g in grads.T), rel=2e-6)


def test_no_gradient_needs_no_strength():
    zeros = {"kernel": jnp.zeros((3, 2))}
    assert float(rj.group_lasso(1.0).strength_max(zeros)) == 0.0
    for ratio in (0.0, 0.5, 1.0):
        assert float(rj.sparse_group_lasso(1.0, ratio).strength_max(zeros)) == 0.0


@pytest.mark.parametrize("make", [rj.group_lasso, rj.sparse_group_lasso])
def test_options_of_groups(make):
    with pytest.raises(ValueError, match="weighting"):
        make(1.0, weighting="size")
    one = {"kernel": jnp.ones((2, 2))}
    with pytest.raises(ValueError, match="needs one strength for the whole of kernel"):
        make({"kernel": jnp.ones((2, 2))}).value(one)
    with pytest.raises(ValueError, match="needs one strength for the whole of kernel"):
        make({"kernel": jnp.ones((2, 2))}).prox(one, 0.5)
    penalty = make(1.0)
    assert not penalty.smooth
    assert float(jax.tree.map(lambda leaf: leaf + 1, penalty).strength) == 2.0
    with pytest.raises(ValueError, match=r"does not rest at the solution"):
        check_projected(penalty, rj.non_negative())  # clipping moves a group off its minimum
    for name in ("strength", "axis", "layout", "weighting"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(penalty, name, 2.0)
    # What shapes a program is in the structure, not in the leaves.
    structure = jax.tree.structure(penalty)
    for other in ({"axis": "in"}, {"weighting": "sqrt_size"}, {"layout": "oi..."}):
        assert jax.tree.structure(make(1.0, **other)) != structure


def test_a_ratio_of_sparse_groups_is_in_the_unit_interval():
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"sparse_group_lasso: l1_ratio must be in \[0, 1\]"):
            rj.sparse_group_lasso(1.0, bad)
    params = {"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]])}
    assert float(rj.sparse_group_lasso(1.0, 0.0).value(params)) == pytest.approx(6.0)
    assert float(rj.sparse_group_lasso(1.0, 1.0).value(params)) == pytest.approx(8.0)
    assert "sparse_group_lasso(1, 0.25, 2 units" in str(rj.sparse_group_lasso(1.0, 0.25).plan(params))
