"""Centred, weighted and standardized columns of a linear regression, dense or sparse.

Sparse columns are made dense in blocks of rows, so that they are centred before they are squared: a mean of squares
minus the square of the mean loses the digits of a column far from zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from regjax.core.typing import Array, ArrayLike, Numeric
from regjax.solvers.active_set import Problem

GRAM_FEATURES = 4096  # up to this number, the Gram matrix of all features is formed: at most 64 MiB
BLOCK = 2**22  # entries in a block of rows, unless a square block of all columns has more

Matrix = Numeric  # a dense array, or a sparse matrix of JAX or SciPy
Total = TypeVar("Total")


def as_bcoo(x: Matrix) -> Matrix:
    """A sparse matrix of any format as a `BCOO` without batch or dense axes; anything else as a dense array."""
    if hasattr(x, "tocoo"):  # of scipy.sparse
        from jax.experimental.sparse import BCOO  # imports SciPy

        return BCOO.from_scipy_sparse(x.tocoo())
    if type(x).__name__ == "BCSR":
        x = x.to_bcoo()
    if is_sparse(x):
        return x if x.ndim != 2 or x.n_sparse == 2 else x.update_layout(n_batch=0, n_dense=0)
    return jnp.asarray(x)


def is_sparse(x: object) -> bool:
    """Whether `x` is a `BCOO`; by name, because its module imports SciPy."""
    return type(x).__name__ == "BCOO"


def with_data(x: Matrix, data: Array) -> Matrix:
    """The sparse matrix with other values at the same positions."""
    return type(x)((data, x.indices), shape=x.shape)


def mean(values: Array, weight: Array | None) -> Array:
    """The weighted mean over examples, the first axis."""
    return jnp.mean(values, 0) if weight is None else weight @ values / len(values)


def centred(x: Array, y: Array, weight: Array | None) -> tuple[Array, Array]:
    """Dense columns and targets minus their means; constant columns become exactly 0."""
    x = x - x[_counting(weight)]  # before the mean, which rounds: the mean of equal numbers may differ from them
    return x - mean(x, weight), y - mean(y, weight)


def slopes(x: Matrix, y: Array, weight: Array | None, fit_intercept: bool) -> Array:
    """`x' y / n` for centred columns, `[P]` or `[P, T]`."""
    if is_sparse(x):
        start = jnp.zeros(x.shape[1:] + y.shape[1:], y.dtype)
        total = _over_blocks(lambda total, x, y: total + x.T @ y, start, x, y, weight, fit_intercept)
    else:
        x, y = _dense(x, y, weight, fit_intercept)
        total = x.T @ y
    return total / x.shape[0]


def standardized(x: Matrix, y: Array, weight: Array | None, fit_intercept: bool) -> Problem:
    """The problem for standardized columns."""
    examples, features = x.shape
    if is_sparse(x):

        def add(total: tuple[Array, Array], x: Array, y: Array) -> tuple[Array, Array]:
            return total[0] + x.T @ x, total[1] + x.T @ y

        start = jnp.zeros((features, features), y.dtype), jnp.zeros(features, y.dtype)
        gram, b = jax.tree.map(lambda a: a / examples, _over_blocks(add, start, x, y, weight, fit_intercept))
        scale = _scale(jnp.diag(gram))
        return Problem(None, 2 * gram / scale / scale[:, None], 2 * b / scale, scale)
    x, y = _dense(x, y, weight, fit_intercept)
    scale = _scale(jnp.mean(jnp.square(x), 0))
    x = x / scale
    gram = 2 / examples * (x.T @ x) if features <= GRAM_FEATURES else None
    return Problem(x.T, gram, 2 / examples * (x.T @ y), scale)


def least_squares(x: Matrix, y: Array, weight: Array | None, fit_intercept: bool) -> Array:
    """The least-squares solution; of several, the one of smallest norm in standardized columns."""
    if is_sparse(x):
        # The triangle of a QR factorization has the same solution, without the squaring of the Gram matrix.
        def add(triangle: Array, x: Array, y: Array) -> Array:
            return jnp.linalg.qr(jnp.vstack([triangle, jnp.column_stack([x, y])]), mode="r")

        width = x.shape[1] + 1
        triangle = _over_blocks(add, jnp.zeros((width, width), y.dtype), x, y, weight, fit_intercept)
        x, y = triangle[:, :-1], triangle[:, -1]
    else:
        x, y = _dense(x, y, weight, fit_intercept)
    scale = _scale(jnp.mean(jnp.square(x), 0))
    return jnp.linalg.lstsq(x / scale, y)[0] / scale


def _counting(weight: Array | None) -> ArrayLike:
    """The index of an example with positive weight."""
    return 0 if weight is None else jnp.argmax(weight)


def _dense(x: Array, y: Array, weight: Array | None, fit_intercept: bool) -> tuple[Array, Array]:
    """Columns and targets whose ordinary least squares equal the weighted ones with an intercept."""
    if fit_intercept:
        x, y = centred(x, y, weight)
    if weight is not None:
        root = jnp.sqrt(weight)
        x, y = root[:, None] * x, (root * y.T).T
    return x, y


def _scale(squares: Array) -> Array:
    """Root mean squares of columns, from their mean squares; 1 for a column of zeros."""
    return jnp.where(squares > 0, jnp.sqrt(squares), 1.0)


def _over_blocks(
    add: Callable[[Total, Array, Array], Total],
    start: Total,
    x: Matrix,
    y: Array,
    weight: Array | None,
    fit_intercept: bool,
) -> Total:
    """Fold `add(total, rows, targets)` over blocks of rows of `_dense`, for sparse `x`; padding rows are 0."""
    examples, features = x.shape
    size = min(examples, max(features, BLOCK // features))
    count = -(-examples // size)

    def rows(first: ArrayLike, size: int) -> Array:
        place = x.indices[:, 0] - first
        place = jnp.where((place >= 0) & (place < size), place, size)  # others are dropped
        return jnp.zeros((size, features), y.dtype).at[place, x.indices[:, 1]].add(x.data, mode="drop")

    def in_blocks(values: Array) -> Array:
        padding = [(0, count * size - examples), *[(0, 0)] * (values.ndim - 1)]
        return jnp.pad(values, padding).reshape(count, size, *values.shape[1:])

    firsts = size * jnp.arange(count)
    weights = in_blocks(jnp.ones(examples, y.dtype) if weight is None else weight)
    if fit_intercept:
        reference_row = rows(_counting(weight), 1)
        shift = jax.lax.scan(
            lambda total, block: (total + block[1] @ (rows(block[0], size) - reference_row), None),
            jnp.zeros(features, y.dtype),
            (firsts, weights),
        )[0]
        y = y - mean(y, weight)

    def body(total: Total, block: tuple[Array, Array, Array]) -> tuple[Total, None]:
        first, weight, y = block
        x, root = rows(first, size), jnp.sqrt(weight)
        if fit_intercept:
            x = (x - reference_row) - shift / examples
        return add(total, root[:, None] * x, (root * y.T).T), None

    return jax.lax.scan(body, start, (firsts, weights, in_blocks(y)))[0]
