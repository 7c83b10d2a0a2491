"""Which penalties an optimizer applies, in which mode and to which leaves; recorded in its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import optax

from regjax.core.tree import Where, leaf_names
from regjax.core.typing import Array, PyTree
from regjax.penalties import Penalty


@jax.tree_util.register_static
class AppliedPenalty(NamedTuple):
    """The mode and the terms of a penalty; static, so that it can be part of the optimizer state."""

    mode: str
    terms: tuple[tuple[str, Where], ...]
    frozen: tuple[str, ...] = ()  # leaves that the optimizer does not move, so the penalty must not either


class CountState(NamedTuple):
    """State of `add_penalty` and `add_decay`."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    applied: AppliedPenalty  # static


class RegularizeState(NamedTuple):
    """State of `regularize`."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    applied: AppliedPenalty  # static
    inner: optax.OptState  # of the wrapped optimizer


class ProjectState(NamedTuple):
    """State of `project`: empty, but it shows that there is a projection."""


def with_extra_arguments(tx: optax.GradientTransformation | optax.MultiSteps) -> optax.GradientTransformationExtraArgs:
    """As `optax.with_extra_args_support`, also for `optax.MultiSteps`, which passes extra arguments on.

    Example:
      >>> tx = with_extra_arguments(optax.MultiSteps(optax.sgd(0.1), 2))
      >>> isinstance(tx, optax.GradientTransformationExtraArgs)
      True
    """
    if isinstance(tx, optax.MultiSteps):
        return optax.GradientTransformationExtraArgs(tx.init, tx.update)
    if isinstance(getattr(tx.update, "__self__", None), optax.MultiSteps):  # its gradient_transformation()
        return optax.GradientTransformationExtraArgs(tx.init, tx.update)
    return optax.with_extra_args_support(tx)


def applied_penalty(mode: str, penalty: Penalty) -> AppliedPenalty:
    """The record of a penalty that is applied in a mode."""
    terms = ((kind, term.static_where) for term in penalty.flat() for kind in term.components or (term.kind,))
    return AppliedPenalty(mode, tuple(terms))


def acting_leaves(penalty: Penalty, params: PyTree, frozen: Sequence[str] = ()) -> list[bool]:
    """A mask over the leaves of `params`: on which of them a penalty acts.

    Example:
      >>> import jax.numpy as jnp
      >>> from regjax.penalties import l2
      >>> acting_leaves(l2(0.1), {"bias": jnp.ones(2), "kernel": jnp.ones((2, 2))})
      [False, True]
    """
    masks = [term.leaf_mask(params) for term in penalty.flat()]
    return [any(mask) and name not in frozen for *mask, name in zip(*masks, leaf_names(params), strict=True)]


def is_penalty_state(node: object) -> bool:
    """Whether a node of an optimizer state is the state of a penalty transform."""
    return isinstance(node, CountState | RegularizeState)


def applied_penalties(opt_state: optax.OptState) -> tuple[AppliedPenalty, ...]:
    """The penalties that an optimizer applies, read from its state."""
    applied: list[AppliedPenalty] = []
    for node in jax.tree.leaves(opt_state, is_leaf=is_penalty_state):
        if is_penalty_state(node):
            applied.append(node.applied)
            applied.extend(applied_penalties(node.inner) if isinstance(node, RegularizeState) else ())
    return tuple(applied)
