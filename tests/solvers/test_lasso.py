import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Lasso, enet_path, lasso_path

import regjax as rj
from regjax.data.generated import sparse_regression_problem
from regjax.solvers import lasso as module

pytestmark = pytest.mark.slow


def problem(n, p, seed=0):
    x, y = make_regression(n, p, n_informative=10, noise=5.0, random_state=seed)
    return x, (y - y.mean()) / y.std()


@pytest.mark.parametrize(("n", "p"), [(60, 20), (80, 300)], ids=["tall", "wide"])
def test_the_path_of_sklearn(n, p):
    x, y = problem(n, p)
    path = rj.lasso_path(x, y, count=20, smallest=1e-2, tol=1e-4)
    _, reference, _ = lasso_path(x, y, alphas=np.asarray(path.strengths, np.float64) / 2, tol=1e-10, max_iter=100_000)
    assert bool(path.converged.all())
    np.testing.assert_allclose(path.coefficients, reference.T, atol=2e-4)
    objective = np.mean((y - reference.T @ x.T) ** 2, 1) + np.asarray(path.strengths) * np.abs(reference).sum(0)
    np.testing.assert_allclose(path.objective, objective, rtol=1e-6)
    assert not np.any(np.asarray(path.coefficients[0]))
    assert (
        np.count_nonzero(path.coefficients, axis=1) == np.count_nonzero(np.abs(reference) > 1e-7, axis=0)
    ).mean() > 0.9


def test_many_problems_of_two_columns_converge():
    """Two standardized columns have the eigenvectors (1, 1) and (1, -1), and either can be the leading one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 50, 2)).astype(np.float32)
    y = (x.sum(axis=2) + rng.normal(size=(300, 50))).astype(np.float32)
    paths = jax.vmap(rj.lasso_path)(x, y)
    assert bool(paths.converged.all())
    alphas = np.asarray(paths.strengths[0], np.float64) / 2
    _, reference, _ = lasso_path(x[0].astype(np.float64), y[0].astype(np.float64), alphas=alphas, tol=1e-10)
    np.testing.assert_allclose(paths.coefficients[0], reference.T, atol=2e-3)


def test_elastic_net_and_given_strengths():
    x, y = problem(60, 100)
    # sklearn: alpha (r |w| + (1 - r) w^2 / 2) on half of our loss.
    alphas, ratio = np.geomspace(0.3, 0.01, 8), 0.6
    _, reference, _ = enet_path(x, y, l1_ratio=ratio, alphas=alphas, tol=1e-10, max_iter=100_000)
    # s r' = 2 alpha r and s (1 - r') = alpha (1 - r)
    ours = 2 * ratio / (2 * ratio + 1 - ratio)
    path = rj.lasso_path(x, y, alphas * (2 * ratio + 1 - ratio), l1_ratio=ours, tol=1e-4)
    np.testing.assert_allclose(path.coefficients, reference.T, atol=1e-4)


def test_many_features_go_without_the_whole_gram_matrix(monkeypatch):
    x, y = problem(50, 611)
    whole = rj.lasso_path(x, y, count=6, smallest=0.05, tol=1e-4)
    monkeypatch.setattr("regjax.solvers.columns.GRAM_FEATURES", 100)
    jax.clear_caches()
    parts = rj.lasso_path(x, y, count=6, smallest=0.05, tol=1e-4)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, atol=1e-4)


def test_support_recovery():
    """With little noise the path passes through the true support before it takes in anything else."""
    x, y, coef = sparse_regression_problem(0, n=200, p=500, k=8, noise=0.3)
    path = rj.lasso_path(x - x.mean(0), y - y.mean(), count=40)
    supports = [set(np.flatnonzero(w)) for w in np.asarray(path.coefficients)]
    assert set(np.flatnonzero(coef)) in supports


def test_it_maps_and_compiles_once():
    x, y = problem(40, 30)
    ys = jnp.stack([jnp.asarray(y), -2 * jnp.asarray(y)]).astype(jnp.float32)
    both = jax.vmap(lambda y: rj.lasso_path(x, y, [0.5, 0.1]).coefficients)(ys)
    np.testing.assert_allclose(both[0], rj.lasso_path(x, y, [0.5, 0.1]).coefficients, atol=1e-4)
    before = module._path._cache_size()
    for strength in (0.3, 0.4):
        rj.lasso_path(x, y, [strength, 0.1])
    assert module._path._cache_size() == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rj.lasso_path(np.ones((3, 2)), np.ones(2)),
            r"x must be \[N, P\] and y \[N\] or \[N, T\], got \(3, 2\) and \(2,\)",
        ),
        (lambda: rj.lasso_path(np.ones((3, 2)), np.ones(3), [0.1, 0.2]), "one sequence that descends"),
        (lambda: rj.lasso_path(np.ones((3, 2)), np.ones(3), [0.1, -0.5]), "strengths must be >= 0, got -0.5"),
        (lambda: rj.lasso_path(np.ones((3, 2)), np.ones(3), l1_ratio=0.0), r"l1_ratio must be in \(0, 1\], got 0.0"),
        (lambda: rj.lasso_path(np.ones((3, 2)), np.ones(3), smallest=1.0), r"smallest must be in \(0, 1\), got 1.0"),
        (lambda: rj.lasso_path(np.ones((3, 2)), np.ones(3), tol=0.0), "tol must be > 0, got 0.0"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_minimum_of_sklearn_at_full_size_in_float32():
    """N = 1000, p = 2000: objectives within 1e-6 of scikit-learn's, by the path and by both proximal solvers."""
    x, y = make_regression(1000, 2000, n_informative=100, noise=10.0, random_state=0)
    y = (y - y.mean()) / y.std()
    alpha = 0.05 * np.abs(x.T @ y).max() / 1000
    reference = Lasso(alpha=alpha, fit_intercept=False, tol=1e-9, max_iter=20_000).fit(x, y).coef_
    xs, ys = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)

    def loss(params):
        return jnp.mean(jnp.square(ys - (xs @ params["kernel"])[:, 0]))

    def excess(w):
        value = lambda w: np.mean((y - x @ w) ** 2) + 2 * alpha * np.abs(w).sum()  # noqa: E731
        return value(np.asarray(w, np.float64)) / value(reference) - 1

    start = {"kernel": jnp.zeros((2000, 1))}
    path = rj.lasso_path(x, y, 2 * alpha * np.geomspace(20, 1, 10))
    accelerated = rj.proximal_gradient(loss, rj.l1(2 * alpha), start, tol=1e-5)
    tx = rj.make_optimizer("momentum", 0.02, penalty=rj.l1(2 * alpha), mode="proximal")

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    trained = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=1500)[0][0])(start)
    for w in (path.coefficients[-1], accelerated.params["kernel"][:, 0], trained["kernel"][:, 0]):
        assert abs(excess(w)) < 1e-6
        np.testing.assert_array_equal(np.asarray(w) != 0, reference != 0)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="lasso_path: x must be finite"):
        rj.lasso_path(np.full((3, 2), np.nan), np.zeros(3))
    with pytest.raises(ValueError, match="one sequence that descends"):
        rj.lasso_path(np.eye(3), np.ones(3), [])
