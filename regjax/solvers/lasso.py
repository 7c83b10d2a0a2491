"""The lasso and elastic net path of a linear regression: all strengths in one compiled call.

Each strength starts from the solution of the one before, on the features that the strong rule lets through (a few
hundred of thousands). Their part of the Gram matrix fits the cache, where an iteration of FISTA takes microseconds.
Then the optimality conditions of all features are checked, and features that violate them join.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.checks import check_range, is_traced
from regjax.prox import soft_threshold
from regjax.typing import Array, ArrayLike

GRAM_FEATURES = 4096  # up to so many the Gram matrix of all features is formed, 64 MiB at most
_SMALLEST = 128  # features of the smallest working set; further ones double


class LassoPath(NamedTuple):
    """Solutions for a sequence of strengths.

    Attributes:
      strengths: `float32[K]`.
      coefficients: `float32[K, P]`, with exact zeros.
      objective: `float32[K]`: `mean (y - x w)^2 + penalty`.
      iterations: `int32[K]`: of FISTA.
      converged: `bool[K]`: whether the optimality conditions hold to `tol`.
    """

    strengths: Array
    coefficients: Array
    objective: Array
    iterations: Array
    converged: Array


class _Problem(NamedTuple):
    """`f(w) = w' G w / 2 - b' w` with `G = 2 x'x / n`, `b = 2 x'y / n`: the mean squared error but for a constant."""

    xt: Array  # [P, N]
    gram: Array | None  # [P, P], or None where it would be too large
    b: Array  # [P]

    def times(self, w: Array) -> Array:
        """`G w`."""
        if self.gram is not None:
            return self.gram @ w
        return 2 / self.xt.shape[1] * (self.xt @ (w @ self.xt))

    def part(self, index: Array) -> Array:
        """`G` on some features; rows and columns beyond the last feature are zero."""
        if self.gram is not None:
            rows = self.gram.at[index].get(mode="fill", fill_value=0.0)
            return rows.at[:, index].get(mode="fill", fill_value=0.0)
        rows = self.xt.at[index].get(mode="fill", fill_value=0.0)
        return 2 / self.xt.shape[1] * (rows @ rows.T)


def lasso_path(
    x: Array,
    y: Array,
    strengths: ArrayLike | None = None,
    *,
    l1_ratio: ArrayLike = 1.0,
    count: int = 50,
    smallest: float = 1e-3,
    tol: ArrayLike = 1e-3,
    max_iterations: int = 3000,
) -> LassoPath:
    """Minimize `mean (y - x w)^2 + s (r sum |w| + (1 - r) sum w^2)` for a sequence of strengths `s`.

    There is no intercept: centre `x` and `y` first. scikit-learn's `alpha` is `s / 2` for the lasso.

    Args:
      x: `[N, P]`.
      y: `[N]`.
      strengths: `[K]` > 0, descending (each solution starts the next); None takes `count` from the strength at which
        all coefficients are zero down to `smallest` times that, evenly in the logarithm.
      l1_ratio: r in (0, 1]; 1 is the lasso.
      count: how many strengths, if they are not given.
      smallest: the last strength as a fraction of the first, if they are not given; in (0, 1).
      tol: largest violation of the optimality conditions, as a fraction of `s r`. At 1e-3 the objective is
        within about 1e-7 of the minimum, at 1e-2 within 1e-5.
      max_iterations: of FISTA, for each strength and working set.

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
    x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"lasso_path: x must be [N, P] and y [N], got {x.shape} and {y.shape}")
    for name, array in (("x", x), ("y", y)):
        if not is_traced(array) and not np.all(np.isfinite(array)):
            raise ValueError(f"lasso_path: {name} must be finite, it holds NaN or infinity")
    check_range("lasso_path: l1_ratio", l1_ratio, 0.0, 1.0, low_open=True)
    check_range("lasso_path: tol", tol, 0.0, low_open=True)
    check_range("lasso_path: max_iterations", max_iterations, 1)
    if strengths is None:
        check_range("lasso_path: count", count, 1)
        check_range("lasso_path: smallest", smallest, 0.0, 1.0, low_open=True, high_open=True)
        largest = jnp.max(jnp.abs(y @ x)) * 2 / x.shape[0] / l1_ratio
        # A little more, so that rounding does not let a coefficient in.
        strengths = (1 + 1e-5) * largest * jnp.logspace(0.0, np.log10(smallest), count, dtype=jnp.float32)
    else:
        check_range("lasso_path: strengths", strengths, 0.0, np.inf, low_open=True, high_open=True)
        if (
            jnp.ndim(strengths) != 1
            or np.size(strengths) == 0
            or (not is_traced(strengths) and np.any(np.diff(np.asarray(strengths)) > 0))
        ):
            raise ValueError("lasso_path: strengths must be one sequence that descends")
    return _path(x, y, jnp.asarray(strengths, jnp.float32), jnp.float32(l1_ratio), jnp.float32(tol), max_iterations)


@functools.partial(jax.jit, static_argnums=5)
def _path(x: Array, y: Array, strengths: Array, ratio: Array, tol: Array, max_iterations: int) -> LassoPath:
    examples, features = x.shape
    xt = x.T
    gram = 2 / examples * (xt @ x) if features <= GRAM_FEATURES else None
    problem = _Problem(xt, gram, 2 / examples * (xt @ y))
    start = jnp.ones(features) / features**0.5
    steepest = _largest_eigenvalue(problem.times, start, 30)
    sizes = _sizes(features)

    def on_all(w: Array, mask: Array, first: Array, second: Array) -> tuple[Array, Array, Array]:
        del mask
        return _fista(problem.times, problem.b, w, first, second, steepest, tol, max_iterations)

    def on_part(size: int) -> Any:
        def solve(w: Array, mask: Array, first: Array, second: Array) -> tuple[Array, Array, Array]:
            index = jnp.nonzero(mask, size=size, fill_value=features)[0]
            part = problem.part(index)
            b, kept = (v.at[index].get(mode="fill", fill_value=0.0) for v in (problem.b, w))
            # A part is at most as steep as the whole; mostly it is flatter, and steps are longer.
            steep = jnp.minimum(steepest, _largest_eigenvalue(lambda v: part @ v, jnp.where(b != 0, 1.0, 0.0), 12))
            kept, iterations, residual = _fista(lambda v: part @ v, b, kept, first, second, steep, tol, max_iterations)
            return jnp.zeros_like(w).at[index].set(kept, mode="drop"), iterations, residual

        return solve

    solvers = [*(on_part(size) for size in sizes), on_all]

    def at_strength(carry: tuple[Array, Array, Array], strength: Array) -> tuple[Any, Any]:
        w, slope, before = carry
        first, second = strength * ratio, strength * (1 - ratio)

        def refine(state: tuple[Any, ...]) -> tuple[Any, ...]:
            w, _, mask, _, iterations, _ = state
            which = jnp.searchsorted(jnp.asarray(sizes), jnp.sum(mask))
            w, more, residual = jax.lax.switch(which, solvers, w, mask, first, second)
            slope = problem.times(w) - problem.b + 2 * second * w
            wrong = (jnp.abs(slope) > first * (1 + tol)) & ~mask
            return w, slope, mask | wrong, jnp.any(wrong), iterations + more, residual

        # The strong rule: a slope rarely changes by more than the strength did.
        mask = (jnp.abs(slope) >= 2 * first - before) | (w != 0)
        state = (w, slope, mask, jnp.asarray(True), jnp.int32(0), jnp.float32(0.0))
        w, slope, _, _, iterations, residual = jax.lax.while_loop(lambda state: state[3], refine, state)
        objective = jnp.mean(jnp.square(y - w @ xt)) + first * jnp.sum(jnp.abs(w)) + second * jnp.sum(jnp.square(w))
        return (w, slope, first), (w, objective, iterations, residual <= tol * first)

    carry = (jnp.zeros(features), -problem.b, strengths[0] * ratio)
    w, objective, iterations, converged = jax.lax.scan(at_strength, carry, strengths)[1]
    return LassoPath(strengths, w, objective, iterations, converged)


def _fista(
    times: Any, b: Array, w: Array, first: Array, second: Array, steepest: Array, tol: Array, max_iterations: int
) -> tuple[Array, Array, Array]:
    """FISTA with adaptive restart on `w' G w / 2 - b' w + first |w| + second w^2`: `(w, iterations, residual)`."""
    step = 1 / (steepest + 2 * second)

    def going(state: Any) -> Array:
        return (state[4] > tol * first) & (state[3] < max_iterations)

    def body(state: Any) -> Any:
        w, point, momentum, iterations, _ = state
        new = soft_threshold(point - step * (times(point) - b + 2 * second * point), step * first)
        change = new - w
        restart = jnp.vdot(point - new, change) > 0
        grown = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        beta = jnp.where(restart, 0.0, (momentum - 1) / grown)
        residual = jnp.max(jnp.abs(new - point)) / step
        return new, new + beta * change, jnp.where(restart, 1.0, grown), iterations + 1, residual

    start = (w, w, jnp.float32(1.0), jnp.int32(0), jnp.float32(jnp.inf))
    w, _, _, iterations, residual = jax.lax.while_loop(going, body, start)
    return w, iterations, residual


def _largest_eigenvalue(times: Any, start: Array, iterations: int) -> Array:
    """By the power method, which approaches from below: with a margin of a tenth."""

    def unit(v: Array) -> Array:
        return v / jnp.maximum(jnp.linalg.norm(v), 1e-12)

    v = jax.lax.fori_loop(0, iterations, lambda _, v: unit(times(v)), unit(start))
    return 1.1 * jnp.linalg.norm(times(v)) + 1e-12


def _sizes(features: int) -> list[int]:
    """Sizes of working sets: doubling, up to half of all features."""
    sizes = [_SMALLEST]
    while 2 * sizes[-1] <= min(features // 2, 4096):
        sizes.append(2 * sizes[-1])
    return [size for size in sizes if size < features]
