"""Accelerated proximal gradient descent (FISTA) with line search and adaptive restart, on any pytree."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import Jaxpr
from jax.flatten_util import ravel_pytree

from regjax.core.checks import check_range
from regjax.core.dtypes import float_dtype, wide_dtype
from regjax.core.tree import check_real, leaf_names
from regjax.core.typing import Array, ArrayLike, PyTree
from regjax.penalties import Penalty, check_penalty_mode

DIFFERENTIABLE = 4096  # largest number of parameters for derivatives, which need a square matrix


class Solution(NamedTuple):
    """The result of a solver; with a leading axis, the points of a path."""

    params: PyTree
    value: Array  # []: loss + penalty; in float32, or float64 for float64 parameters
    residual: Array  # []: largest entry of the prox-gradient, (w - prox(w - t g)) / t
    iterations: Array  # int32[]
    converged: Array  # bool[]: residual <= tol


class _State(NamedTuple):
    params: PyTree  # w, the last point after a proximal step
    point: PyTree  # where the next gradient is taken: w plus momentum
    momentum: Array
    stepsize: Array
    residual: Array
    iterations: Array


def proximal_gradient(
    loss: Callable[[PyTree], Array],
    penalty: Penalty,
    params: PyTree,
    *,
    stepsize: ArrayLike | None = None,
    tol: ArrayLike = 1e-5,
    max_iterations: int = 10_000,
) -> Solution:
    """Minimize `loss(w) + penalty(w)` with Nesterov acceleration, restarted when it points uphill.

    One iteration is `w+ = prox_t(y - t grad loss(y))`, `y+ = w+ + beta (w+ - w)`; `beta` is reset to 0 when
    `(y - w+) . (w+ - w) > 0`. It is compiled as one loop and works inside `jit`, `vmap` and `scan`.

    Derivatives of `params` and `value` with respect to the data and numbers in the loss and the penalty are those of
    the solution (implicit differentiation), whatever the start; for at most 4096 parameters. They are NaN if the
    solution is not unique.

    Args:
      loss: smooth function of the parameters, a scalar. With a convex loss and penalty the solution is global.
      penalty: any penalty with a proximal map.
      params: starting point, any pytree of floating-point arrays.
      stepsize: t > 0, at most one over the largest curvature; None finds it by halving, starting at 1.
      tol: stops when no entry of the prox-gradient is larger; in the units of a gradient.
      max_iterations: largest number of iterations.

    Returns:
      A `Solution`. `converged` is False if the iterations ran out or the precision of the dtype was reached first.

    Raises:
      ValueError: a penalty without a proximal map or with a schedule, a number out of range, or complex parameters.

    Example:
      >>> from regjax.penalties import l1
      >>> target = jnp.array([[3.0, 0.2]])
      >>> solution = proximal_gradient(lambda p: jnp.sum((p["w"] - target) ** 2), l1(1.0), {"w": jnp.zeros((1, 2))})
      >>> solution.params["w"], bool(solution.converged)
      (Array([[2.5, 0. ]], dtype=float32), True)

    Reference:
      Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm, 2009; O'Donoghue and Candes, Adaptive
      restart for accelerated gradient schemes, 2015.
    """
    check_penalty_mode(penalty, "proximal")
    for term in penalty.flat():
        if term.schedule is not None:
            raise ValueError(
                f"proximal_gradient: {term.kind} has a schedule, but a solver has no training steps; give the strength"
            )
    if stepsize is not None:
        check_range("proximal_gradient: stepsize", stepsize, 0.0, low_open=True)
    check_range("proximal_gradient: tol", tol, 0.0)
    check_range("proximal_gradient: max_iterations", max_iterations, 1)
    params = jax.tree.map(jnp.asarray, params)
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        check_real("proximal_gradient", name, leaf)
    program = jax.make_jaxpr(loss)(params)  # turns what the loss closes over into arguments, which have derivatives
    limits = (stepsize, tol, max_iterations)
    solution = _minimized(program.jaxpr, program.consts, penalty, params, limits)[0]
    value = (loss(solution.params) + penalty.value(solution.params)).astype(solution.value.dtype)
    return solution._replace(value=value, converged=solution.converged & jnp.isfinite(value))


def _evaluated(program: Jaxpr, consts: Sequence[Array], params: PyTree) -> Array:
    return jax.core.eval_jaxpr(program, consts, *jax.tree.leaves(params))[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _minimized(
    program: Jaxpr,
    consts: Sequence[Array],
    penalty: Penalty,
    params: PyTree,
    limits: tuple[ArrayLike | None, ArrayLike, ArrayLike],
) -> tuple[Solution, Array]:
    """The solution (without its value) and the last step; `program` is the loss, `consts` its data."""
    stepsize, tol, max_iterations = limits
    dtype = wide_dtype(*jax.tree.leaves(params))

    def loss(params: PyTree) -> Array:
        return _evaluated(program, consts, params)

    value_and_grad = jax.value_and_grad(loss)

    def step_from(state: _State) -> tuple[PyTree, Array]:
        """The proximal step and its size, which is halved until the quadratic model is above the loss."""
        value, grads = value_and_grad(state.point)

        def prox_step(t: Array) -> PyTree:
            return penalty.prox(jax.tree.map(lambda w, g: (w - t * g).astype(w.dtype), state.point, grads), t)

        if stepsize is not None:
            return prox_step(state.stepsize), state.stepsize

        def is_too_long(carry: tuple[Array, PyTree]) -> Array:
            t, new = carry
            change = jax.tree.map(jnp.subtract, new, state.point)
            model = value + optax.tree.vdot(grads, change) + optax.tree.norm(change, squared=True) / (2 * t)
            slack = 4 * jnp.finfo(dtype).eps * jnp.abs(value)  # differences below are rounding
            return (loss(new) > model + slack) & (t > 1e-12)

        t, new = jax.lax.while_loop(
            is_too_long, lambda c: (c[0] / 2, prox_step(c[0] / 2)), (state.stepsize, prox_step(state.stepsize))
        )
        return new, t

    def not_done(state: _State) -> Array:
        return (state.residual > tol) & (state.iterations < max_iterations)

    def body(state: _State) -> _State:
        new, t = step_from(state)
        change = jax.tree.map(jnp.subtract, new, state.params)
        backward = jax.tree.map(jnp.subtract, state.point, new)
        restart = optax.tree.vdot(backward, change) > 0
        next_momentum = (1 + jnp.sqrt(1 + 4 * state.momentum**2)) / 2
        beta = jnp.where(restart, 0.0, (state.momentum - 1) / next_momentum)
        largest = [jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(backward)]
        return _State(
            params=new,
            point=jax.tree.map(lambda w, d: (w + beta * d).astype(w.dtype), new, change),
            momentum=jnp.where(restart, 1.0, next_momentum),
            stepsize=t,
            residual=jnp.max(jnp.stack(largest)).astype(dtype) / t,
            iterations=state.iterations + 1,
        )

    first = jnp.asarray(1.0 if stepsize is None else stepsize, dtype)
    start = _State(params, params, jnp.ones((), dtype), first, jnp.full((), jnp.inf, dtype), jnp.int32(0))
    end = jax.lax.while_loop(not_done, body, start)
    done = end.residual <= tol
    return Solution(end.params, jnp.zeros((), dtype), end.residual, end.iterations, done), end.stepsize


@_minimized.defjvp
def _derivative(program: Jaxpr, primals: PyTree, tangents: PyTree) -> tuple[PyTree, PyTree]:
    """The solution is a fixed point of a proximal step; differentiating this gives a linear system."""
    consts, penalty = primals[:2]
    solution, step = _minimized(program, *primals)
    flat, tree = ravel_pytree(solution.params)
    if flat.size > DIFFERENTIABLE:
        raise ValueError(
            f"proximal_gradient: derivatives for at most {DIFFERENTIABLE} parameters, got {flat.size}: "
            "they need a matrix of all parameters"
        )
    fixed_step = jax.lax.stop_gradient(step)

    def stepped(flat: Array, consts: Sequence[Array], penalty: Penalty) -> Array:
        w = tree(flat)
        grads = jax.grad(lambda w: _evaluated(program, consts, w))(w)
        new = penalty.prox(jax.tree.map(lambda w, g: (w - fixed_step * g).astype(w.dtype), w, grads), fixed_step)
        return ravel_pytree(new)[0]

    right_side = jax.jvp(lambda *inputs: stepped(flat, *inputs), (consts, penalty), tangents[:2])[1]
    wide = wide_dtype(flat)
    matrix = jnp.eye(flat.size, dtype=wide) - jax.jacfwd(stepped)(flat, consts, penalty).astype(wide)
    factors = jax.scipy.linalg.lu_factor(matrix)
    pivots = jnp.abs(jnp.diag(factors[0]))
    is_unique = jnp.min(pivots) > 32 * jnp.finfo(wide).eps * jnp.max(pivots)  # False for NaN
    tangent = jax.scipy.linalg.lu_solve(factors, right_side.astype(wide)) * jnp.where(is_unique, 1.0, jnp.nan)
    zero_tangents = jax.tree.map(_no_tangent, (solution, step))
    return (solution, step), (zero_tangents[0]._replace(params=tree(tangent.astype(flat.dtype))), zero_tangents[1])


def _no_tangent(array: Array) -> Array | np.ndarray:
    inexact = jnp.issubdtype(array.dtype, jnp.inexact)
    return jnp.zeros_like(array) if inexact else np.zeros(array.shape, jax.dtypes.float0)


def regularization_path(
    loss: Callable[[PyTree], Array],
    penalty: Penalty,
    factors: ArrayLike,
    params: PyTree,
    *,
    stepsize: ArrayLike | None = None,
    tol: ArrayLike = 1e-5,
    max_iterations: int = 10_000,
) -> Solution:
    """Solutions for a sequence of strengths, each started from the previous one (warm starts), in one compiled loop.

    Args:
      loss: as in `proximal_gradient`.
      penalty: its strengths are multiplied by each of `factors` in turn.
      factors: `[K]`, >= 0; descending is fastest, because few weights change at a time.
      params: starting point for the first factor.
      stepsize: as in `proximal_gradient`.
      tol: as in `proximal_gradient`.
      max_iterations: largest number of iterations for each factor.

    Returns:
      A `Solution` whose arrays have a leading axis `[K]`.

    Raises:
      ValueError: as `proximal_gradient`.

    Example:
      >>> from regjax.penalties import l1
      >>> target = jnp.array([[3.0, 0.2]])
      >>> loss = lambda p: jnp.sum((p["w"] - target) ** 2)
      >>> path = regularization_path(loss, l1(2.0), [3.0, 1.0, 0.0], {"w": jnp.zeros((1, 2))})
      >>> [[round(float(w), 3) for w in row] for row in path.params["w"][:, 0]]
      [[0.0, 0.0], [2.0, 0.0], [3.0, 0.2]]

    Reference:
      Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models via coordinate descent, 2010.
    """
    check_range("regularization_path: factors", factors, 0.0)

    def solve(params: PyTree, factor: Array) -> tuple[PyTree, Solution]:
        solution = proximal_gradient(
            loss, penalty.scaled(factor), params, stepsize=stepsize, tol=tol, max_iterations=max_iterations
        )
        return solution.params, solution

    return jax.lax.scan(solve, jax.tree.map(jnp.asarray, params), jnp.asarray(factors, float_dtype()))[1]
