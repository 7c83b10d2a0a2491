"""Penalties as optax transforms: coupled, decoupled, independent and proximal.

| mode | what happens to a penalty `P` in one update | same as |
|---|---|---|
| `loss` | `P` is part of the loss (`regjax.build_loss`), not a transform | |
| `coupled` | gradient of `P` added to the gradient before the optimizer | `loss`, step by step |
| `decoupled` | `lr * grad P` subtracted after the optimizer | `optax.adamw(weight_decay=2 s)` for `l2(s)` |
| `independent` | `shape * grad P` subtracted; the base learning rate does not scale it | |
| `proximal` | the proximal map of `P` after the optimizer, in the optimizer's own metric | exact zeros |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from regjax.checks import check_choice, check_range
from regjax.constraints import Constraint
from regjax.penalties import ROUTES, Penalty
from regjax.stepsizes import LearningRate, StepSize, at_step
from regjax.steptest import check_follows
from regjax.tree import Where, is_weight_leaf
from regjax.typing import Array, ArrayLike, PyTree

MODES = ROUTES


@dataclasses.dataclass(frozen=True)
class BaseAndShape:
    """A learning rate that can be taken apart: `base * shape(count)`. Wherever optax takes a schedule, so is this.

    Attributes:
      base: the peak learning rate; a number or a traced array.
      shape: a schedule without units, as `optax.cosine_decay_schedule(1.0, steps)`; None is constant 1.

    Example:
      >>> rate = BaseAndShape(0.1, lambda count: 0.5)
      >>> rate(3)
      0.05
    """

    base: ArrayLike
    shape: Callable[[Any], Any] | None = None

    def __call__(self, count: ArrayLike) -> Any:
        """The learning rate at update `count`."""
        return self.base * self.shape_at(count)

    def shape_at(self, count: ArrayLike) -> Any:
        """The shape alone at update `count`."""
        return 1.0 if self.shape is None else self.shape(count)


@jax.tree_util.register_static
class Route(NamedTuple):
    """How terms enter training: static, so it rides in the optimizer state without being an array."""

    mode: str
    terms: tuple[tuple[str, Where], ...]


class CountState(NamedTuple):
    """State of a penalty transform."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    route: Route  # static


class RegularizeState(NamedTuple):
    """State of `regularize` in proximal mode."""

    count: Array  # type: ignore[assignment]  # int32[]: updates so far
    route: Route  # static
    inner: optax.OptState  # of the wrapped optimizer


def add_penalty(penalty: Penalty) -> optax.GradientTransformation:
    """Add the gradient of a penalty to the updates: `g + grad P(w)`.

    Put before an optimizer in `optax.chain` it is the coupled mode.

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

    Put after an optimizer in `optax.chain` it is the decoupled mode.

    Args:
      penalty: what to decay; it must have a gradient.
      learning_rate: a number, traced array or schedule. With `independent`, a number or a `BaseAndShape`.
      independent: scale by the schedule's shape alone: `u - shape(count) grad P(w)`.

    Raises:
      ValueError: `independent` with a callable that cannot be taken apart into base and shape.

    Example:
      >>> from regjax.penalties import l2
      >>> tx = optax.chain(optax.sgd(0.1), add_decay(l2(0.5), learning_rate=0.1))
    """
    if not independent:
        return _gradient_transform(penalty, "decoupled", lambda count: -at_step(learning_rate, count))
    if isinstance(learning_rate, BaseAndShape):
        return _gradient_transform(penalty, "independent", lambda count: -learning_rate.shape_at(count))
    if callable(learning_rate):
        raise ValueError(
            "independent: a schedule cannot be taken apart into base and shape; "
            "give learning_rate=rj.BaseAndShape(base, shape) or a number"
        )
    return _gradient_transform(penalty, "independent", lambda count: -1.0)


def regularize(
    tx: optax.GradientTransformation,
    penalty: Penalty,
    *,
    mode: str,
    learning_rate: LearningRate | None = None,
    stepsize: StepSize | None = None,
    check_stepsize: bool = True,
) -> optax.GradientTransformation:
    """Make an optimizer that also minimizes a penalty; the mode says how (see the table of this module).

    Args:
      tx: any optax optimizer, learning rate included.
      penalty: what to add.
      mode: `"coupled"`, `"decoupled"`, `"independent"` or `"proximal"`.
      learning_rate: of `tx`; needed by decoupled and independent (there a number or `BaseAndShape`).
      stepsize: of `tx`; needed by proximal: `rj.stepsizes.sgd(lr, momentum)` or `rj.stepsizes.adam(lr, b2, eps)`.
      check_stepsize: whether to try out on a few numbers that `tx` takes this step (`regjax.steptest`), where its
        numbers are not traced.

    Returns:
      A transform whose `update` needs `params`.

    Raises:
      ValueError: an unknown mode, a missing or misplaced argument, a step that is not that of `tx`, or proximal around
        `optax.MultiSteps`
        (wrap the other way round: `optax.MultiSteps(regularize(...))`).

    Example:
      >>> from regjax import stepsizes
      >>> from regjax.penalties import l1
      >>> tx = regularize(optax.sgd(0.1), l1(1.0), mode="proximal", stepsize=stepsizes.sgd(0.1))
      >>> params = {"kernel": jnp.array([[0.05, 1.0]])}
      >>> updates, _ = tx.update({"kernel": jnp.zeros((1, 2))}, tx.init(params), params)
      >>> optax.apply_updates(params, updates)["kernel"]
      Array([[0. , 0.9]], dtype=float32)

    Reference:
      Loshchilov and Hutter, Decoupled weight decay regularization, 2019; Parikh and Boyd, Proximal
      algorithms, 2014.
    """
    check_choice("mode", mode, MODES)
    if mode == "loss":
        raise ValueError("mode 'loss' is not a transform: give the penalty to rj.build_loss")
    _check_arguments(mode, learning_rate, stepsize)
    check_route(penalty, mode)
    if stepsize is not None and stepsize.elementwise:
        whole = [term.kind for term in penalty.flat() if not term.elementwise]
        if whole:
            raise ValueError(
                f"proximal {whole[0]} needs one step for a whole leaf, this optimizer has one an entry; "
                "use sgd, momentum or nesterov, or rj.stepsizes.plain(learning_rate) for what it is"
            )
    if mode == "coupled":
        return optax.chain(add_penalty(penalty), tx)
    if mode == "proximal":
        assert stepsize is not None
        if check_stepsize:
            check_follows(tx, stepsize)
        return _proximal(tx, penalty, stepsize)
    assert learning_rate is not None
    checked = optax.GradientTransformationExtraArgs(
        lambda params: _refuse_accumulation(tx.init(params), mode), optax.with_extra_args_support(tx).update
    )
    return optax.chain(checked, add_decay(penalty, learning_rate, independent=mode == "independent"))


def check_route(penalty: Penalty, mode: str) -> None:
    """Refuse a penalty on a route that it does not support: one without a gradient would silently do nothing.

    Raises:
      ValueError: names the term and the routes that it has.
    """
    for term in penalty.flat():
        if mode not in term.term_routes:
            raise ValueError(f"{term.kind} cannot be {mode}; accepted penalty_mode: {', '.join(term.term_routes)}")


def route_of(mode: str, penalty: Penalty) -> Route:
    """The route that a penalty takes in a mode."""
    terms = ((kind, term.static_where) for term in penalty.flat() for kind in term.components or (term.kind,))
    return Route(mode, tuple(terms))


def routes(opt_state: optax.OptState) -> tuple[Route, ...]:
    """The routes through which an optimizer applies penalties, read from its state."""

    def is_ours(node: Any) -> bool:
        return isinstance(node, CountState | RegularizeState)

    found: list[Route] = []
    for node in jax.tree.leaves(opt_state, is_leaf=is_ours):
        if is_ours(node):
            found.append(node.route)
            found.extend(routes(node.inner) if isinstance(node, RegularizeState) else ())
    return tuple(found)


def _gradient_transform(penalty: Penalty, mode: str, scale: Callable[[Array], Any]) -> optax.GradientTransformation:
    """`updates + scale(count) * grad P(params)`."""
    check_route(penalty, mode)
    route = route_of(mode, penalty)

    def init(params: PyTree) -> CountState:
        del params
        return CountState(jnp.zeros([], jnp.int32), route)

    def update(updates: PyTree, state: CountState, params: PyTree | None = None) -> tuple[PyTree, CountState]:
        if params is None:
            raise ValueError(f"{mode} penalties need the parameters: call update(grads, state, params)")
        factor = scale(state.count)
        updates = _add_gradient(updates, penalty, factor, params, state.count)
        return updates, CountState(optax.safe_increment(state.count), route)

    return optax.GradientTransformation(init, update)


def _add_gradient(updates: PyTree, penalty: Penalty, factor: Any, params: PyTree, step: Array) -> PyTree:
    """`updates + factor * grad P(params)`; leaves that are no weights (counters, keys) pass unchanged."""
    leaves, treedef = jax.tree.flatten(params)
    weights = [i for i, leaf in enumerate(leaves) if is_weight_leaf(leaf)]

    def value(changing: list[Array]) -> Array:
        replaced = dict(zip(weights, changing, strict=True))
        full = [replaced.get(i, leaf) for i, leaf in enumerate(leaves)]
        return penalty.value(jax.tree.unflatten(treedef, full), step)

    gradient = dict(zip(weights, jax.grad(value)([jnp.asarray(leaves[i]) for i in weights]), strict=True))
    flat, structure = jax.tree.flatten(updates)
    out = [u + (factor * gradient[i]).astype(u.dtype) if i in gradient else u for i, u in enumerate(flat)]
    return jax.tree.unflatten(structure, out)


def _refuse_accumulation(state: optax.OptState, mode: str) -> optax.OptState:
    """Raise if the wrapped optimizer accumulates gradients: the penalty would act on every mini-step."""

    def is_accumulator(node: Any) -> bool:
        return isinstance(node, optax.MultiStepsState)

    if any(is_accumulator(node) for node in jax.tree.leaves(state, is_leaf=is_accumulator)):
        raise ValueError(
            f"regularize(MultiSteps(tx), mode={mode!r}) would apply the penalty between accumulations; "
            "use MultiSteps(regularize(tx, ...))"
        )
    return state


def _proximal(tx: optax.GradientTransformation, penalty: Penalty, stepsize: StepSize) -> optax.GradientTransformation:
    tx = optax.with_extra_args_support(tx)
    route = route_of("proximal", penalty)

    def init(params: PyTree) -> RegularizeState:
        inner = _refuse_accumulation(tx.init(params), "proximal")
        return RegularizeState(jnp.zeros([], jnp.int32), route, inner)

    def update(
        updates: PyTree, state: RegularizeState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, RegularizeState]:
        if params is None:
            raise ValueError("proximal penalties need the parameters: call update(grads, state, params)")
        updates, inner = tx.update(updates, state.inner, params, **extra)
        moved = optax.apply_updates(params, updates)
        target = penalty.prox(moved, stepsize.compute(inner, state.count), state.count)
        # A zero survives the round trip: w + (0 - w) is exactly 0.
        updates = jax.tree.map(lambda new, old, u: new - old if is_weight_leaf(old) else u, target, params, updates)
        return updates, RegularizeState(optax.safe_increment(state.count), route, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def project(constraint: Constraint) -> optax.GradientTransformation:
    """End every update inside a constraint: `u -> P(w + u) - w`, with `P` the projection.

    Last in `optax.chain`. Adding the update to the parameters rounds once more, so the constraint holds to rounding;
    `rj.apply_constraints` after the update, as `rj.make_step` does, is exact.

    Args:
      constraint: from `rj.max_norm`, `rj.unit_norm`, `rj.non_negative`, `rj.box`.

    Raises:
      ValueError: `update` was called without `params`.

    Example:
      >>> from regjax.constraints import non_negative
      >>> tx = optax.chain(optax.sgd(1.0), project(non_negative()))
      >>> params = {"kernel": jnp.ones((1, 2))}
      >>> updates, _ = tx.update({"kernel": jnp.array([[0.5, 3.0]])}, tx.init(params), params)
      >>> optax.apply_updates(params, updates)["kernel"]
      Array([[0.5, 0. ]], dtype=float32)
    """

    def update(updates: PyTree, state: optax.EmptyState, params: PyTree | None = None) -> tuple[PyTree, Any]:
        if params is None:
            raise ValueError("project needs the parameters: call update(grads, state, params)")
        target = constraint.project(optax.apply_updates(params, updates))
        return jax.tree.map(lambda z, w, u: z - w if is_weight_leaf(w) else u, target, params, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _check_arguments(mode: str, learning_rate: LearningRate | None, stepsize: StepSize | None) -> None:
    wanted = {"coupled": None, "proximal": "stepsize"}.get(mode, "learning_rate")
    given = {"learning_rate": learning_rate, "stepsize": stepsize}
    for name, value in given.items():
        if name == wanted and value is None:
            raise ValueError(f"mode {mode!r} needs {name}=")
        if name != wanted and value is not None:
            raise ValueError(f"mode {mode!r} does not take {name}=")
    if stepsize is not None and not isinstance(stepsize, StepSize):
        raise ValueError(f"stepsize must be one of rj.stepsizes, as rj.stepsizes.sgd(lr), got {stepsize!r}")
    if learning_rate is not None and not callable(learning_rate):
        check_range("regularize: learning_rate", learning_rate, 0.0, low_open=True)
