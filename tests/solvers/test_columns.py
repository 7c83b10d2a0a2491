"""Columns against NumPy: dense and sparse, weighted or alike, with and without an intercept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from scipy import sparse

from regjax.solvers import columns

RNG = np.random.default_rng(0)
X = np.where(RNG.random((10, 4)) < 0.6, RNG.normal(size=(10, 4)), 0.0)
Y = RNG.normal(size=10)
WEIGHT = RNG.uniform(0.5, 2.0, 10)
WEIGHT[0] = 0.0
WEIGHT *= 10 / WEIGHT.sum()  # weights have mean 1

settings = pytest.mark.parametrize(
    ("kind", "weight", "intercept"),
    [
        (kind, weight, i)
        for kind in ("dense", "sparse")
        for weight, i in ((None, True), (WEIGHT, True), (WEIGHT, False))
    ],
    ids=lambda value: "weighted" if isinstance(value, np.ndarray) else str(value),
)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def given(kind, weight, x=X):
    made = jnp.asarray(x) if kind == "dense" else columns.as_bcoo(sparse.csr_array(x))
    return made, jnp.asarray(Y), None if weight is None else jnp.asarray(weight)


def expected(weight, intercept, x=X):
    """Columns and targets, centred and multiplied by the roots of the weights."""
    weight = np.ones(10) if weight is None else weight
    center = intercept * weight / weight.sum()
    return (np.sqrt(weight) * (a - center @ a).T for a in (x, Y))


@settings
def test_slopes_are_products_with_the_centred_columns(kind, weight, intercept):
    x, y, weight = given(kind, weight)
    rows, targets = expected(weight, intercept)
    np.testing.assert_allclose(columns.slopes(x, y, weight, intercept), rows @ targets / 10, rtol=1e-10)


@settings
def test_the_standardized_problem(kind, weight, intercept):
    x, y, weight = given(kind, weight)
    rows, targets = expected(weight, intercept)
    problem = columns.standardized(x, y, weight, intercept)
    scale = np.sqrt((rows**2).mean(1))
    np.testing.assert_allclose(problem.scale, scale, rtol=1e-10)
    rows = rows / scale[:, None]
    np.testing.assert_allclose(problem.gram, 2 * rows @ rows.T / 10, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(problem.b, 2 * rows @ targets / 10, rtol=1e-9)
    assert (problem.xt is None) == (kind == "sparse")


@settings
def test_least_squares(kind, weight, intercept):
    x, y, weight = given(kind, weight)
    rows, targets = expected(weight, intercept)
    found = columns.least_squares(x, y, weight, intercept)
    np.testing.assert_allclose(found, np.linalg.lstsq(rows.T, targets)[0], rtol=1e-8)


def test_a_gram_matrix_that_would_be_too_large_is_not_formed(monkeypatch):
    monkeypatch.setattr(columns, "GRAM_FEATURES", 3)
    problem = columns.standardized(*given("dense", None), False)
    assert problem.gram is None
    v = jnp.arange(4.0)
    monkeypatch.undo()
    whole = columns.standardized(*given("dense", None), False)
    np.testing.assert_allclose(problem.times(v), whole.gram @ v, rtol=1e-10)


def test_blocks_of_rows_give_what_one_block_gives(monkeypatch):
    arguments = (*given("sparse", WEIGHT), True)
    whole = columns.slopes(*arguments)
    monkeypatch.setattr(columns, "BLOCK", 16)  # four rows in a block, the last with two of padding
    np.testing.assert_allclose(columns.slopes(*arguments), whole, rtol=1e-12)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
def test_a_constant_column_becomes_exactly_zero(weight):
    x = np.column_stack([X, np.full(10, 0.1)])
    if weight is not None:
        x[0, -1] = 7.0  # its weight is 0
    _, y, weight = given("dense", weight)
    centred, _ = columns.centred(jnp.asarray(x), y, weight)
    counts = slice(None) if weight is None else slice(1, None)
    np.testing.assert_array_equal(np.asarray(centred)[counts, -1], 0.0)
    assert columns.standardized(jnp.asarray(x), y, weight, True).scale[-1] == 1.0


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.coo_array, BCOO.fromdense])
def test_sparse_formats_become_one(make):
    made = columns.as_bcoo(make(X))
    assert columns.is_sparse(made)
    assert (made.n_sparse, made.n_batch) == (2, 0)
    dense = np.zeros_like(X)
    dense[tuple(np.asarray(made.indices).T)] = made.data
    np.testing.assert_array_equal(dense, X)
    twice = columns.with_data(made, 2 * made.data)
    np.testing.assert_array_equal(twice.data, 2 * np.asarray(made.data))
    assert twice.indices is made.indices


def test_what_is_not_sparse_is_an_array():
    made = columns.as_bcoo(X.tolist())
    assert isinstance(made, jax.Array)
    assert not columns.is_sparse(made)
