"""The lasso path in standardized columns, by its optimality conditions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.solvers import active_set
from regjax.solvers.active_set import Problem, solve_path


def made(examples=40, features=12, gram=True):
    """A problem of standardized columns that are correlated."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples, features)) + rng.normal(size=(examples, 1))
    scale = np.sqrt((x**2).mean(0))
    x, y = x / scale, x[:, :3] @ [2.0, -1.0, 0.5] + rng.normal(size=examples)
    arrays = (x.T, 2 * x.T @ x / examples if gram else None, 2 * x.T @ y / examples, scale)
    return Problem(*(None if a is None else jnp.asarray(a, jnp.float32) for a in arrays))


def test_products_do_not_need_the_whole_gram_matrix():
    whole = made()
    parts = whole._replace(gram=None)
    v, index = jnp.arange(12.0), jnp.array([7, 2, 12])  # 12 is beyond the last
    np.testing.assert_allclose(parts.times(v), whole.times(v), rtol=1e-4)
    expected = np.zeros((3, 3))
    expected[:2, :2] = np.asarray(whole.gram)[np.ix_([7, 2], [7, 2])]
    for problem in (whole, parts):
        np.testing.assert_allclose(problem.subgram(index), expected, rtol=1e-5)


def assert_optimal(problem, strength, ratio, coefficients):
    """The conditions in units of the data, where the penalty is `strength (ratio |w| + (1 - ratio) w^2)`."""
    scale, gram, b, w = (np.asarray(a, np.float64) for a in (problem.scale, problem.gram, problem.b, coefficients))
    slope = (gram @ (w * scale) - b) * scale + 2 * strength * (1 - ratio) * w
    zero = w == 0
    assert np.all(np.abs(slope[zero]) <= strength * ratio * (1 + 1e-3))
    np.testing.assert_allclose(slope[~zero], -strength * ratio * np.sign(w[~zero]), rtol=3e-3)


@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_the_path_satisfies_the_optimality_conditions(ratio):
    problem = made()
    strengths = jnp.array([1.0, 0.3, 0.05])
    found, iterations, converged = solve_path(problem, strengths, jnp.float32(ratio), 1e-4, 10_000)
    assert converged.all()
    assert (np.asarray(iterations) > 0).all()
    for strength, coefficients in zip(strengths, found, strict=True):
        assert_optimal(problem, float(strength), ratio, coefficients)
    assert 0 < (np.asarray(found[0]) != 0).sum() < 12


@pytest.mark.slow
def test_a_feature_that_the_strong_rule_leaves_out_joins_after_all():
    """The slope of the third feature rises by more than the strength falls, as it opposes the two that are active."""
    units = np.eye(200)
    units[2, :3] = [-0.95 / np.sqrt(2), -0.95 / np.sqrt(2), np.sqrt(1 - 0.95**2)]
    b = 2 * units @ np.append([1.0, 1.0, 1.0], np.zeros(197))
    problem = Problem(None, *(jnp.asarray(a, jnp.float32) for a in (2 * units @ units.T, b, np.ones(200))))
    found, _, converged = solve_path(problem, jnp.array([0.3, 0.262]), 1.0, 1e-4, 10_000)
    assert converged.all()
    assert found[0, 2] == 0
    slope = np.abs(b - np.asarray(problem.gram, np.float64) @ np.asarray(found[0], np.float64))
    assert slope[2] < 2 * 0.262 - 0.3, "the rule lets it through"
    assert found[1, 2] > 0.01
    assert_optimal(problem, 0.262, 1.0, found[1])


def test_newton_steps_finish_what_fista_has_no_iterations_for():
    problem = made()
    _, iterations, converged = solve_path(problem._replace(gram=None), jnp.array([0.05]), 1.0, 1e-3, 2)
    assert (int(iterations[0]), bool(converged[0])) == (2, False)  # they need the Gram matrix
    found, _, converged = solve_path(problem, jnp.array([0.05]), 1.0, 1e-3, 2)
    assert converged[0]
    assert_optimal(problem, 0.05, 1.0, found[0])


def test_a_newton_step_stops_where_a_sign_would_change():
    """Of `f(w) = w' w / 2 - b' w + |w|`, whose minimum for these signs is (3, -1) - (1, 1)."""
    weights = active_set._Weights(jnp.ones(2), jnp.zeros(2))
    b = jnp.array([3.0, -1.0])
    moved = active_set._newton(jnp.eye(2), b, jnp.array([1.0, 2.0]), weights)
    # Halfway from (1, 2) to (2, -2) the second weight is 0.
    np.testing.assert_allclose(moved, [1.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(active_set._newton(jnp.eye(2), b, moved, weights), [2.0, 0.0], atol=1e-6)
    singular = active_set._newton(jnp.ones((2, 2)), b, jnp.array([1.0, 1.0]), weights)
    assert jnp.isfinite(singular).all()


@pytest.mark.parametrize(
    ("features", "sizes"),
    [(128, []), (129, [128]), (600, [128, 256]), (20_000, [128 * 2**k for k in range(6)])],
)
def test_working_sets_double_up_to_half_of_the_features(features, sizes):
    assert active_set._sizes(features) == sizes


def test_the_estimate_of_the_largest_eigenvalue_is_a_bound():
    matrix = np.diag([5.0, 1.0, 0.1]).astype(np.float32)
    estimate = jax.jit(lambda: active_set._largest_eigenvalue(lambda v: matrix @ v, jnp.ones(3), 30))()
    assert 5.0 <= float(estimate) <= 5.0 * 1.11
