"""The proximal map of a sum of terms, against minimization by brute force."""

import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.penalties.prox_parts import prox_of_sum


def kernel(values) -> dict:
    return {"kernel": jnp.atleast_2d(jnp.asarray(values, jnp.float32))}


def test_prox_of_the_sum_on_disjoint_leaves_and_on_one_leaf():
    params = {"a": {"kernel": jnp.full((1, 1), 2.0)}, "b": {"kernel": jnp.full((1, 1), 2.0)}}
    out = (rj.l1(0.5, where="a/") + rj.l2(0.5, where="b/")).prox(params, 1.0)
    assert (float(out["a"]["kernel"][0, 0]), float(out["b"]["kernel"][0, 0])) == (1.5, 1.0)
    both = (rj.l1(0.5) + rj.l2(0.5)).prox(params, 1.0)
    assert float(both["a"]["kernel"][0, 0]) == 0.75


@pytest.mark.parametrize(
    "penalty",
    [
        lambda: rj.l1(0.1) + rj.mcp(0.1),
        lambda: rj.nuclear(0.1) + rj.l1(0.1),
        lambda: rj.group_lasso(0.1) + rj.group_lasso(0.1, axis=0),
        lambda: rj.l0(0.1) + rj.scad(0.1),
    ],
)
def test_sums_without_a_closed_form_are_refused(penalty):
    with pytest.raises(ValueError, match=r"the sum .* on kernel has no closed form"):
        penalty().prox(kernel([1.0]), 1.0)


def test_quadratic_terms_add_to_any_other():
    """Argmin (z - w)^2 / 2t + (z - a)^2 + f(z) by brute force."""
    w, t, anchor = 1.7, 0.5, {"kernel": jnp.full((1, 1), -1.0)}
    grid = np.linspace(-3, 3, 60001)
    for term, value in (
        (rj.l0(0.4), 0.4 * (grid != 0)),
        (rj.log_sum(0.3, 0.5), 0.3 * np.log1p(np.abs(grid) / 0.5)),
        (rj.l1(0.3) + rj.l2(0.2), 0.3 * np.abs(grid) + 0.2 * grid**2),
    ):
        z = float((term + rj.l2_to(anchor, 0.8)).prox(kernel([w]), t)["kernel"][0, 0])
        best = grid[np.argmin((grid - w) ** 2 / (2 * t) + 0.8 * (grid + 1) ** 2 + value)]
        assert abs(z - best) < 2e-4


def test_a_step_of_zero_keeps_the_weights_bit_for_bit():
    w = jnp.array([0.1, -0.0, 7.0], jnp.bfloat16)
    stepsize = jnp.array([0.0, 0.0, 1.0])
    out = prox_of_sum(tuple(rj.l1(2.0).flat()), w, stepsize, 0, "w")
    assert out.dtype == w.dtype
    np.testing.assert_array_equal(out, jnp.array([0.1, -0.0, 5.0], jnp.bfloat16))
    assert np.signbit(np.asarray(out, np.float32)[1])


def test_the_order_of_terms_does_not_matter():
    w = jnp.array([[3.0, -4.0], [0.5, 0.1]])
    terms = tuple((rj.l2(0.3) + rj.l1(0.2) + rj.group_lasso(0.4)).flat())
    results = [prox_of_sum(order, w, 0.5, 0, "w") for order in (terms, terms[::-1])]
    np.testing.assert_allclose(*results, rtol=1e-6)
    # Soft-threshold by 0.1, divide by 1 + 2 * 0.5 * 0.3, then shrink each column by 0.5 / 1.3 * 0.4.
    z = np.sign(w) * np.maximum(np.abs(w) - 0.1, 0) / 1.3
    norms = np.linalg.norm(z, axis=0)
    np.testing.assert_allclose(results[0], z * (1 - 0.5 / 1.3 * 0.4 / norms), rtol=1e-6)


def test_a_term_on_a_whole_matrix_needs_one_step():
    with pytest.raises(ValueError, match=r"nuclear needs one step .* w, got \(2, 2\) steps"):
        prox_of_sum(tuple(rj.nuclear(0.1).flat()), jnp.ones((2, 2)), np.ones((2, 2)), 0, "w")
