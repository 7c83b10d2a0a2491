"""The lasso path on data as it comes: scales, offsets, weights, several targets, sparse columns; its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO, BCSR
from scipy import sparse
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression

import regjax as rj

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N, P = 80, 12
SCALES = np.geomspace(1e-3, 1e3, P)
X = RNG.normal(size=(N, P)) + 0.5 * RNG.normal(size=(N, 1))
Y = X[:, :4] @ np.array([2.0, -1.0, 0.5, 1.5]) + RNG.normal(size=N) + 5.0
WEIGHT = RNG.uniform(0.0, 2.0, N)
WEIGHT[:5] = 0.0
STRENGTHS = np.array([1.0, 0.3, 0.05])


def sklearn(x, y, s, ratio=1.0, **fit):
    """scikit-learn's solution: alpha (r' |w| + (1 - r') w^2 / 2) on half of our loss."""
    weight = fit.pop("sample_weight", None)
    if ratio == 1.0:
        model = Lasso(alpha=s / 2, tol=1e-14, max_iter=1_000_000, **fit)
    else:
        alpha = s * ratio / 2 + s * (1 - ratio)
        model = ElasticNet(alpha=alpha, l1_ratio=s * ratio / 2 / alpha, tol=1e-14, max_iter=1_000_000, **fit)
    model.fit(x, y, sample_weight=weight)
    return model.coef_, model.intercept_


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_solution_of_sklearn_in_float64(x64, ratio, weight, intercept):
    path = rj.lasso_path(
        X + 3.0, Y, STRENGTHS, l1_ratio=ratio, tol=1e-10, fit_intercept=intercept, sample_weight=weight
    )
    assert path.converged.all()
    assert {path.coefficients.dtype, path.strengths.dtype, path.objective.dtype} == {np.dtype(np.float64)}
    for k, s in enumerate(STRENGTHS):
        coef, c = sklearn(X + 3.0, Y, s, ratio, fit_intercept=intercept, sample_weight=weight)
        np.testing.assert_allclose(path.coefficients[k], coef, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(path.intercept[k], c, rtol=1e-8, atol=1e-8)
        mean = np.average(np.square(Y - (X + 3.0) @ coef - c), weights=weight)
        penalty = s * (ratio * np.abs(coef).sum() + (1 - ratio) * np.square(coef).sum())
        np.testing.assert_allclose(path.objective[k], mean + penalty, rtol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_scales_and_offsets_do_not_keep_it_from_converging(offset, intercept):
    """In float32: columns of scales from 1e-3 to 1e3, and far from zero."""
    x = ((X + offset) * SCALES).astype(np.float32)
    path = rj.lasso_path(x, Y, count=10, smallest=1e-3, fit_intercept=intercept)
    assert path.converged.all()
    for k in (4, 9):
        s = float(path.strengths[k])
        exact = x.astype(np.float64)
        with jax.enable_x64(True):
            best = rj.lasso_path(exact, Y, [s], tol=1e-9, fit_intercept=intercept, max_iterations=100_000)
        assert best.converged.all()
        w = np.asarray(path.coefficients[k], np.float64)
        c = np.mean(Y - exact @ w) if intercept else 0.0
        objective = np.mean(np.square(Y - exact @ w - c)) + s * np.abs(w).sum()
        assert objective <= float(best.objective[0]) * (1 + 1e-4)
        np.testing.assert_allclose(path.objective[k], objective, rtol=1e-3)


def test_a_scaled_column_is_the_same_problem_in_other_units(x64):
    """With an elastic net of one feature the answer is known: soft(b, s r / 2) / (m + s (1 - r))."""
    x, s, r = 1e-4 * X[:, :1], 1e-5, 0.5
    m, b = np.mean(x**2), np.mean(x[:, 0] * Y)
    path = rj.lasso_path(x, Y, [s], l1_ratio=r, tol=1e-12)
    np.testing.assert_allclose(
        path.coefficients[0, 0], np.sign(b) * max(abs(b) - s * r / 2, 0) / (m + s * (1 - r)), rtol=1e-9
    )


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_strength_zero_is_least_squares(x64, weight, intercept, kind):
    x = X * SCALES
    given = sparse.csr_array(x) if kind == "sparse" else x
    path = rj.lasso_path(given, Y, [0.1, 0.0], fit_intercept=intercept, sample_weight=weight)
    # scikit-learn leaves out directions that are small, as columns of small scale are.
    model = LinearRegression(fit_intercept=intercept).fit(X, Y, sample_weight=weight)
    np.testing.assert_allclose(path.coefficients[1] * SCALES, model.coef_, rtol=1e-7)
    np.testing.assert_allclose(path.intercept[1], model.intercept_, rtol=1e-7, atol=1e-9)
    assert bool(path.converged[1])
    alone = rj.lasso_path(given, Y, [0.0], fit_intercept=intercept, sample_weight=weight)
    np.testing.assert_allclose(alone.coefficients[0], path.coefficients[1], rtol=1e-12)


def test_of_several_least_squares_solutions_the_smallest(x64):
    """Two equal columns share the coefficient, a column of zeros has none."""
    x = np.column_stack([X[:, 0], X[:, 0], np.zeros(N), X[:, 1]])
    w = rj.lasso_path(x, Y, [0.0]).coefficients[0]
    np.testing.assert_allclose(w[0], w[1], rtol=1e-9)
    assert w[2] == 0
    np.testing.assert_allclose(x.T @ (Y - x @ w), 0.0, atol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_several_targets_are_independent_regressions(x64, intercept):
    y = np.column_stack([Y, -2 * Y + 1, X[:, 5]])
    path = rj.lasso_path(X, y, [0.5, 0.1, 0.0], fit_intercept=intercept, tol=1e-9, sample_weight=WEIGHT)
    assert path.coefficients.shape == (3, P, 3)
    assert {a.shape for a in path[2:]} == {(3, 3)}
    for t in range(3):
        alone = rj.lasso_path(X, y[:, t], [0.5, 0.1, 0.0], fit_intercept=intercept, tol=1e-9, sample_weight=WEIGHT)
        for both, one in zip(path[1:], alone[1:], strict=True):
            np.testing.assert_allclose(both[..., t], one, rtol=1e-7, atol=1e-8)
    default = rj.lasso_path(X, y, count=3, fit_intercept=intercept)
    assert not np.any(default.coefficients[0])


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, lambda x: BCOO.fromdense(jnp.asarray(x))])
@pytest.mark.parametrize("intercept", [True, False])
def test_sparse_columns(x64, make, intercept):
    x = np.where(RNG.random((N, P)) < 0.3, X + 1.0, 0.0)
    dense, found = (
        rj.lasso_path(a, Y, [0.5, 0.02], tol=1e-9, fit_intercept=intercept, sample_weight=WEIGHT) for a in (x, make(x))
    )
    assert found.converged.all()
    for a, b in zip(found, dense, strict=True):
        if not np.issubdtype(a.dtype, np.integer):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.6])
@pytest.mark.parametrize("intercept", [True, False])
def test_derivatives_of_the_solution(x64, ratio, intercept):
    """Reverse mode against central differences."""
    start = {"x": X, "y": Y, "strengths": np.array([0.6, 0.2]), "weight": WEIGHT + 0.1, "ratio": np.array(ratio * 0.99)}

    def outcome(given):
        path = rj.lasso_path(
            given["x"], given["y"], given["strengths"], l1_ratio=given["ratio"], sample_weight=given["weight"],
            fit_intercept=intercept, tol=1e-13, max_iterations=20_000,
        )  # fmt: skip
        return jnp.sum(path.coefficients * jnp.arange(1.0, P + 1)) + jnp.sum(path.objective + path.intercept)

    start = jax.tree.map(jnp.asarray, start)
    gradient = jax.jit(jax.grad(outcome))(start)
    for name in start:
        along = jnp.asarray(RNG.normal(size=start[name].shape))
        ahead, back = (outcome({**start, name: start[name] + h * along}) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(jnp.sum(gradient[name] * along), (ahead - back) / 2e-6, rtol=2e-5, err_msg=name)


def test_derivatives_map_over_several_targets(x64):
    y = jnp.column_stack([jnp.asarray(Y), -jnp.asarray(Y)])
    gradient = jax.grad(lambda y: jnp.sum(jnp.square(rj.lasso_path(X, y, [0.3, 0.0]).coefficients)))(y)
    alone = jax.grad(lambda y: jnp.sum(jnp.square(rj.lasso_path(X, y, [0.3, 0.0]).coefficients)))(y[:, 0])
    np.testing.assert_allclose(gradient[:, 0], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.lasso_path(X, Y, [0.1], sample_weight=np.ones(3)), r"sample_weight must be \[N\] .*\(3,\)"),
        (lambda: rj.lasso_path(X, Y, [0.1], sample_weight=-np.ones(N)), "sample_weight must be >= 0, got -1"),
        (lambda: rj.lasso_path(X, Y, [0.1], sample_weight=np.zeros(N)), "sample_weight must have an entry > 0"),
        (lambda: rj.lasso_path(sparse.csr_array((9, 5000)), np.ones(9), [0.1]), "got 5000"),
        (lambda: jax.grad(lambda y: rj.lasso_path(sparse.csr_array(X), y, [0.1]).objective[0])(Y), "sparse x"),
    ],
)
def test_what_cannot_be_answered_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, np.int64])
def test_data_of_other_types_are_solved_in_float32(dtype):
    path = rj.lasso_path(np.asarray(X).astype(dtype), np.asarray(Y).astype(dtype), [0.5], fit_intercept=True)
    assert path.coefficients.dtype == jnp.float32
    assert path.converged.all()


def test_proximal_gradient_and_its_path_in_float64(x64):
    def loss(w):
        return jnp.mean(jnp.square(Y - X @ w))

    path = rj.regularization_path(loss, rj.l1(1.0, where=".*"), STRENGTHS, jnp.zeros(P), tol=1e-11)
    assert path.converged.all()
    assert {path.params.dtype, path.value.dtype, path.residual.dtype} == {np.dtype(np.float64)}
    for k, s in enumerate(STRENGTHS):
        np.testing.assert_allclose(path.params[k], sklearn(X, Y, s, fit_intercept=False)[0], atol=1e-9)
    single = rj.proximal_gradient(lambda w: jnp.mean(jnp.square(Y - X @ w)), rj.l1(0.3, where=".*"), np.zeros(P, "f4"))
    assert single.params.dtype == np.float32


def test_the_derivative_at_a_weight_of_zero(x64):
    """One-sided, as weights are not negative."""

    def outcome(weight):
        return jnp.sum(rj.lasso_path(X, Y, [0.3, 0.0], sample_weight=weight, tol=1e-13).coefficients)

    slope = jax.grad(outcome)(jnp.asarray(WEIGHT))[0]
    ahead = (outcome(jnp.asarray(WEIGHT).at[0].set(1e-6)) - outcome(jnp.asarray(WEIGHT))) / 1e-6
    np.testing.assert_allclose(slope, ahead, rtol=1e-4)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
def test_a_constant_column_has_no_coefficient_beside_an_intercept(kind, weight):
    """0.1 is no number of float32: what is left of the column without its mean is rounding."""
    x = np.column_stack([X, np.full(N, 0.1)]).astype(np.float32)
    if weight is not None:
        x[:5, -1] = 7.0  # examples that do not count
    path = rj.lasso_path(
        sparse.csr_array(x) if kind == "sparse" else x, Y, [0.1, 0.0], fit_intercept=True, sample_weight=weight
    )
    np.testing.assert_array_equal(path.coefficients[:, -1], 0.0)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
def test_a_sparse_column_far_from_zero_is_as_exact_as_a_dense_one(weight):
    """A column of years, in float32: the mean of squares minus the square of the mean has lost its digits."""
    x = np.column_stack([np.where(RNG.random((N, 3)) < 0.4, 1.0, 0.0), 2000.0 + RNG.integers(0, 20, N)])
    y = x @ np.array([1.0, -2.0, 0.0, 0.3]) + RNG.normal(size=N)
    with jax.enable_x64(True):
        exact = rj.lasso_path(x, y, [0.2, 0.0], tol=1e-10, fit_intercept=True, sample_weight=weight)
    x, y = x.astype(np.float32), y.astype(np.float32)
    found = rj.lasso_path(sparse.csr_array(x), y, [0.2, 0.0], tol=1e-5, fit_intercept=True, sample_weight=weight)
    np.testing.assert_allclose(found.coefficients, exact.coefficients, rtol=3e-5, atol=3e-5)


def test_least_squares_on_sparse_columns_that_are_nearly_equal():
    """In float32 their Gram matrix is singular, their columns are not."""
    x = np.array([[1.0, 1.0], [1e-4, 0.0], [0.0, 1e-4], [1.0, 1.0]], np.float32)
    y = (x.astype(np.float64) @ np.array([3.0, -2.0])).astype(np.float32)
    path = rj.lasso_path(sparse.csr_array(x), y, [0.0])
    np.testing.assert_allclose(x @ path.coefficients[0], y, rtol=1e-6, atol=1e-6)


def test_sparse_columns_take_the_memory_of_a_block(monkeypatch):
    """Blocks of rows give what one block gives."""
    x = sparse.random_array((N, P), density=0.3, rng=RNG)
    whole = rj.lasso_path(x, Y, [0.3, 0.05, 0.0], fit_intercept=True, sample_weight=WEIGHT)
    monkeypatch.setattr("regjax.solvers.columns.BLOCK", 7 * P)
    jax.clear_caches()
    parts = rj.lasso_path(x, Y, [0.3, 0.05, 0.0], fit_intercept=True, sample_weight=WEIGHT)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, rtol=1e-4, atol=1e-5)


def test_a_traced_strength_of_zero_is_least_squares(x64):
    concrete = rj.lasso_path(X, Y, [0.3, 0.0, 0.0], fit_intercept=True)
    traced = jax.jit(lambda s: rj.lasso_path(X, Y, s, fit_intercept=True))(jnp.array([0.3, 0.0, 0.0]))
    mapped = jax.vmap(lambda s: rj.lasso_path(X, Y, s[None], fit_intercept=True))(jnp.array([0.3, 0.0]))
    np.testing.assert_array_equal(traced.converged, True)
    np.testing.assert_array_equal(mapped.converged, True)
    np.testing.assert_allclose(traced.coefficients, concrete.coefficients, rtol=1e-9)
    np.testing.assert_allclose(mapped.coefficients[:, 0], concrete.coefficients[:2], rtol=1e-9)


def test_second_derivatives_of_the_solution(x64):
    def outcome(s):
        path = rj.lasso_path(X, Y, s * jnp.array([2.0, 1.0]), l1_ratio=0.7, tol=1e-13, max_iterations=20_000)
        return jnp.sum(jnp.square(path.coefficients)) + jnp.sum(path.objective)

    s, slope = jnp.asarray(0.3), jax.grad(outcome)
    expected = (slope(s + 1e-5) - slope(s - 1e-5)) / 2e-5
    for second in (jax.grad(slope), jax.hessian(outcome), jax.jacfwd(jax.jacfwd(outcome))):
        np.testing.assert_allclose(second(s), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["a column twice", "a sum of columns", "more columns than examples"])
def test_where_solutions_are_many_there_is_no_derivative_of_one(x64, kind):
    """NaN, and not a number that rounding has made; the objective has one derivative all the same."""
    x, y = {
        "a column twice": (np.column_stack([X, X[:, 0]]), Y),
        "a sum of columns": (np.column_stack([X, X[:, 0] + X[:, 1]]), Y),
        "more columns than examples": (X[:8], Y[:8]),
    }[kind]
    at = jnp.array([0.3, 0.0])

    def path(s):
        return rj.lasso_path(x, y, jnp.append(s, 0.0), tol=1e-10)

    assert np.isnan(jax.jacrev(lambda y: rj.lasso_path(x, y, [0.3, 0.0]).coefficients[1])(jnp.asarray(y))).all()
    slope = jax.grad(lambda s: path(s).objective[0])(at[:1])[0]
    np.testing.assert_allclose(slope, jnp.sum(jnp.abs(path(at[:1]).coefficients[0])), rtol=1e-9)


@pytest.mark.parametrize(
    "make", [BCSR.fromdense, lambda x: BCOO.fromdense(x, n_batch=1), lambda x: BCOO.fromdense(x, n_dense=1)]
)
def test_other_layouts_of_sparse_arrays(make):
    x = jnp.asarray(np.where(X > 0.5, X, 0.0), jnp.float32)
    expected, found = (rj.lasso_path(a, Y, [0.3], sample_weight=WEIGHT).coefficients for a in (x, make(x)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.lasso_path(X + 1j, Y, [0.1]), "x must be real.* complex"),
        (lambda: rj.lasso_path(sparse.csr_array(X + 1j), Y, [0.1]), "x must be real.* complex"),
        (lambda: rj.lasso_path(X, Y + 1j, [0.1]), "y must be real.* complex"),
        (lambda: rj.lasso_path(X, Y, [0.1], sample_weight=WEIGHT + 0j), "sample_weight must be real.* complex"),
        (lambda: rj.lasso_path(X, Y, [0.1], l1_ratio=np.full(P, 0.5)), r"l1_ratio must be one number, .*\(12,\)"),
        (lambda: rj.lasso_path(X, Y, [0.1], tol=np.full(2, 0.5)), r"tol must be one number, .*\(2,\)"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
