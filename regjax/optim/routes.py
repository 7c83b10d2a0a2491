"""The routes of penalties: which terms an optimizer applies, how, and to which leaves; read from its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import optax

from regjax.core.tree import Where, leaf_names
from regjax.core.typing import Array, PyTree
from regjax.penalties import Penalty


@jax.tree_util.register_static
class Route(NamedTuple):
    """How terms enter training: static, so it rides in the optimizer state without being an array."""

    mode: str
    terms: tuple[tuple[str, Where], ...]
    frozen: tuple[str, ...] = ()  # leaves that the optimizer does not move, so that no penalty may


class CountState(NamedTuple):
    """State of `add_penalty` and `add_decay`."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    route: Route  # static


class RegularizeState(NamedTuple):
    """State of `regularize`."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    route: Route  # static
    inner: optax.OptState  # of the wrapped optimizer


class ProjectState(NamedTuple):
    """State of `project`: nothing, but it shows that there is one."""


def with_extra_arguments(tx: optax.GradientTransformation | optax.MultiSteps) -> optax.GradientTransformationExtraArgs:
    """As `optax.with_extra_args_support`; `optax.MultiSteps` takes and passes on further arguments too.

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


def route_of(mode: str, penalty: Penalty) -> Route:
    """The route that a penalty takes in a mode."""
    terms = ((kind, term.static_where) for term in penalty.flat() for kind in term.components or (term.kind,))
    return Route(mode, tuple(terms))


def acting_leaves(penalty: Penalty, params: PyTree, frozen: Sequence[str] = ()) -> list[bool]:
    """For each leaf of `params`, whether a penalty acts on it.

    Example:
      >>> import jax.numpy as jnp
      >>> from regjax.penalties import l2
      >>> acting_leaves(l2(0.1), {"bias": jnp.ones(2), "kernel": jnp.ones((2, 2))})
      [False, True]
    """
    masks = [term.weights_of(params) for term in penalty.flat()]
    return [any(mask) and name not in frozen for *mask, name in zip(*masks, leaf_names(params), strict=True)]


def is_ours(node: Any) -> bool:
    """Whether a node of an optimizer state belongs to a penalty."""
    return isinstance(node, CountState | RegularizeState)


def routes(opt_state: optax.OptState) -> tuple[Route, ...]:
    """The routes through which an optimizer applies penalties, read from its state."""
    found: list[Route] = []
    for node in jax.tree.leaves(opt_state, is_leaf=is_ours):
        if is_ours(node):
            found.append(node.route)
            found.extend(routes(node.inner) if isinstance(node, RegularizeState) else ())
    return tuple(found)
