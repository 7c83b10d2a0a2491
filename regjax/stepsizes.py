"""The step that an optimizer takes for a unit of gradient: what a proximal threshold must be multiplied with.

A proximal step of strength `s` after an update `w - T g` solves the penalized problem only if its threshold is
`T s` with the optimizer's own `T`. Any other threshold solves another problem: `lr * s` under momentum `mu`
solves strength `s (1 - mu)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from regjax.checks import check_range
from regjax.typing import Array, ArrayLike, PyTree

LearningRate = ArrayLike | Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class StepSize:
    """The metric of an optimizer; make one with `sgd` or `adam` of this module.

    Attributes:
      compute: `(inner optimizer state after its update, number of updates before this one) -> T`, a scalar or a
        pytree like the parameters.
      elementwise: whether `T` differs between the entries of a leaf.
      is_exact: whether it claims to be the optimizer's own step (all but `plain` do), which is then tried out.
    """

    compute: Callable[[Any, Array], Any]
    elementwise: bool
    is_exact: bool = True


def at_step(learning_rate: LearningRate, count: ArrayLike) -> Any:
    """The learning rate at update `count`: a number is constant, a schedule is called."""
    return learning_rate(count) if callable(learning_rate) else learning_rate


def sgd(learning_rate: LearningRate, momentum: ArrayLike = 0.0, *, nesterov: bool = False) -> StepSize:
    """Step of gradient descent, heavy-ball or Nesterov momentum at update `t` (from 1).

    `T = lr (1 - mu^t) / (1 - mu)`; with Nesterov's correction `lr (1 - mu^(t+1)) / (1 - mu)`. This is what
    the optimizer moves under a constant gradient of one.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`.
      momentum: `mu` in [0, 1); the `momentum` or `decay` of the optimizer.
      nesterov: whether the optimizer uses Nesterov's correction.

    Returns:
      A `StepSize` that is one scalar.

    Raises:
      ValueError: a concrete value out of range.

    Example:
      >>> float(sgd(0.1, momentum=0.5).compute(None, jnp.int32(1)))  # second update: 0.1 * (1 + 0.5)
      0.15000000596046448
    """
    _check_rate("stepsizes.sgd", learning_rate)
    check_range("stepsizes.sgd: momentum", momentum, 0.0, 1.0, high_open=True)

    def compute(inner_state: Any, count: Array) -> Array:
        del inner_state
        updates = count + (2 if nesterov else 1)
        gain = (1 - jnp.power(jnp.float32(momentum), updates)) / (1 - jnp.float32(momentum))
        return jnp.asarray(at_step(learning_rate, count), jnp.float32) * gain

    return StepSize(compute, elementwise=False)


def adam(learning_rate: LearningRate, b2: ArrayLike = 0.999, eps: ArrayLike = 1e-8) -> StepSize:
    """Step of Adam at update `t` (from 1): `T_i = lr / (sqrt(v_i / (1 - b2^t)) + eps)`, entry by entry.

    `v` is read from the state of the wrapped optimizer; `lr`, `b2` and `eps` are not in it and must be those that
    the optimizer was made with. `rj.make_optimizer("adam", ...)` does this by itself.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`.
      b2: decay of the second moment, in [0, 1).
      eps: the optimizer's `eps`, added outside the root.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one Adam state.

    Example:
      >>> metric = adam(1e-3, b2=0.999, eps=1e-8)
      >>> metric.elementwise
      True
    """
    _check_rate("stepsizes.adam", learning_rate)
    check_range("stepsizes.adam: b2", b2, 0.0, 1.0, high_open=True)
    check_range("stepsizes.adam: eps", eps, 0.0)

    def compute(inner_state: Any, count: Array) -> PyTree:
        state = _only("stepsizes.adam", optax.ScaleByAdamState, inner_state)
        rate = at_step(learning_rate, count)
        correction = 1 - jnp.power(jnp.float32(b2), state.count)
        return jax.tree.map(lambda v: rate / (jnp.sqrt(v / correction) + eps), state.nu)

    return StepSize(compute, elementwise=True)


def rmsprop(learning_rate: LearningRate, eps: ArrayLike = 1e-8, *, eps_in_sqrt: bool = True) -> StepSize:
    """Step of RMSProp without momentum: `T_i = lr / sqrt(v_i + eps)`, or `lr / (sqrt(v_i) + eps)`, entry by entry.

    `v` is read from the state of the wrapped optimizer, after its update.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`.
      eps: the optimizer's `eps`.
      eps_in_sqrt: as in `optax.rmsprop`; False is PyTorch's form.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one RMSProp state, or with
        momentum, under which the step is not known.

    Example:
      >>> rmsprop(1e-3).elementwise
      True
    """
    _check_rate("stepsizes.rmsprop", learning_rate)
    check_range("stepsizes.rmsprop: eps", eps, 0.0)

    def compute(inner_state: Any, count: Array) -> PyTree:
        state = _only("stepsizes.rmsprop", optax.ScaleByRmsState, inner_state)
        if _states(optax.TraceState, inner_state):
            raise ValueError("stepsizes.rmsprop: the step of RMSProp with momentum is not known; use momentum=None")
        rate = at_step(learning_rate, count)
        root = (lambda v: jnp.sqrt(v + eps)) if eps_in_sqrt else (lambda v: jnp.sqrt(v) + eps)
        return jax.tree.map(lambda v: rate / root(v), state.nu)

    return StepSize(compute, elementwise=True)


def adagrad(learning_rate: LearningRate, eps: ArrayLike = 1e-7) -> StepSize:
    """Step of Adagrad: `T_i = lr / sqrt(sum of squared gradients + eps)`, entry by entry.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`.
      eps: the optimizer's `eps`.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one Adagrad state.

    Example:
      >>> adagrad(1e-3).elementwise
      True
    """
    _check_rate("stepsizes.adagrad", learning_rate)
    check_range("stepsizes.adagrad: eps", eps, 0.0)

    def compute(inner_state: Any, count: Array) -> PyTree:
        state = _only("stepsizes.adagrad", optax.ScaleByRssState, inner_state)
        rate = at_step(learning_rate, count)
        return jax.tree.map(lambda v: rate * jnp.where(v > 0, jax.lax.rsqrt(v + eps), 0.0), state.sum_of_squares)

    return StepSize(compute, elementwise=True)


def plain(learning_rate: LearningRate) -> StepSize:
    """The learning rate alone, whatever the optimizer: a threshold `lr * s`, as in many published recipes.

    Under any optimizer but gradient descent this is **not** the penalized problem: with momentum `mu` the solution
    is that of strength `s (1 - mu)`, and under Adam of no fixed strength. Use it to reproduce such a recipe.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`.

    Returns:
      A `StepSize` that is one scalar.

    Example:
      >>> plain(0.1).elementwise
      False
    """
    _check_rate("stepsizes.plain", learning_rate)
    return StepSize(lambda state, count: jnp.asarray(at_step(learning_rate, count), jnp.float32), False, is_exact=False)


def _states(kind: Any, state: Any) -> list[Any]:
    """The states of one kind inside the state of an optimizer."""

    def is_kind(node: Any) -> bool:
        return isinstance(node, kind)

    return [node for node in jax.tree.leaves(state, is_leaf=is_kind) if is_kind(node)]


def _only(name: str, kind: Any, state: Any) -> Any:
    found = _states(kind, state)
    if len(found) != 1:
        raise ValueError(
            f"{name}: the wrapped optimizer must hold one {kind.__name__}, found {len(found)}; the step is known for "
            "SGD with or without momentum, Adam and AdamW, RMSProp and Adagrad"
        )
    return found[0]


def _check_rate(name: str, learning_rate: LearningRate) -> None:
    if not callable(learning_rate):
        check_range(f"{name}: learning_rate", learning_rate, 0.0, low_open=True)
