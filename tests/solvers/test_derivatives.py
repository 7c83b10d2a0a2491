"""Derivatives of solutions of `proximal_gradient` against differences, wherever the solver starts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6))
Y = X[:, :3] @ np.array([1.0, -2.0, 0.5]) + 0.5 * RNG.normal(size=40)
LABELS = jnp.asarray((Y > 0).astype(np.int32))


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def mse(data):
    return lambda p: jnp.mean(jnp.square(data["y"] - jnp.ravel(X @ p["kernel"].reshape(6, -1))))


def logistic(data):
    return lambda p: jnp.mean(
        optax.sigmoid_binary_cross_entropy(
            (X @ p["kernel"].reshape(6))[LABELS * 0 + jnp.arange(40)] + data["y"], LABELS
        )
    )


CASES = {
    "l1": (mse, rj.l1),
    "elastic_net": (mse, rj.elastic_net),
    "group_lasso": (mse, lambda s: rj.group_lasso(s, axis=0)),
    "sparse_group_lasso": (mse, lambda s: rj.sparse_group_lasso(s, axis=0)),
    "nuclear": (mse, rj.nuclear),
    "mcp": (mse, rj.mcp),
    "logistic": (logistic, lambda s: rj.elastic_net(0.1 * s, l1_ratio=0.7)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_of_a_solution_are_those_of_the_problem(name):
    loss, penalty = CASES[name]
    zeros = {"kernel": jnp.zeros((3, 2))}
    given = {"y": jnp.asarray(Y), "s": jnp.asarray(0.4)}

    def solve(given, start=zeros):
        return rj.proximal_gradient(loss(given), penalty(given["s"]), start, tol=1e-12)

    def outcome(given, start=zeros):
        found = solve(given, start)
        return jnp.sum(found.params["kernel"].ravel() * jnp.arange(1.0, 7.0)) + found.value

    gradient = jax.jit(jax.grad(outcome))
    slope = jax.jit(lambda given, start, along: jax.jvp(lambda g: outcome(g, start), (given,), (along,))[1])
    at = solve(given)
    assert bool(at.converged)
    along = {"y": jnp.asarray(RNG.normal(size=40)), "s": jnp.asarray(1.0)}
    moved = [outcome(jax.tree.map(lambda a, d, h=h: a + h * d, given, along)) for h in (1e-6, -1e-6)]
    expected = (moved[0] - moved[1]) / 2e-6
    for start in (zeros, at.params):  # the solution itself is found in one step
        reverse = optax.tree.vdot(gradient(given, start), along)
        forward = slope(given, start, along)
        np.testing.assert_allclose([reverse, forward], expected, rtol=1e-5)


def test_derivatives_along_a_path_and_of_integer_tracers():
    def path(s, labels):
        def loss(w):
            return jnp.mean(jnp.square(jnp.asarray(Y)[labels] - X @ w))

        return rj.regularization_path(loss, rj.l1(s, where=".*"), [3.0, 1.0], jnp.zeros(6), tol=1e-12).params

    orders = jnp.stack([jnp.arange(40), jnp.arange(40)[::-1]])
    found = jax.jit(jax.vmap(jax.jacrev(path), (None, 0)))(0.2, orders)
    expected = jax.vmap(lambda o: (path(0.2 + 1e-6, o) - path(0.2 - 1e-6, o)) / 2e-6)(orders)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_second_derivatives():
    def outcome(s):
        found = rj.proximal_gradient(logistic({"y": 0.0}), rj.elastic_net(s), {"kernel": jnp.zeros((3, 2))}, tol=1e-13)
        return jnp.sum(found.params["kernel"]) + found.value

    slope = jax.jit(jax.grad(outcome))
    expected = (slope(0.05 + 1e-5) - slope(0.05 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.jit(jax.grad(slope))(0.05), expected, rtol=1e-6)


def test_nothing_depends_on_the_start():
    def outcome(start):
        return jnp.sum(rj.proximal_gradient(mse({"y": Y}), rj.l1(0.3), {"kernel": start}).params["kernel"])

    np.testing.assert_array_equal(jax.grad(outcome)(jnp.ones((3, 2))), 0.0)


def test_of_many_solutions_none_has_a_derivative():
    """NaN, and not a number that rounding has made."""
    twice = jnp.asarray(X).at[:, 1].set(X[:, 0])

    def solve(s):
        loss = lambda w: jnp.mean(jnp.square(Y - twice @ w))  # noqa: E731
        return rj.proximal_gradient(loss, rj.l1(s, where=".*"), jnp.zeros(6), tol=1e-12).params

    assert np.isnan(jax.jacfwd(solve)(0.1)).all()


def test_too_many_parameters_are_refused():
    def outcome(s):
        loss = lambda w: jnp.mean(jnp.square(w - 1))  # noqa: E731
        return jnp.sum(rj.proximal_gradient(loss, rj.l1(s, where=".*"), jnp.zeros(5000)).params)

    assert np.isfinite(outcome(1e-5))
    with pytest.raises(ValueError, match="5000"):
        jax.grad(outcome)(1e-5)
