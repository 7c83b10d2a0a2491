"""The contract of step sizes, and how hyperparameters of an optimizer are read from its state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import optax

from regjax.core.checks import check_range
from regjax.core.typing import ArrayLike, Numeric, PyTree

LearningRate = ArrayLike | Callable[..., Numeric]
INJECTED = (optax.InjectHyperparamsState, optax.InjectStatefulHyperparamsState)


@dataclasses.dataclass(frozen=True)
class StepSize:
    """The step size (metric) of an optimizer; made by `sgd`, `adam`, ... of this package.

    Attributes:
      compute: `(inner optimizer state after its update, number of updates before this one, parameters) -> T`, a scalar
        or a pytree like the parameters.
      elementwise: whether `T` differs between the entries of a leaf.
      is_exact: whether it claims to be the step of the optimizer (all but `plain` do), which is then verified.
    """

    compute: Callable[[PyTree, Numeric, PyTree], PyTree]
    elementwise: bool
    is_exact: bool = True


def at_step(learning_rate: LearningRate, count: ArrayLike) -> Numeric:
    """The learning rate at update `count`: a number is constant, a schedule is called."""
    return learning_rate(count) if callable(learning_rate) else learning_rate


def current(name: str, default: LearningRate, state: PyTree, count: ArrayLike) -> Numeric:
    """The value of a hyperparameter in the update that led to `state`.

    Args:
      name: its name in `optax.inject_hyperparams`, as `"learning_rate"`.
      default: its value if it is not injected: a number, a traced array or a schedule `count -> number`.
      state: state of the optimizer, after the update.
      count: number of updates before this one.

    Returns:
      The value in the state of `optax.inject_hyperparams`, which may have been changed by hand, or else `default`.

    Raises:
      ValueError: several states hold a hyperparameter of this name.

    Example:
      >>> state = optax.inject_hyperparams(optax.sgd)(learning_rate=0.1).init({})
      >>> state.hyperparams["learning_rate"] = 0.05
      >>> current("learning_rate", 0.1, state, 0)
      0.05
    """
    injected = [node.hyperparams[name] for node in states(INJECTED, state) if name in node.hyperparams]
    if len(injected) > 1:
        raise ValueError(f"stepsize: {len(injected)} injected hyperparameters are called {name}; only one may be")
    return injected[0] if injected else at_step(default, count)


def states(kind: type | tuple[type, ...], state: PyTree) -> list[PyTree]:
    """The outermost states of one kind within the state of an optimizer."""

    def is_kind(node: object) -> bool:
        return isinstance(node, kind)

    return [node for node in jax.tree.leaves(state, is_leaf=is_kind) if is_kind(node)]


def only(name: str, kind: type, state: PyTree) -> PyTree:
    """The only state of one kind.

    Raises:
      ValueError: there is no such state, or several.
    """
    matching = states(kind, state)
    if len(matching) != 1:
        raise ValueError(
            f"{name}: the wrapped optimizer must hold one {kind.__name__}, found {len(matching)}; "
            "rj.make_optimizer gives an optimizer together with its step"
        )
    return matching[0]


def check_rate(name: str, learning_rate: LearningRate) -> None:
    """Refuse a concrete learning rate that is not positive."""
    if not callable(learning_rate):
        check_range(f"{name}: learning_rate", learning_rate, 0.0, low_open=True)
