"""Lasso and elastic net paths of linear regression, with all strengths in one compiled call.

`regjax.solvers.active_set` solves the problem. This module standardizes the columns, absorbs the intercept and the
weights of examples into them, and derives the derivatives of the solution from its optimality conditions.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_range, is_traced
from regjax.core.dtypes import float_dtype, wide_dtype
from regjax.core.tree import check_real
from regjax.core.typing import Array, ArrayLike, PyTree
from regjax.solvers.active_set import solve_path
from regjax.solvers.columns import (
    GRAM_FEATURES,
    Matrix,
    as_bcoo,
    centred,
    is_sparse,
    least_squares,
    mean,
    slopes,
    standardized,
    with_data,
)


class LassoPath(NamedTuple):
    """Solutions for a sequence of strengths, in the dtype of the data, float32 at least.

    Attributes:
      strengths: `[K]`.
      coefficients: `[K, P]` (`[K, P, T]` for several targets), in the units of the data, with exact zeros.
      objective: `[K]` (`[K, T]`): `mean (y - x w - c)^2 + penalty`.
      iterations: `int32[K]` (`[K, T]`): iterations of FISTA; 0 at strength 0.
      converged: `bool[K]` (`[K, T]`): whether the optimality conditions hold up to `tol`.
      intercept: `[K]` (`[K, T]`): c; 0 without `fit_intercept`.
    """

    strengths: Array
    coefficients: Array
    objective: Array
    iterations: Array
    converged: Array
    intercept: Array


def lasso_path(
    x: Matrix,
    y: Array,
    strengths: ArrayLike | None = None,
    *,
    l1_ratio: ArrayLike = 1.0,
    count: int = 50,
    smallest: float = 1e-3,
    tol: ArrayLike = 1e-3,
    max_iterations: int = 3000,
    fit_intercept: bool = False,
    sample_weight: Array | None = None,
) -> LassoPath:
    """Minimize `mean (y - x w - c)^2 + s (r sum |w| + (1 - r) sum w^2)` for a sequence of strengths `s`.

    For the lasso, scikit-learn's `alpha` is `s / 2`. Columns are standardized internally, so their scales do not affect
    the speed; the penalty is on the coefficients in the units of the data. Columns far from zero converge slowly
    without an intercept.

    Derivatives with respect to `x`, `y`, `strengths`, `l1_ratio` and `sample_weight` are those of the solution
    (implicit differentiation on its non-zero coefficients, a `P x P` system for each strength). They are NaN if columns
    with non-zero coefficients are linearly dependent, because the solution is then not unique; the objective has
    derivatives all the same.

    Args:
      x: `[N, P]`: an array, or sparse (`BCOO`, `BCSR` or `scipy.sparse`; at most 4096 columns, no derivatives).
      y: `[N]`, or `[N, T]`: T independent regressions on the same `x` and strengths. (The multi-task lasso, which
        selects features for all targets together, is `rj.proximal_gradient` with `rj.group_lasso`.)
      strengths: `[K]` >= 0, descending (each solution starts the next); None takes `count` strengths, evenly spaced in
        the logarithm, from the one at which all coefficients are zero down to `smallest` times that. 0 is least
        squares; of several solutions, the one of smallest norm in standardized columns.
      l1_ratio: r in (0, 1]; 1 is the lasso.
      count: number of strengths, if they are not given.
      smallest: the last strength as a fraction of the first, if they are not given; in (0, 1).
      tol: largest violation of the optimality conditions, as a fraction of `s r`. At 1e-3 the objective is
        within about 1e-7 of the minimum, at 1e-2 within 1e-5.
      max_iterations: largest number of iterations of FISTA, for each strength and working set.
      fit_intercept: whether to fit an intercept `c`, which is not penalized.
      sample_weight: `[N]` >= 0, weights of the mean over examples; None weighs all equally.

    Returns:
      A `LassoPath`.

    Raises:
      ValueError: shapes that do not fit, strengths that do not descend, or a number out of range.

    Example:
      >>> x = jnp.eye(4) * 2.0  # mean squared error (1/4) sum (y - 2 w)^2
      >>> path = lasso_path(x, jnp.array([4.0, 2.0, 0.0, 0.0]), [2.0, 1.0])
      >>> [[round(float(w), 3) for w in row] for row in path.coefficients]
      [[1.0, 0.0, 0.0, 0.0], [1.5, 0.5, 0.0, 0.0]]

    Reference:
      Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, 2012; Friedman, Hastie and
      Tibshirani, Regularization paths for generalized linear models via coordinate descent, 2010.
    """
    x, y, weight = _checked_data(x, y, sample_weight)
    for name, value in (("l1_ratio", l1_ratio), ("tol", tol), ("smallest", smallest)):
        if np.ndim(value):
            raise ValueError(f"lasso_path: {name} must be one number, got shape {np.shape(value)}")
    check_range("lasso_path: l1_ratio", l1_ratio, 0.0, 1.0, low_open=True)
    check_range("lasso_path: tol", tol, 0.0, low_open=True)
    check_range("lasso_path: max_iterations", max_iterations, 1)
    if strengths is None:
        check_range("lasso_path: count", count, 1)
        check_range("lasso_path: smallest", smallest, 0.0, 1.0, low_open=True, high_open=True)
        largest = 2 * jnp.max(jnp.abs(slopes(x, y, weight, fit_intercept))) / l1_ratio
        # Slightly larger, so that no coefficient becomes non-zero by rounding.
        strengths = (1 + 1e-5) * largest * jnp.logspace(0.0, np.log10(smallest), count, dtype=y.dtype)
    else:
        check_range("lasso_path: strengths", strengths, 0.0, np.inf, high_open=True)
        if (
            jnp.ndim(strengths) != 1
            or np.size(strengths) == 0
            or (not is_traced(strengths) and np.any(np.diff(np.asarray(strengths)) > 0))
        ):
            raise ValueError("lasso_path: strengths must be one sequence that descends")
    # A strength of 0 is solved separately, because nothing is thresholded.
    zeros = None if is_traced(strengths) else int(np.sum(np.asarray(strengths) == 0))
    strengths = jnp.asarray(strengths, y.dtype)
    ratio, tol = jnp.asarray(l1_ratio, y.dtype), jnp.asarray(tol, y.dtype)

    def column(y: Array) -> tuple[Array, Array, Array]:
        return _solved(max_iterations, fit_intercept, zeros, x, y, weight, strengths, ratio, tol)

    w, iterations, converged = column(y) if y.ndim == 1 else jax.lax.map(column, y.T)
    if y.ndim == 2:
        w, iterations, converged = jnp.moveaxis(w, 0, -1), iterations.T, converged.T
    data = (x, y, weight, strengths, ratio)
    objective, intercept = _objective(fit_intercept, data, w), _measured(fit_intercept, data, w)[1]
    return LassoPath(strengths, w, objective, iterations, converged, intercept)


def _checked_data(x: Matrix, y: ArrayLike, weight: ArrayLike | None) -> tuple[Matrix, Array, Array | None]:
    """`x`, `y` and the weights (scaled to mean 1) in one floating-point dtype, float32 at least."""
    x, y = as_bcoo(x), jnp.asarray(y)
    sparse = is_sparse(x)
    weight = None if weight is None else jnp.asarray(weight)
    for name, array in (("x", x), ("y", y), ("sample_weight", weight)):
        if array is not None:
            check_real("lasso_path", name, array)
    if x.ndim != 2 or y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise ValueError(f"lasso_path: x must be [N, P] and y [N] or [N, T], got {x.shape} and {y.shape}")
    if sparse and x.shape[1] > GRAM_FEATURES:
        raise ValueError(f"lasso_path: sparse x may have {GRAM_FEATURES} columns, got {x.shape[1]}; give a dense array")
    if weight is not None:
        if weight.shape != x.shape[:1]:
            raise ValueError(f"lasso_path: sample_weight must be [N] = {x.shape[:1]}, got shape {weight.shape}")
        check_range("lasso_path: sample_weight", weight, 0.0, np.inf, high_open=True)
        if not is_traced(weight) and not np.any(np.asarray(weight)):
            raise ValueError("lasso_path: sample_weight must have an entry > 0, got zeros only")
    for name, array in (("x", x.data if sparse else x), ("y", y)):
        if not is_traced(array) and not np.all(np.isfinite(array)):
            raise ValueError(f"lasso_path: {name} must be finite, it holds NaN or infinity")
    inexact = [a for a in (x, y) if jnp.issubdtype(a.dtype, jnp.inexact)]
    dtype = wide_dtype(*(a.dtype for a in inexact)) if inexact else float_dtype()
    x = with_data(x, x.data.astype(dtype)) if sparse else x.astype(dtype)
    return x, y.astype(dtype), None if weight is None else (weight / jnp.mean(weight)).astype(dtype)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _path(
    max_iterations: int,
    fit_intercept: bool,
    zeros: int | None,
    x: Matrix,
    y: Array,
    weight: Array | None,
    strengths: Array,
    ratio: Array,
    tol: Array,
) -> tuple[Array, Array, Array]:
    """Coefficients, iterations, converged; the last `zeros` strengths are 0 (None if it is unknown which are)."""

    def solve_at_zero() -> Array:
        return least_squares(x, y, weight, fit_intercept)

    def solve_positive(strengths: Array) -> tuple[Array, Array, Array]:
        return solve_path(standardized(x, y, weight, fit_intercept), strengths, ratio, tol, max_iterations)

    if zeros is None:
        at_zero = strengths == 0
        placeholder = jnp.where(jnp.any(~at_zero), jnp.max(strengths), 1.0)
        w, iterations, converged = solve_positive(jnp.where(at_zero, placeholder, strengths))
        least = jax.lax.cond(jnp.any(at_zero), solve_at_zero, lambda: jnp.zeros(x.shape[1], y.dtype))
        w = jnp.where(at_zero[:, None], least, w)
        return w, jnp.where(at_zero, 0, iterations), jnp.where(at_zero, jnp.all(jnp.isfinite(least)), converged)
    positive, pieces = strengths[: len(strengths) - zeros], []
    if len(positive):
        pieces.append(solve_positive(positive))
    if zeros:
        least = solve_at_zero()
        converged_at_zero = jnp.full(zeros, jnp.all(jnp.isfinite(least)))
        pieces.append((jnp.tile(least, (zeros, 1)), jnp.zeros(zeros, jnp.int32), converged_at_zero))
    return pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *each: jnp.concatenate(each), *pieces)


_solved = jax.custom_jvp(_path, nondiff_argnums=(0, 1, 2))


@_solved.defjvp
def _derivative(
    max_iterations: int, fit_intercept: bool, zeros: int | None, primals: PyTree, tangents: PyTree
) -> tuple[PyTree, PyTree]:
    """The gradient for non-zero coefficients stays `-s r sign(w)`; differentiating this gives a linear system."""
    if is_sparse(primals[0]):
        raise ValueError("lasso_path: no derivatives for sparse x; give a dense array")
    solution = w, iterations, converged = _solved(max_iterations, fit_intercept, zeros, *primals)

    def columns(x: Array, y: Array, weight: Array | None) -> tuple[Array, Array, Array]:
        """Centred columns and targets, and the columns times the weights (whose roots have no derivative at 0)."""
        if fit_intercept:
            x, y = centred(x, y, weight)
        return x, y, x if weight is None else weight[:, None] * x

    def conditions(*arguments: PyTree) -> Array:
        x, y, weight, strengths, ratio, _ = arguments
        x, y, weighted = columns(x, y, weight)
        smooth = 2 / x.shape[0] * ((w @ x.T - y) @ weighted) + 2 * (strengths * (1 - ratio))[:, None] * w
        return jnp.where(w != 0, smooth + (strengths * ratio)[:, None] * jnp.sign(w), 0.0)

    right_side = jax.jvp(conditions, primals, tangents)[1]
    x, _, weighted = columns(*primals[:3])
    strengths, ratio = primals[3:5]
    gram = 2 / x.shape[0] * (x.T @ weighted)

    def tangent(w: Array, strength: Array, right_side: Array) -> Array:
        active = w != 0
        matrix = jnp.where(active[:, None] & active, gram, 0.0)
        matrix += jnp.diag(jnp.where(active, 2 * strength * (1 - ratio), 1.0))
        size = jnp.sqrt(jnp.diag(matrix))
        factor = jnp.linalg.cholesky(matrix / size / size[:, None])
        # A squared pivot is the fraction of a column that the previous columns do not explain.
        smallest_pivot = jnp.finfo(w.dtype).eps * jnp.maximum(32, jnp.sum(active))
        independent = jnp.min(jnp.square(jnp.diag(factor))) > smallest_pivot  # False for NaN
        negative_tangent = jax.scipy.linalg.cho_solve((factor, True), right_side / size) / size
        return -negative_tangent * jnp.where(independent, 1.0, jnp.nan)

    zero_tangents = tuple(np.zeros(a.shape, jax.dtypes.float0) for a in (iterations, converged))
    return solution, (jax.vmap(tangent)(w, strengths, right_side), *zero_tangents)


@functools.partial(jax.jit, static_argnums=0)
def _measured(fit_intercept: bool, data: PyTree, w: Array) -> tuple[Array, Array]:
    """Objectives and intercepts `[K]`, or `[K, T]`."""
    x, y, weight, strengths, ratio = data
    columns = w.reshape(len(w), x.shape[1], -1)  # [K, P, T]
    fitted = x @ jnp.moveaxis(columns, 1, 0).reshape(x.shape[1], -1)
    residual = y.reshape(len(y), 1, -1) - fitted.reshape(len(y), len(w), -1)  # [N, K, T]
    intercept = mean(residual.reshape(len(y), -1), weight).reshape(residual.shape[1:])
    intercept = intercept if fit_intercept else jnp.zeros_like(intercept)
    error = mean(jnp.square(residual - intercept).reshape(len(y), -1), weight).reshape(intercept.shape)
    size = ratio * jnp.sum(jnp.abs(columns), 1) + (1 - ratio) * jnp.sum(jnp.square(columns), 1)
    objective = error + strengths[:, None] * size
    return tuple(a.reshape(len(w), *y.shape[1:]) for a in (objective, intercept))  # type: ignore[return-value]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _objective(fit_intercept: bool, data: PyTree, w: Array) -> Array:
    return _measured(fit_intercept, data, w)[0]


@_objective.defjvp
def _objective_derivative(fit_intercept: bool, primals: PyTree, tangents: PyTree) -> tuple[PyTree, PyTree]:
    """At a minimum the objective is stationary in the coefficients, so it has a derivative where they have none."""
    data, w = primals
    change = jax.jvp(lambda data: _measured(fit_intercept, data, w)[0], (data,), tangents[:1])[1]
    return _objective(fit_intercept, data, w), change
