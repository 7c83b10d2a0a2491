"""Runs an optimizer on known gradients, to see what it does with them; no user data is touched."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.interpreters.partial_eval import dce_jaxpr

from regjax.core.checks import is_traced
from regjax.core.tree import check_same_leaves, is_weight_leaf, leaf_names
from regjax.core.typing import Array, PyTree, Value
from regjax.optim.applied_penalties import with_extra_arguments

# Parameters with more entries than this are replaced by smaller ones of the same rank.
_ENTRIES = 4096
_SIDE = 3
# A trial runs once and for a short time: on the CPU nearly all of it would be the optimization of its machine code.
_COMPILER_OPTIONS = {"cpu": {"xla_backend_optimization_level": 0}}

Recorded = tuple[list[Array], list[Array]]  # updates and measured values, for each weight leaf


class CannotJudge(ValueError):
    """The optimizer cannot be run on test values."""


class Plan(NamedTuple):
    """`R` trials side by side, each recorded `S` times.

    Attributes:
      weights: `[R]`: the constant value of all parameters in a trial.
      counts: `[R]`: initial value of the counters of the optimizer.
      repeats: `[S]`: number of updates with each gradient, of which the last one is recorded.
      gradients: one array `[R, S, ...]` for each weight leaf.
    """

    weights: np.ndarray
    counts: np.ndarray
    repeats: np.ndarray
    gradients: list[np.ndarray]


class Record(NamedTuple):
    """The result of the trials: an array `[R, S, ...]` for each weight leaf, in double precision.

    Attributes:
      updates: the updates of the optimizer, by leaf.
      measured: the values of `measure`, by leaf.
      is_traced: whether stand-ins replaced traced numbers, so that updates are known only up to a factor.
    """

    updates: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    is_traced: bool


def small_like(params: PyTree) -> PyTree:
    """Float32 zeros with the structure, names and ranks of `params`, and with their shapes if they are small."""
    leaves, treedef = jax.tree.flatten(params)
    large = sum(int(np.size(leaf)) for leaf in leaves if is_weight_leaf(leaf)) > _ENTRIES

    def small(leaf: PyTree) -> PyTree:
        if not is_weight_leaf(leaf):
            return leaf
        shape = tuple(min(side, _SIDE) for side in np.shape(leaf)) if large else np.shape(leaf)
        return np.zeros(shape, np.complex64 if np.iscomplexobj(np.empty(0, jnp.result_type(leaf))) else np.float32)

    return jax.tree.unflatten(treedef, [small(leaf) for leaf in leaves])


def named_weights(params: PyTree) -> dict[str, PyTree]:
    """The leaves that hold real or complex numbers, by name."""
    named = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    return {name: leaf for name, leaf in named if is_weight_leaf(leaf)}


def ignored(tx: optax.GradientTransformation, params: PyTree) -> list[str]:
    """The leaves whose update does not depend on their gradient, as with `optax.set_to_zero`; found by tracing.

    Raises:
      CannotJudge: the optimizer cannot be traced for these parameters.
    """
    tx, leaves = with_extra_arguments(tx), named_weights(params)
    zeros = jax.tree.map(lambda w: jax.ShapeDtypeStruct(np.shape(w), jnp.result_type(w)), leaves)
    flat, treedef = jax.tree.flatten(params)

    def update(grads: list[Array]) -> list[Array]:
        weight_grads = iter(grads)
        filled = [next(weight_grads) if is_weight_leaf(leaf) else _no_gradient(leaf) for leaf in flat]
        updates = tx.update(jax.tree.unflatten(treedef, filled), tx.init(params), params)[0]
        pairs = zip(jax.tree.leaves(updates), flat, strict=True)
        return [updated for updated, leaf in pairs if is_weight_leaf(leaf)]

    try:
        program = jax.make_jaxpr(update)(list(zeros.values())).jaxpr
    except Exception as error:  # an optimizer may need anything that is not available here
        raise _cannot(error) from error
    names = []
    for i, name in enumerate(leaves):
        _, used_inputs = dce_jaxpr(program, [j == i for j in range(len(leaves))])
        if not used_inputs[i]:
            names.append(name)
    return names


def initial_state(tx: optax.GradientTransformation, params: PyTree) -> PyTree:
    """The shape of the state of an optimizer.

    Raises:
      CannotJudge: it cannot be made for these parameters.
    """
    try:
        return jax.eval_shape(tx.init, params)
    except Exception as error:  # an optimizer may need anything that is not available here
        raise _cannot(error) from error


def run(
    tx: optax.GradientTransformation,
    params: PyTree,
    plan: Plan,
    measure: Callable[[PyTree, Array, PyTree], PyTree],
    *,
    begin: Callable[[PyTree], PyTree] = lambda state: state,
    replaced: bool = False,
    **extra: Value,
) -> Record:
    """Run the trials of a plan.

    A transform built inside `jit`, `vmap` or `scan` may contain traced numbers. The trials are then traced too, and
    evaluated with stand-ins for these numbers, the same stand-in for each occurrence of a traced value.

    Args:
      tx: the optimizer.
      params: from `small_like`.
      plan: gradients and weights.
      measure: `(state after an update, its count, params)` to a scalar or a tree like `params`.
      begin: changes the initial state of a trial.
      replaced: whether to use other stand-ins for traced numbers.
      **extra: further arguments of `update`.

    Raises:
      CannotJudge: the optimizer cannot be called like this.
      ValueError: as raised by `measure`.
    """
    tx = with_extra_arguments(tx)
    leaves, treedef = jax.tree.flatten(params)
    positions = [i for i, leaf in enumerate(leaves) if is_weight_leaf(leaf)]

    def fill(values: list[Array], fill_other: Callable[[PyTree], PyTree]) -> PyTree:
        by_position = dict(zip(positions, values, strict=True))
        return jax.tree.unflatten(
            treedef, [by_position[i] if i in by_position else fill_other(leaf) for i, leaf in enumerate(leaves)]
        )

    refused: list[ValueError] = []

    def measured_at(state: PyTree, count: Array, trial_params: PyTree) -> PyTree:
        try:
            value = measure(state, count, trial_params)
            if jax.tree_util.treedef_is_leaf(jax.tree.structure(value)):
                return jax.tree.map(lambda _: value, trial_params)
            check_same_leaves("stepsize: the step of this optimizer", value, trial_params)
            return value
        except ValueError as error:  # a `StepSize` that does not fit this optimizer
            refused.append(error)
            raise

    def run_trial(weight: Array, start: Array, repeats: Array, gradients: list[Array]) -> Recorded:
        trial_params = fill([jnp.full(leaves[i].shape, weight, leaves[i].dtype) for i in positions], lambda leaf: leaf)
        state = begin(_advanced(jax.tree.map(jnp.asarray, tx.init(trial_params)), start))

        def update(state: PyTree, grads: list[Array]) -> tuple[list[Array], PyTree]:
            updates, after = tx.update(fill(grads, _no_gradient), state, trial_params, **extra)
            flat = jax.tree.leaves(updates)
            # Some transforms return other dtypes than they start with.
            return [flat[i] for i in positions], jax.tree.map(_of_type, after, state)

        def record(
            carry: tuple[PyTree, Array], step: tuple[Array, list[Array]]
        ) -> tuple[tuple[PyTree, Array], Recorded]:
            (state, count), (repeats, grads) = carry, step
            state = jax.lax.fori_loop(0, repeats - 1, lambda _, state: update(state, grads)[1], state)
            updates, state = update(state, grads)
            count = count + repeats
            values = jax.tree.leaves(measured_at(state, count - 1, trial_params))
            return (state, count), (updates, [jnp.broadcast_to(values[i], leaves[i].shape) for i in positions])

        return jax.lax.scan(record, (state, start), (repeats, gradients))[1]

    program = jax.vmap(run_trial, in_axes=(0, 0, None, 0))
    try:
        (updates, measured), traced = _evaluate(program, tuple(plan), 100 * replaced)
    except Exception as error:  # an optimizer may need anything that is not available here
        if refused:
            raise refused[0] from None
        raise _cannot(error) from error
    names = list(named_weights(params))
    wide = [[np.asarray(x).astype(np.result_type(x, np.float64)) for x in each] for each in (updates, measured)]
    by_name = [dict(zip(names, each, strict=True)) for each in wide]
    return Record(by_name[0], by_name[1], traced)


def _cannot(error: Exception) -> CannotJudge:
    first = (str(error).splitlines() or [""])[0]
    return CannotJudge(f"{type(error).__name__}: {first}")


def _evaluate(program: Callable[..., Recorded], arguments: PyTree, first: int) -> tuple[Recorded, bool]:
    """The results of a program for NumPy arrays, also inside a transformation, and whether it has traced numbers."""
    with jax.ensure_compile_time_eval(), _everyday_settings():
        arguments = jax.tree.map(jnp.asarray, arguments)
        # Operations on arguments are traced, those on constants would be compiled and run one by one.
        closed, shapes = jax.make_jaxpr(program, return_shape=True)(*arguments)
        traced = any(is_traced(c) for c in closed.consts)
        consts = [_stand_in(first + i, c) if is_traced(c) else c for i, c in enumerate(closed.consts)]
        options = _COMPILER_OPTIONS.get(jax.default_backend())
        evaluate = jax.jit(functools.partial(jax.core.eval_jaxpr, closed.jaxpr), compiler_options=options)
        flat = evaluate(consts, *jax.tree.leaves(arguments))
    return jax.tree.unflatten(jax.tree.structure(shapes), flat), traced


@contextlib.contextmanager
def _everyday_settings() -> Iterator[None]:
    """Default settings instead of the user's debugging settings, because trials contain NaN on purpose."""
    with (
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.disable_jit(False),
        jax.transfer_guard("allow"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


def _stand_in(index: int, value: Array) -> Array:
    """A stand-in for a traced number: in (0, 1), as rates, decays and probabilities are, and different for each."""
    number = (0.11 + 0.618034 * index) % 0.7 + 0.05 if jnp.issubdtype(value.dtype, jnp.inexact) else 3 + index
    return jnp.full(value.shape, number, value.dtype)


def _advanced(state: PyTree, count: Array) -> PyTree:
    """A state whose update counters are advanced by `count`; the counter of micro-steps stays."""

    def advance(node: PyTree) -> PyTree:
        moved = jax.tree.map(lambda leaf: leaf + count if _is_counter(leaf) else leaf, node)
        return moved._replace(mini_step=node.mini_step) if isinstance(node, optax.MultiStepsState) else moved

    return jax.tree.map(advance, state, is_leaf=lambda node: isinstance(node, optax.MultiStepsState))


def _is_counter(leaf: PyTree) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and np.ndim(leaf) == 0 and bool(jnp.issubdtype(dtype, jnp.integer))


def _of_type(new: Array, old: Array) -> Array:
    return new if jnp.issubdtype(old.dtype, jax.dtypes.extended) else jnp.asarray(new, old.dtype)


def _no_gradient(leaf: PyTree) -> PyTree:
    """A placeholder for the gradient of a leaf that has none."""
    dtype = getattr(leaf, "dtype", None)
    return leaf if dtype is None or jnp.issubdtype(dtype, jax.dtypes.prng_key) else np.zeros(np.shape(leaf), dtype)
