"""Penalties as optax transforms: coupled, decoupled, independent and proximal.

| mode | effect of a penalty `P` in one update | same as |
|---|---|---|
| `loss` | `P` is part of the loss (`regjax.build_loss`), not a transform | |
| `coupled` | gradient of `P` added to the gradient before the optimizer | `loss`, step by step |
| `decoupled` | `lr * grad P` subtracted after the optimizer | `optax.adamw(weight_decay=2 s)` for `l2(s)` |
| `independent` | `shape * grad P` subtracted after the optimizer, not scaled by the base learning rate | |
| `proximal` | the proximal map of `P` after the optimizer, in the optimizer's own metric | exact zeros |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from regjax.core.tree import check_arrays, check_same_leaves, is_weight_leaf, leaf_names, uphill
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree, Value
from regjax.optim.applied_penalties import CountState, ProjectState, acting_leaves, applied_penalty
from regjax.optim.stepsizes import LearningRate, at_step
from regjax.optim.verify import PROBE, answer
from regjax.penalties import Penalty, check_penalty_mode
from regjax.penalties.constraints import Constraint


@dataclasses.dataclass(frozen=True)
class BaseAndShape:
    """A learning rate as base and shape: `base * shape(count)`. Usable wherever optax takes a schedule.

    Attributes:
      base: the peak learning rate; a number or a traced array.
      shape: a relative schedule, as `optax.cosine_decay_schedule(1.0, steps)`; None is constant 1.

    Example:
      >>> rate = BaseAndShape(0.1, lambda count: 0.5)
      >>> rate(3)
      0.05
    """

    base: ArrayLike
    shape: Callable[[Numeric], Numeric] | None = None

    def __call__(self, count: ArrayLike) -> Numeric:
        """The learning rate at update `count`."""
        return self.base * self.shape_at(count)

    def shape_at(self, count: ArrayLike) -> Numeric:
        """The shape at update `count`, without the base."""
        return 1.0 if self.shape is None else self.shape(count)


def add_penalty(penalty: Penalty) -> optax.GradientTransformation:
    """Add the gradient of a penalty to the updates: `g + grad P(w)`.

    Before an optimizer in `optax.chain` it is the coupled mode.

    Example:
      >>> from regjax.penalties import l2
      >>> tx = optax.chain(add_penalty(l2(0.5)), optax.sgd(0.1))
      >>> params = {"kernel": jnp.ones((1, 2))}
      >>> updates, _ = tx.update({"kernel": jnp.zeros((1, 2))}, tx.init(params), params)
      >>> updates["kernel"]
      Array([[-0.1, -0.1]], dtype=float32)
    """
    if not isinstance(penalty, Penalty):
        raise ValueError(f"add_penalty: expected a penalty, as rj.l2(0.01), got {penalty!r}")
    return _gradient_transform(penalty, "coupled", lambda count: 1.0)


def add_decay(
    penalty: Penalty, learning_rate: LearningRate, *, independent: bool = False
) -> optax.GradientTransformation:
    """Subtract the gradient of a penalty from finished updates: `u - lr(count) grad P(w)`.

    After an optimizer in `optax.chain` it is the decoupled mode.

    Args:
      penalty: any penalty with a gradient.
      learning_rate: a number, traced array or schedule. With `independent`, a number or a `BaseAndShape`.
      independent: scale by the schedule's shape alone: `u - shape(count) grad P(w)`.

    Unlike `regularize(tx, penalty, mode="decoupled")`, it cannot inspect the optimizer: `optax.MultiSteps` has to wrap
    the whole chain, and a `where` has to leave out what the optimizer does not move. `rj.check_optimizer` checks both.

    Raises:
      ValueError: `independent` with a schedule that is not a `BaseAndShape`.

    Example:
      >>> from regjax.penalties import l2
      >>> tx = optax.chain(optax.sgd(0.1), add_decay(l2(0.5), learning_rate=0.1))
    """
    if not independent:
        return _gradient_transform(penalty, "decoupled", lambda count: -at_step(learning_rate, count))
    check_independent(learning_rate)
    return _gradient_transform(penalty, "independent", lambda count: -shape_at(learning_rate, count))


def project(constraint: Constraint) -> optax.GradientTransformation:
    """Make every update satisfy a constraint: `u -> P(w + u) - w`, with the projection `P`.

    It goes last in `optax.chain`. Adding the update to the parameters rounds once more, so the constraint holds up to
    rounding; `rj.apply_constraints` after the update, as in `rj.make_step`, is exact. Parameters that the optimizer
    does not move are projected too, unless the `where` of the constraint leaves them out. The projection is Euclidean:
    with an optimizer that scales entries differently, as Adam does, `rj.max_norm` holds, but the fixed point need not
    be the constrained minimum.

    Args:
      constraint: from `rj.max_norm`, `rj.unit_norm`, `rj.non_negative`, `rj.box`.

    Raises:
      ValueError: `update` was called without `params`.

    Example:
      >>> from regjax.penalties.constraints import non_negative
      >>> tx = optax.chain(optax.sgd(1.0), project(non_negative()))
      >>> params = {"kernel": jnp.ones((1, 2))}
      >>> updates, _ = tx.update({"kernel": jnp.array([[0.5, 3.0]])}, tx.init(params), params)
      >>> optax.apply_updates(params, updates)["kernel"]
      Array([[0.5, 0. ]], dtype=float32)
    """

    def update(
        updates: PyTree, state: optax.OptState, params: PyTree | None = None, **extra: Value
    ) -> tuple[PyTree, optax.OptState]:
        if PROBE in extra:
            return jax.tree.map(lambda u: scaled(extra[PROBE].scale, u), updates), state
        if params is None:
            raise ValueError("project needs the parameters: call update(grads, state, params)")
        target = constraint.project(optax.apply_updates(params, updates))
        return jax.tree.map(lambda z, w, u: z - w if is_weight_leaf(w) else u, target, params, updates), state

    def scaled(factor: float, update: Array) -> Array:
        return (factor * update).astype(update.dtype) if is_weight_leaf(update) else update

    return optax.GradientTransformationExtraArgs(lambda params: ProjectState(), update)


def _gradient_transform(penalty: Penalty, mode: str, scale: Callable[[Array], Numeric]) -> optax.GradientTransformation:
    """`updates + scale(count) * grad P(params)`."""
    check_penalty_mode(penalty, mode)
    applied = applied_penalty(mode, penalty)

    def init(params: PyTree) -> CountState:
        check_arrays(mode, params)
        return CountState(jnp.zeros([], jnp.int32), applied)

    def update(
        updates: PyTree, state: CountState, params: PyTree | None = None, **extra: Value
    ) -> tuple[PyTree, CountState]:
        if PROBE in extra:
            return answer(extra[PROBE], mode, updates, acting_leaves(penalty, params)), state
        if params is None:
            raise ValueError(f"{mode} penalties need the parameters: call update(grads, state, params)")
        check_same_leaves("update: the gradient", updates, params)
        updates = add_gradient(updates, penalty, scale(state.count), params, state.count)
        return updates, CountState(optax.safe_increment(state.count), applied)

    return optax.GradientTransformationExtraArgs(init, update)


def add_gradient(
    updates: PyTree, penalty: Penalty, factor: Numeric, params: PyTree, step: Array, frozen: tuple[str, ...] = ()
) -> PyTree:
    """`updates + factor * grad P(params)`; frozen leaves, counters and keys are returned unchanged."""
    leaves, treedef = jax.tree.flatten(params)
    acts = [is_weight_leaf(w) and name not in frozen for w, name in zip(leaves, leaf_names(params), strict=True)]
    weights = [i for i, act in enumerate(acts) if act]

    def value(changing: list[Array]) -> Array:
        replaced = dict(zip(weights, changing, strict=True))
        full = [replaced.get(i, leaf) for i, leaf in enumerate(leaves)]
        return penalty.value(jax.tree.unflatten(treedef, full), step)

    gradient = dict(zip(weights, uphill(jax.grad(value)([jnp.asarray(leaves[i]) for i in weights])), strict=True))
    flat, structure = jax.tree.flatten(updates)
    out = [u + (factor * gradient[i]).astype(u.dtype) if i in gradient else u for i, u in enumerate(flat)]
    return jax.tree.unflatten(structure, out)


def shape_at(learning_rate: LearningRate | None, count: Array) -> Numeric:
    """The shape of a learning rate, without its base, at update `count`."""
    return learning_rate.shape_at(count) if isinstance(learning_rate, BaseAndShape) else 1.0


def check_independent(learning_rate: LearningRate) -> None:
    """Refuse a learning rate that cannot be split into base and shape."""
    if callable(learning_rate) and not isinstance(learning_rate, BaseAndShape):
        raise ValueError(
            "independent: a schedule cannot be taken apart into base and shape; "
            "give learning_rate=rj.BaseAndShape(base, shape) or a number"
        )
