"""The lasso and elastic net path of a linear regression: all strengths in one compiled call.

How it is solved: `regjax.solvers.active_set`. Here is what stands around it: columns are standardized, the intercept
and weights of examples are taken into the columns, and derivatives of the solution follow from its conditions.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_range, is_traced
from regjax.core.dtypes import float_dtype, wide_dtype
from regjax.core.tree import check_real
from regjax.core.typing import Array, ArrayLike
from regjax.solvers.active_set import solve_path
from regjax.solvers.columns import (
    GRAM_FEATURES,
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
    """Solutions for a sequence of strengths; all numbers in the type of the data, at least float32.

    Attributes:
      strengths: `[K]`.
      coefficients: `[K, P]` (for several targets `[K, P, T]`), in the units of the data, with exact zeros.
      objective: `[K]` (`[K, T]`): `mean (y - x w - c)^2 + penalty`.
      iterations: `int32[K]` (`[K, T]`): of FISTA; 0 at strength 0.
      converged: `bool[K]` (`[K, T]`): whether the optimality conditions hold to `tol`.
      intercept: `[K]` (`[K, T]`): c; 0 without `fit_intercept`.
    """

    strengths: Array
    coefficients: Array
    objective: Array
    iterations: Array
    converged: Array
    intercept: Array


def lasso_path(
    x: Any,
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

    scikit-learn's `alpha` is `s / 2` for the lasso. Columns are standardized inside, so their scales do not matter to
    the speed; the penalty is on the coefficients in the units of the data. Columns far from zero are slow
    without an intercept.

    Derivatives with respect to `x`, `y`, `strengths`, `l1_ratio` and `sample_weight` are those of the solution
    (implicit differentiation on its non-zero coefficients, a `P x P` system for each strength), however it was found.
    They are NaN where columns with non-zero coefficients depend on each other, as the solution is then one of many;
    the objective has derivatives all the same.

    Args:
      x: `[N, P]`: an array, or sparse (`BCOO`, `BCSR` or of `scipy.sparse`, at most 4096 columns, without derivatives).
      y: `[N]`, or `[N, T]`: T independent regressions on the same `x` and strengths. (The multi-task lasso, which
        selects features for all targets together, is `rj.proximal_gradient` with `rj.group_lasso`.)
      strengths: `[K]` >= 0, descending (each solution starts the next); None takes `count` from the strength at which
        all coefficients are zero down to `smallest` times that, evenly in the logarithm. 0 is least squares; of several
        solutions that of smallest norm in standardized columns.
      l1_ratio: r in (0, 1]; 1 is the lasso.
      count: how many strengths, if they are not given.
      smallest: the last strength as a fraction of the first, if they are not given; in (0, 1).
      tol: largest violation of the optimality conditions, as a fraction of `s r`. At 1e-3 the objective is
        within about 1e-7 of the minimum, at 1e-2 within 1e-5.
      max_iterations: of FISTA, for each strength and working set.
      fit_intercept: whether there is an intercept `c`, which is not penalized.
      sample_weight: `[N]` >= 0, weights of the mean over examples; None counts all alike.

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
        # A little more, so that rounding does not let a coefficient in.
        strengths = (1 + 1e-5) * largest * jnp.logspace(0.0, np.log10(smallest), count, dtype=y.dtype)
    else:
        check_range("lasso_path: strengths", strengths, 0.0, np.inf, high_open=True)
        if (
            jnp.ndim(strengths) != 1
            or np.size(strengths) == 0
            or (not is_traced(strengths) and np.any(np.diff(np.asarray(strengths)) > 0))
        ):
            raise ValueError("lasso_path: strengths must be one sequence that descends")
    # A strength of 0 is another problem: nothing is thresholded.
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


def _checked_data(x: Any, y: Any, weight: Any) -> tuple[Any, Array, Array | None]:
    """`x`, `y` and the weights (of mean 1) in one floating-point type, float32 at least."""
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
    x: Any,
    y: Array,
    weight: Array | None,
    strengths: Array,
    ratio: Array,
    tol: Array,
) -> tuple[Array, Array, Array]:
    """Coefficients, iterations, and whether they converged; the last `zeros` strengths are 0, None is not known."""

    def least() -> Array:
        return least_squares(x, y, weight, fit_intercept)

    def solved(strengths: Array) -> tuple[Array, Array, Array]:
        return solve_path(standardized(x, y, weight, fit_intercept), strengths, ratio, tol, max_iterations)

    if zeros is None:
        at_zero = strengths == 0
        any_other = jnp.where(jnp.any(~at_zero), jnp.max(strengths), 1.0)
        w, iterations, converged = solved(jnp.where(at_zero, any_other, strengths))
        plain = jax.lax.cond(jnp.any(at_zero), least, lambda: jnp.zeros(x.shape[1], y.dtype))
        w = jnp.where(at_zero[:, None], plain, w)
        return w, jnp.where(at_zero, 0, iterations), jnp.where(at_zero, jnp.all(jnp.isfinite(plain)), converged)
    positive, parts = strengths[: len(strengths) - zeros], []
    if len(positive):
        parts.append(solved(positive))
    if zeros:
        plain = least()
        done = jnp.full(zeros, jnp.all(jnp.isfinite(plain)))
        parts.append((jnp.tile(plain, (zeros, 1)), jnp.zeros(zeros, jnp.int32), done))
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *each: jnp.concatenate(each), *parts)


_solved = jax.custom_jvp(_path, nondiff_argnums=(0, 1, 2))


@_solved.defjvp
def _derivative(max_iterations: int, fit_intercept: bool, zeros: int | None, primals: Any, tangents: Any) -> Any:
    """The slopes of the non-zero coefficients stay `-s r sign(w)`: differentiating that gives a linear system."""
    if is_sparse(primals[0]):
        raise ValueError("lasso_path: no derivatives for sparse x; give a dense array")
    found = w, iterations, converged = _solved(max_iterations, fit_intercept, zeros, *primals)

    def columns(x: Array, y: Array, weight: Array | None) -> tuple[Array, Array, Array]:
        """Centred columns and targets, and the columns times the weights (whose roots have no derivative at 0)."""
        if fit_intercept:
            x, y = centred(x, y, weight)
        return x, y, x if weight is None else weight[:, None] * x

    def conditions(*arguments: Any) -> Array:
        x, y, weight, strengths, ratio, _ = arguments
        x, y, weighted = columns(x, y, weight)
        smooth = 2 / x.shape[0] * ((w @ x.T - y) @ weighted) + 2 * (strengths * (1 - ratio))[:, None] * w
        return jnp.where(w != 0, smooth + (strengths * ratio)[:, None] * jnp.sign(w), 0.0)

    moved = jax.jvp(conditions, primals, tangents)[1]
    x, _, weighted = columns(*primals[:3])
    strengths, ratio = primals[3:5]
    gram = 2 / x.shape[0] * (x.T @ weighted)

    def tangent(w: Array, strength: Array, moved: Array) -> Array:
        used = w != 0
        matrix = jnp.where(used[:, None] & used, gram, 0.0)
        matrix += jnp.diag(jnp.where(used, 2 * strength * (1 - ratio), 1.0))
        size = jnp.sqrt(jnp.diag(matrix))
        factor = jnp.linalg.cholesky(matrix / size / size[:, None])
        # The square of a pivot is the share of a column that the columns before it do not explain.
        smallest = jnp.finfo(w.dtype).eps * jnp.maximum(32, jnp.sum(used))
        independent = jnp.min(jnp.square(jnp.diag(factor))) > smallest  # False for NaN
        solved = jax.scipy.linalg.cho_solve((factor, True), moved / size) / size
        return -solved * jnp.where(independent, 1.0, jnp.nan)

    still = tuple(np.zeros(a.shape, jax.dtypes.float0) for a in (iterations, converged))
    return found, (jax.vmap(tangent)(w, strengths, moved), *still)


@functools.partial(jax.jit, static_argnums=0)
def _measured(fit_intercept: bool, data: Any, w: Array) -> tuple[Array, Array]:
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
def _objective(fit_intercept: bool, data: Any, w: Array) -> Array:
    return _measured(fit_intercept, data, w)[0]


@_objective.defjvp
def _objective_derivative(fit_intercept: bool, primals: Any, tangents: Any) -> Any:
    """At a minimum the objective does not change with the coefficients: it has a derivative where they have none."""
    data, w = primals
    change = jax.jvp(lambda data: _measured(fit_intercept, data, w)[0], (data,), tangents[:1])[1]
    return _objective(fit_intercept, data, w), change
