"""The closed forms of proximal maps against minimization by brute force."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.penalties import prox

NUMBERS = {
    "weight": st.floats(-6, 6, width=32),
    "step": st.floats(0.0625, 4, width=32),
    "strength": st.floats(0.0625, 3, width=32),
}
SHAPE = 3.5  # gamma of MCP and SCAD, epsilon of the log sum


def mcp(z, s):
    return np.where(z <= SHAPE * s, s * z - z**2 / (2 * SHAPE), SHAPE * s**2 / 2)


def scad(z, s):
    middle = (2 * SHAPE * s * z - z**2 - s**2) / (2 * (SHAPE - 1))
    return np.where(z <= s, s * z, np.where(z <= SHAPE * s, middle, s**2 * (SHAPE + 1) / 2))


# By name: the map of one weight, and the penalty of its size.
SCALAR = {
    "soft": (lambda w, t, s: prox.soft_threshold(w, t * s), lambda z, s: s * z),
    "hard": (prox.hard_threshold, lambda z, s: s * (z > 0)),
    "firm": (lambda w, t, s: prox.firm_threshold(w, t, s, SHAPE), mcp),
    "scad": (lambda w, t, s: prox.scad_threshold(w, t, s, SHAPE), scad),
    "log sum": (lambda w, t, s: prox.log_sum_threshold(w, t, s, SHAPE), lambda z, s: s * np.log1p(z / SHAPE)),
}


@pytest.mark.parametrize("name", SCALAR)
@settings(max_examples=60, deadline=None)
@given(**NUMBERS)
def test_no_point_of_a_fine_grid_is_better(name, weight, step, strength):
    mapped, penalty = SCALAR[name]
    found = np.float64(mapped(jnp.float32(weight), step, strength))
    size = abs(weight)

    def objective(z):
        return (z - size) ** 2 / (2 * step) + penalty(z, strength)

    grid = np.append(np.linspace(0, size, 20_001), abs(found))
    assert objective(abs(found)) <= objective(grid).min() + 1e-5 * (1 + objective(size))
    assert found == 0 or np.sign(found) == np.sign(weight)


def test_scad_is_the_integral_of_its_derivative():
    """`P'(x) = s` up to s, then falling to 0 at gamma s (Fan and Li 2001)."""

    def slope(x, s=1.2):
        return s if x <= s else max(SHAPE * s - x, 0) / (SHAPE - 1)

    for size in (0.3, 1.2, 2.0, 4.2, 9.0):
        area = scipy.integrate.quad(slope, 0, size, points=[1.2, 4.2] if size > 4.2 else None)[0]
        np.testing.assert_allclose(float(prox.scad_value(jnp.float32(size), 1.2, SHAPE)), area, rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_group_with_a_step_an_entry_is_the_minimum_that_scipy_finds(seed):
    rng = np.random.default_rng(seed)
    w, t, s = rng.normal(size=5) * 2, rng.uniform(0.1, 2, 5), rng.uniform(0.2, 2)

    def objective(z):
        return np.sum((z - w) ** 2 / (2 * t)) + s * np.linalg.norm(z)

    found = np.asarray(prox.group_soft_threshold(jnp.asarray(w, jnp.float32), jnp.asarray(t * s, jnp.float32), (0,)))
    best = min(scipy.optimize.minimize(objective, start, tol=1e-12).fun for start in (w, w / 2, np.full(5, 1e-3)))
    assert objective(found) <= min(best, objective(np.zeros(5))) + 1e-5
    is_zero = np.sum((w / (t * s)) ** 2) <= 1
    assert (found == 0).all() == is_zero


def test_singular_values_are_shrunk_and_capped_as_by_numpy():
    w = np.random.default_rng(0).normal(size=(5, 3))
    left, values, right = np.linalg.svd(w, full_matrices=False)
    shrunk = left * np.maximum(values - 0.7, 0) @ right
    np.testing.assert_allclose(prox.shrink_singular_values(jnp.asarray(w, jnp.float32), 0.7), shrunk, atol=1e-5)
    cap = scipy.optimize.brentq(lambda c: np.maximum(values - c, 0).sum() - 2 * 0.4 * c, 0, values[0])
    capped = left * np.minimum(values, cap) @ right
    np.testing.assert_allclose(prox.cap_singular_values(jnp.asarray(w, jnp.float32), 0.4), capped, atol=1e-5)
