"""The lasso path in standardized columns: working sets, FISTA, and Newton steps if FISTA stalls.

Each strength starts from the solution of the previous one, on the features that pass the strong rule (a few hundred
out of thousands). Their part of the Gram matrix fits into the cache, where an iteration of FISTA takes microseconds.
Then the optimality conditions of all features are checked, and those that violate them join the working set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from regjax.core.typing import Array, PyTree
from regjax.penalties.matrices import power_start
from regjax.penalties.prox import soft_threshold

_SMALLEST = 128  # size of the smallest working set; each further size is twice the previous one
_ROUNDS = 20  # largest number of Newton steps after FISTA ran out of iterations


class Problem(NamedTuple):
    """`f(v) = v' G v / 2 - b' v` with `G = 2 x'x / n`, `b = 2 x'y / n`, for columns of x divided by their `scale`."""

    xt: Array | None  # [P, N]; None if only the Gram matrix is known
    gram: Array | None  # [P, P]; None if it would be too large
    b: Array  # [P]
    scale: Array  # [P]: root mean square of each column

    def times(self, w: Array) -> Array:
        """`G w`."""
        if self.gram is not None:
            return self.gram @ w
        assert self.xt is not None
        return 2 / self.xt.shape[1] * (self.xt @ (w @ self.xt))

    def subgram(self, index: Array) -> Array:
        """`G` for a subset of features; zero for indices beyond the last feature."""
        if self.gram is not None:
            rows = self.gram.at[index].get(mode="fill", fill_value=0.0)
            return rows.at[:, index].get(mode="fill", fill_value=0.0)
        assert self.xt is not None
        rows = self.xt.at[index].get(mode="fill", fill_value=0.0)
        return 2 / self.xt.shape[1] * (rows @ rows.T)


LinearMap = Callable[[Array], Array]


class _Weights(NamedTuple):
    """Penalty strengths of each feature, `first |v| + second v^2`, for standardized columns."""

    first: Array  # [P]
    second: Array  # [P]


def solve_path(
    problem: Problem, strengths: Array, ratio: Array, tol: Array, max_iterations: int
) -> tuple[Array, Array, Array]:
    """`(coefficients [K, P] in the units of the data, iterations [K], converged [K])`."""
    features = problem.b.shape[0]
    dtype = problem.b.dtype
    start = power_start(features, dtype)
    steepest = _largest_eigenvalue(problem.times, start, 30)
    sizes = _sizes(features)

    def solve_on_all(w: Array, mask: Array, weights: _Weights) -> tuple[Array, Array, Array]:
        del mask
        return _solve(problem.times, problem.gram, problem.b, w, weights, steepest, tol, max_iterations)

    def solve_on_subset(size: int) -> Callable[[Array, Array, _Weights], tuple[Array, Array, Array]]:
        def solve(w: Array, mask: Array, weights: _Weights) -> tuple[Array, Array, Array]:
            index = jnp.nonzero(mask, size=size, fill_value=features)[0]
            gram = problem.subgram(index)
            b, subset_w = (v.at[index].get(mode="fill", fill_value=0.0) for v in (problem.b, w))
            subset_weights = _Weights(
                weights.first.at[index].get(mode="fill", fill_value=1.0),
                weights.second.at[index].get(mode="fill", fill_value=0.0),
            )
            # The largest eigenvalue of a submatrix is no larger, and mostly smaller, which allows longer steps.
            subset_steepest = jnp.minimum(
                steepest, _largest_eigenvalue(lambda v: gram @ v, jnp.where(b != 0, start[:size], 0.0), 12)
            )
            subset_w, iterations, residual = _solve(
                lambda v: gram @ v, gram, b, subset_w, subset_weights, subset_steepest, tol, max_iterations
            )
            return jnp.zeros_like(w).at[index].set(subset_w, mode="drop"), iterations, residual

        return solve

    solvers = [*(solve_on_subset(size) for size in sizes), solve_on_all]

    def at_strength(carry: tuple[Array, Array, Array], strength: Array) -> tuple[PyTree, PyTree]:
        w, slope, previous = carry
        first = strength * ratio
        weights = _Weights(first / problem.scale, strength * (1 - ratio) / jnp.square(problem.scale))

        def refine(state: PyTree) -> PyTree:
            w, _, mask, _, iterations, _ = state
            solver_index = jnp.searchsorted(jnp.asarray(sizes), jnp.sum(mask))
            w, more_iterations, residual = jax.lax.switch(solver_index, solvers, w, mask, weights)
            slope = problem.times(w) - problem.b + 2 * weights.second * w
            violating = (jnp.abs(slope) > weights.first * (1 + tol)) & ~mask
            return w, slope, mask | violating, jnp.any(violating), iterations + more_iterations, residual

        # The strong rule: the slope of a feature rarely changes by more than the strength.
        mask = (jnp.abs(slope) * problem.scale >= 2 * first - previous) | (w != 0)
        state = (w, slope, mask, jnp.asarray(True), jnp.int32(0), jnp.zeros((), dtype))
        w, slope, _, _, iterations, residual = jax.lax.while_loop(lambda state: state[3], refine, state)
        return (w, slope, first), (w / problem.scale, iterations, residual <= tol)

    carry = (jnp.zeros_like(problem.b), -problem.b, strengths[0] * ratio)
    return jax.lax.scan(at_strength, carry, strengths)[1]


def _solve(
    times: LinearMap,
    gram: Array | None,
    b: Array,
    w: Array,
    weights: _Weights,
    steepest: Array,
    tol: Array,
    max_iterations: int,
) -> tuple[Array, Array, Array]:
    """The minimum, by FISTA; if that runs out of iterations, alternating with Newton steps."""

    def not_done(state: PyTree) -> Array:
        _, _, residual, rounds = state
        return (rounds == 0) | ((residual > tol) & (rounds <= (0 if gram is None else _ROUNDS)))

    def body(state: PyTree) -> PyTree:
        w, iterations, _, rounds = state
        if gram is not None:
            w = jax.lax.cond(rounds > 0, lambda w: _newton(gram, b, w, weights), lambda w: w, w)
        budget = jnp.where(rounds > 0, min(max_iterations, 200), max_iterations)
        w, more_iterations, residual = _fista(times, b, w, weights, steepest, tol, budget)
        return w, iterations + more_iterations, residual, rounds + 1

    start = (w, jnp.int32(0), jnp.full((), jnp.inf, b.dtype), jnp.int32(0))
    return jax.lax.while_loop(not_done, body, start)[:3]


def _newton(gram: Array, b: Array, w: Array, weights: _Weights) -> Array:
    """A step to the minimum over vectors with the signs of `w`, or as far towards it as the signs stay."""
    active = w != 0
    matrix = jnp.where(active[:, None] & active, gram, 0.0) + jnp.diag(jnp.where(active, 2 * weights.second, 1.0))
    target = jnp.linalg.solve(matrix, jnp.where(active, b - weights.first * jnp.sign(w), 0.0))
    target = jnp.where(jnp.all(jnp.isfinite(target)), target, w)  # stays for a singular matrix
    crosses = active & (target * w <= 0)
    reach = jnp.where(crosses, w / jnp.where(crosses, w - target, 1.0), 1.0)
    step = jnp.min(reach)
    return jnp.where(crosses & (reach <= step), 0.0, w + step * (target - w))


def _fista(
    times: LinearMap,
    b: Array,
    w: Array,
    weights: _Weights,
    steepest: Array,
    tol: Array,
    max_iterations: Array,
) -> tuple[Array, Array, Array]:
    """FISTA with adaptive restart on `w' G w / 2 - b' w + first |w| + second w^2`: `(w, iterations, residual)`.

    The residual is the largest entry of the prox-gradient as a fraction of that feature's `first`.
    """
    step = 1 / steepest
    inverse = steepest / weights.first
    threshold, shrink = step * weights.first, 1 / (1 + 2 * step * weights.second)

    def not_done(state: PyTree) -> Array:
        return (state[4] > tol) & (state[3] < max_iterations)

    def body(state: PyTree) -> PyTree:
        w, point, momentum, iterations, _ = state
        new = soft_threshold(point - step * (times(point) - b), threshold) * shrink
        change = new - w
        restart = jnp.vdot(point - new, change) > 0
        next_momentum = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        beta = jnp.where(restart, 0.0, (momentum - 1) / next_momentum)
        residual = jnp.max(jnp.abs(new - point) * inverse)
        return new, new + beta * change, jnp.where(restart, 1.0, next_momentum), iterations + 1, residual

    start = (w, w, jnp.ones((), b.dtype), jnp.int32(0), jnp.full((), jnp.inf, b.dtype))
    w, _, _, iterations, residual = jax.lax.while_loop(not_done, body, start)
    return w, iterations, residual


def _largest_eigenvalue(times: LinearMap, start: Array, iterations: int) -> Array:
    """An upper estimate from the power method, which converges from below, with a margin of a tenth."""

    def unit(v: Array) -> Array:
        return v / jnp.maximum(jnp.linalg.norm(v), 1e-12)

    v = jax.lax.fori_loop(0, iterations, lambda _, v: unit(times(v)), unit(start))
    return 1.1 * jnp.linalg.norm(times(v)) + 1e-12


def _sizes(features: int) -> list[int]:
    """Sizes of working sets, each twice the previous one, up to half of all features."""
    sizes = [_SMALLEST]
    while 2 * sizes[-1] <= min(features // 2, 4096):
        sizes.append(2 * sizes[-1])
    return [size for size in sizes if size < features]
