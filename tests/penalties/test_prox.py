"""The closed forms of proximal maps against minimization by brute force."""

import jax
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
@settings(max_examples=60)
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


def by_bisection(w, t, s):
    """`argmin sum (z - w)^2 / 2t + s ||z||` from its scalar equation, in float64."""
    tau = t * s
    if np.sum((w / tau) ** 2) <= 1:
        return np.zeros_like(w)
    n = scipy.optimize.brentq(lambda n: np.sum((w / (n + tau)) ** 2) - 1, 1e-300, np.linalg.norm(w) + 1, xtol=1e-14)
    return w * n / (n + tau)


@pytest.mark.parametrize(("spread", "scale"), [(0.5, 1.0), (2.0, 1.0), (4.0, 1.0), (2.0, 1e-4), (2.0, 1e4)])
def test_groups_in_the_metric_of_an_adaptive_optimizer(spread, scale):
    """Also for all weights and steps times a number, which multiplies the map."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(7, 400))
    t = 10 ** rng.uniform(-spread, 0, size=(7, 400))
    s = rng.choice([0.1, 1.0, 3.0])
    scaled = (jnp.asarray(scale * part, jnp.float32) for part in (w, t * s))
    got = prox.group_soft_threshold(*scaled, (0,))
    expected = scale * np.stack([by_bisection(w[:, g], t[:, g], s) for g in range(400)], 1)
    np.testing.assert_allclose(got, expected, atol=3e-6 * scale)
    np.testing.assert_array_equal(np.all(got == 0, axis=0), np.all(expected == 0, axis=0))


def test_equal_steps_give_the_closed_form_and_strength_zero_the_identity():
    w = jnp.asarray(np.random.default_rng(1).normal(size=(5, 30)), jnp.float32)
    one = prox.group_soft_threshold(w, 0.8, (0,))
    np.testing.assert_allclose(prox.group_soft_threshold(w, jnp.full((5, 30), 0.8), (0,)), one, atol=1e-6)
    np.testing.assert_array_equal(prox.group_soft_threshold(w, jnp.zeros((5, 30)), (0,)), w)
    zeros = jnp.zeros((5, 30))
    np.testing.assert_array_equal(prox.group_soft_threshold(zeros, jnp.full((5, 30), 0.8), (0,)), zeros)


def test_singular_values_are_shrunk_and_capped_as_by_numpy():
    w = np.random.default_rng(0).normal(size=(5, 3))
    left, values, right = np.linalg.svd(w, full_matrices=False)
    shrunk = left * np.maximum(values - 0.7, 0) @ right
    np.testing.assert_allclose(prox.shrink_singular_values(jnp.asarray(w, jnp.float32), 0.7), shrunk, atol=1e-5)
    cap = scipy.optimize.brentq(lambda c: np.maximum(values - c, 0).sum() - 2 * 0.4 * c, 0, values[0])
    capped = left * np.minimum(values, cap) @ right
    np.testing.assert_allclose(prox.cap_singular_values(jnp.asarray(w, jnp.float32), 0.4), capped, atol=1e-5)


def stationary(name, w, t, s):
    """Every point that may be the minimum for a weight `w >= 0`: where a piece is flat, clipped to it, and its ends."""
    if name == "soft":
        return [0.0, max(w - t * s, 0)]
    if name == "hard":
        return [0.0, w]
    if name == "firm":
        flat = (w - t * s) / (1 - t / SHAPE) if t != SHAPE else 0.0
        return [0.0, np.clip(flat, 0, SHAPE * s), SHAPE * s, max(w, SHAPE * s)]
    if name == "scad":
        room = SHAPE - 1 - t
        flat = ((SHAPE - 1) * w - t * SHAPE * s) / room if room else s
        return [0.0, np.clip(w - t * s, 0, s), s, np.clip(flat, s, SHAPE * s), max(w, SHAPE * s)]
    roots = np.roots([1.0, SHAPE - w, t * s - w * SHAPE])  # of (z - w)(epsilon + z) + t s
    return [0.0, *(root.real for root in roots if abs(root.imag) < 1e-9 and root.real > 0)]


@pytest.mark.parametrize("name", SCALAR)
def test_maps_find_the_best_stationary_point(name):
    """On a lattice that has the ends of all pieces on it, and steps for which the objective is not convex."""
    mapped, penalty = SCALAR[name]
    lattice = np.meshgrid(np.arange(-48, 49) / 8, [0.5, 1, 2.5, 3.5, 7], [0, 0.25, 1, 1.5], indexing="ij")
    weights, steps, strengths = (axis.reshape(-1).astype(np.float32) for axis in lattice)
    found = np.asarray(mapped(jnp.asarray(weights), jnp.asarray(steps), jnp.asarray(strengths)))
    assert found.dtype == np.float32
    compared = 0
    for w, t, s, z in zip(weights.astype(float), steps.astype(float), strengths.astype(float), found, strict=True):
        points = np.array(stationary(name, abs(w), t, s))
        objective = (points - abs(w)) ** 2 / 2 + t * penalty(points, s)
        best = points[np.argmin(objective)]
        rivals = objective[np.abs(points - best) > 1e-6]
        if rivals.size == 0 or rivals.min() > objective.min() + 1e-5:
            np.testing.assert_allclose(z, np.sign(w) * best, rtol=1e-5, atol=2e-6, err_msg=f"w={w}, t={t}, s={s}")
            compared += 1
    assert compared > 0.9 * len(weights)


def test_of_two_minima_the_one_closer_to_zero_is_taken():
    assert float(prox.hard_threshold(jnp.float32(2.0), 1.0, 2.0)) == 0.0  # 2^2 = 2 t s
    assert float(prox.hard_threshold(jnp.float32(-2.125), 1.0, 2.0)) == -2.125
    # At t >= gamma the map of MCP is the hard threshold at s sqrt(gamma t).
    assert float(prox.firm_threshold(jnp.float32(4.0), 4.0, 1.0, 4.0)) == 0.0
    assert float(prox.firm_threshold(jnp.float32(-4.125), 4.0, 1.0, 4.0)) == -4.125
    assert float(prox.firm_threshold(jnp.float32(6.0), 9.0, 1.0, 4.0)) == 0.0


def test_maps_by_hand_where_two_pieces_meet():
    # Log sum with t s = 1 and epsilon = 1: the discriminant is 0 at w = 1, where the root 0 is the minimum.
    found = prox.log_sum_threshold(jnp.array([0.5, 1.0, 1.25, 3.0]), 1.0, 1.0, 1.0)
    np.testing.assert_allclose(found, [0, 0, (0.25 + (2.25**2 - 4) ** 0.5) / 2, 1 + 3**0.5], rtol=1e-5)
    # With t s = 1 and epsilon = 0.25 the map jumps: at w = 1.8 zero is better than the root 1, at 2.75 it is worse.
    jump = prox.log_sum_threshold(jnp.array([0.0, 1.0, 1.8, 2.75]), 1.0, 1.0, 0.25)
    np.testing.assert_allclose(jump, [0, 0, 0, (2.5 + 5**0.5) / 2], rtol=1e-5)
    # Strength 0 is the identity, bit for bit.
    w = jnp.array([0.1, -1 / 3, 0.7, 1e-7])
    np.testing.assert_array_equal(prox.log_sum_threshold(w, 1.0, 0.0, 0.3), w)


def test_soft_thresholds_by_entry_and_of_complex_numbers():
    w = jnp.array([[3.0, -3.0], [0.5, -0.5]])
    np.testing.assert_array_equal(prox.soft_threshold(w, jnp.array([1.0, 0.25])), [[2, -2.75], [0, -0.25]])
    found = prox.soft_threshold(jnp.array([3 + 4j, 0.3 + 0.4j]), 1.0)
    np.testing.assert_allclose(found, [0.8 * (3 + 4j), 0], rtol=1e-6)
    assert found.dtype == jnp.complex64
    assert prox.soft_threshold(w.astype(jnp.bfloat16), jnp.float32(1.0)).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", SCALAR)
def test_maps_keep_16_bits_and_infinite_weights(name):
    mapped = SCALAR[name][0]
    found = mapped(jnp.array([4.0, -np.inf, np.inf], jnp.bfloat16), jnp.float32(0.5), jnp.float32(0.5))
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found[1:].astype(jnp.float32), [-np.inf, np.inf])
    assert np.isnan(mapped(jnp.float32(np.nan), 0.5, 0.5))


@pytest.mark.slow
def test_groups_lie_along_their_axes():
    w = jnp.array([[3.0, 0.6, 0.0], [4.0, 0.8, 0.0]])
    shrunk = np.array([[2.4, 0.0, 0.0], [3.2, 0.0, 0.0]])
    np.testing.assert_allclose(prox.group_soft_threshold(w, 1.0, (0,)), shrunk, rtol=1e-6)
    np.testing.assert_allclose(prox.group_soft_threshold(w, jnp.ones((1, 1)), (0,)), shrunk, rtol=1e-6)
    np.testing.assert_allclose(prox.group_soft_threshold(w, jnp.ones((2, 3)), (0,)), shrunk, rtol=1e-5)
    # One threshold a group; where it equals the norm, the group is zero.
    by_group = prox.group_soft_threshold(w, jnp.array([[2.5, 0.5, 1.0]]), (0,))
    np.testing.assert_allclose(by_group, [[1.5, 0.3, 0], [2.0, 0.4, 0]], rtol=1e-6)
    np.testing.assert_array_equal(prox.group_soft_threshold(w[:, :1], 5.0, (0,)), 0)
    np.testing.assert_allclose(
        prox.group_soft_threshold(w, 2.6, (0, 1)), np.asarray(w) * (1 - 2.6 / 26**0.5), rtol=1e-6
    )
    # Without axes every entry is a group: the soft threshold.
    np.testing.assert_allclose(
        prox.group_soft_threshold(w, jnp.full((2, 3), 0.5), ()), prox.soft_threshold(w, 0.5), rtol=1e-6
    )


def test_groups_with_a_step_an_entry_by_hand():
    """For w = (3, 4) and thresholds (1, 6), n = 2 has (3 / 3)^2 + (4 / 8)^2 > 1; brentq finds the root."""
    w, tau = np.array([3.0, 4.0]), np.array([1.0, 6.0])
    n = scipy.optimize.brentq(lambda n: np.sum((w / (n + tau)) ** 2) - 1, 1e-9, 9)
    found = prox.group_soft_threshold(jnp.asarray(w, jnp.float32), jnp.asarray(tau, jnp.float32), (0,))
    np.testing.assert_allclose(found, w * n / (n + tau), rtol=1e-6)
    # (3 / 5)^2 + (4 / 5)^2 = 1 is the border: the group is zero there, not before.
    assert not np.any(prox.group_soft_threshold(jnp.array([3.0, 4.0]), jnp.array([5.0, 5.0]), (0,)))
    assert np.all(prox.group_soft_threshold(jnp.array([3.0, 4.0]), jnp.array([5.0, 4.99]), (0,)))
    # An entry whose step is 0 stays as it is.
    kept = prox.group_soft_threshold(jnp.array([3.0, 4.0]), jnp.array([0.0, 6.0]), (0,))
    assert float(kept[0]) == pytest.approx(3.0, rel=1e-6)
    # An entry of 0 whose step is 0 does not count: 1 / 5 alone is within the border.
    assert not np.any(prox.group_soft_threshold(jnp.array([0.0, 1.0]), jnp.array([0.0, 5.0]), (0,)))
    bits = prox.group_soft_threshold(jnp.array([3.0, 4.0], jnp.bfloat16), jnp.array([1.0, 6.0]), (0,))
    assert bits.dtype == jnp.bfloat16
    np.testing.assert_allclose(bits.astype(jnp.float32), w * n / (n + tau), rtol=2**-8)


@pytest.mark.slow
def test_groups_with_a_step_an_entry_may_lie_along_any_axes():
    rng = np.random.default_rng(3)
    w, tau = rng.normal(size=(4, 5, 3)), rng.uniform(0.1, 1.5, (4, 5, 3))

    def shrunk(order, axes):
        turned = [jnp.asarray(a.transpose(order), jnp.float32) for a in (w, tau)]
        return np.asarray(prox.group_soft_threshold(*turned, axes)).transpose(np.argsort(order))

    expected = shrunk((0, 1, 2), (0, 1))
    assert (expected != 0).any()
    for order, axes in (((2, 0, 1), (1, 2)), ((0, 2, 1), (0, 2))):
        np.testing.assert_allclose(shrunk(order, axes), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (6, 2), (2, 6)])
@pytest.mark.parametrize("threshold", [0.0, 0.4, 3.0])
def test_maps_of_singular_values_in_every_shape(shape, threshold):
    w = np.random.default_rng(1).normal(size=shape)
    left, values, right = np.linalg.svd(w, full_matrices=False)
    shrunk = prox.shrink_singular_values(jnp.asarray(w, jnp.float32), threshold)
    np.testing.assert_allclose(shrunk, left * np.maximum(values - threshold, 0) @ right, atol=1e-5)
    excess = lambda c: np.maximum(values - c, 0).sum() - 2 * threshold * c  # noqa: E731
    cap = scipy.optimize.brentq(excess, 0, values[0]) if threshold else values[0]
    capped = prox.cap_singular_values(jnp.asarray(w, jnp.float32), threshold)
    np.testing.assert_allclose(capped, left * np.minimum(values, cap) @ right, atol=1e-5)
    half = jnp.asarray(w, jnp.bfloat16)
    assert prox.shrink_singular_values(half, threshold).dtype == jnp.bfloat16
    assert prox.cap_singular_values(half, threshold).dtype == jnp.bfloat16
    if threshold == 0:
        np.testing.assert_array_equal(capped, np.asarray(w, np.float32))


def test_the_root_has_slope_zero_at_zero():
    assert float(prox.safe_sqrt(2.25)) == 1.5
    assert float(prox.safe_sqrt(0.25)) == 0.5
    assert float(prox.safe_sqrt(0.0)) == float(prox.safe_sqrt(-1.0)) == 0.0
    assert np.isnan(prox.safe_sqrt(np.nan))
    assert [float(jax.grad(prox.safe_sqrt)(x)) for x in (0.0, -1.0, 4.0)] == [0.0, 0.0, 0.25]


def test_scad_by_hand_at_its_corners():
    # s = 2, gamma = 3: 2 |w| to 2, then (12 |w| - w^2 - 4) / 4 to 6, then 8.
    sizes = jnp.array([0.0, 1.0, 2.0, 4.0, 6.0, 7.0])
    np.testing.assert_allclose(prox.scad_value(sizes, 2.0, 3.0), [0, 2, 4, 7, 8, 8], rtol=1e-6)
