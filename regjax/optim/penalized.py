"""`regularize`, which makes an optimizer also minimize a penalty, and checks that it does."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from regjax.catalog import PENALTY_MODES
from regjax.core.checks import check_choice, check_range
from regjax.core.tree import check_arrays, check_same_leaves, is_weight_leaf, leaf_names
from regjax.core.typing import Array, ArrayLike, Numeric, PenaltyMode, PyTree, Value
from regjax.optim.applied_penalties import RegularizeState, acting_leaves, applied_penalty, with_extra_arguments
from regjax.optim.stepsizes import LearningRate, StepSize, current
from regjax.optim.stepsizes.base import states
from regjax.optim.transforms import add_gradient, check_independent, shape_at
from regjax.optim.verify import (
    PROBE,
    WAY_OUT,
    CannotJudge,
    answer,
    check_follows,
    check_moves,
    generic,
    ignored,
    initial_state,
    small_like,
)
from regjax.penalties import Penalty, check_penalty_mode


def regularize(
    tx: optax.GradientTransformation,
    penalty: Penalty,
    *,
    mode: PenaltyMode,
    learning_rate: LearningRate | None = None,
    stepsize: StepSize | None = None,
    clip_mapping: ArrayLike | None = None,
    check_step: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Make an optimizer also minimize a penalty; the mode says how (see the table in `regjax.optim.transforms`).

    Leaves that `tx` never moves (`optax.set_to_zero` in a partition, `optax.freeze`) stay unchanged in every mode.

    **The transforms around the result matter too, but are not visible here.** `optax.clip_by_global_norm` before a
    proximal penalty, or a scale after it, solves another problem. `rj.make_step` checks this; in a loop of your own,
    call `rj.check_optimizer(tx, params)` once.

    Args:
      tx: any optax optimizer, with its learning rate.
      penalty: the penalty to add.
      mode: `"coupled"`, `"decoupled"`, `"independent"` or `"proximal"`.
      learning_rate: that of `tx`, with everything that scales its updates; for decoupled and independent (a number or
        `BaseAndShape` for the latter). Inside `optax.inject_hyperparams`, the value in the state of `tx` is used.
      stepsize: that of `tx`; for proximal: `rj.stepsizes.sgd(lr, momentum)`, `rj.stepsizes.adam(lr, b2, eps)`, ...
      clip_mapping: for proximal: largest global norm of the proximal gradient mapping `(w - z) / T`, where `z` is `w`
        after one update with step `T`. Unlike the gradient of the data loss, it vanishes at the solution.
      check_step: whether to verify on a few numbers that `tx` takes this step (`regjax.optim.verify`), both here and
        in `init`, for the structure of the parameters. Traced numbers are verified up to one factor. With False,
        neither the zeros nor the solution are guaranteed, and leaves that `tx` does not move are penalized.

    Returns:
      A transform whose `update` needs `params`.

    Raises:
      ValueError: an unknown mode, a missing or misplaced argument; a step that is not that of `tx`, or that cannot be
        verified; proximal or decoupled around `optax.MultiSteps`, `optax.apply_if_finite` and similar wrappers (use
        `optax.MultiSteps(regularize(...))` instead); coupled around a line search.

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
    check_choice("mode", mode, PENALTY_MODES)
    if mode == "loss":
        raise ValueError("mode 'loss' is not a transform: give the penalty to rj.build_loss")
    _check_arguments(mode, learning_rate, stepsize, clip_mapping)
    check_penalty_mode(penalty, mode)
    if stepsize is not None and stepsize.elementwise:
        leafwise_kinds = [term.kind for term in penalty.flat() if not term.elementwise]
        if leafwise_kinds:
            raise ValueError(
                f"proximal {leafwise_kinds[0]} needs one step for a whole leaf, this optimizer has one an entry; "
                "use sgd, momentum or nesterov, or rj.stepsizes.plain(learning_rate) for what it is"
            )
    tx = with_extra_arguments(tx)

    verdicts: dict[Hashable, tuple[str, ...]] = {}

    def judge(params: PyTree) -> tuple[str, ...]:
        """The leaves that `tx` does not move; raises if the penalty does not fit `tx`."""
        small = small_like(params)
        shapes, small_shapes = (tuple(map(np.shape, jax.tree.leaves(tree))) for tree in (params, small))
        structure = jax.tree.structure(small), shapes
        if structure not in verdicts:
            verdicts[structure] = judge_small(small)
            if check_step and mode != "coupled" and shapes != small_shapes:
                _check_size(tx, params, small)
        return verdicts[structure]

    def judge_small(params: PyTree) -> tuple[str, ...]:
        _check_wrapped(initial_state(tx, params), mode)
        if not check_step or mode == "coupled":
            return ()
        if stepsize is not None:
            return check_follows(tx, stepsize, params)
        assert learning_rate is not None
        return check_moves(tx, learning_rate, params, scales=mode == "decoupled")

    # Some optimizers (as with labels by leaf name) can only be judged in `init`, which has the parameters.
    with contextlib.suppress(CannotJudge):
        judge(generic())

    def init(params: PyTree) -> RegularizeState:
        check_arrays("regularize", params)
        for term in penalty.flat():
            term.leaf_mask(params)  # raises if it selects no leaf
        inner = tx.init(params)
        try:
            frozen = judge(params)
        except CannotJudge as error:
            raise ValueError(
                f"regularize: it cannot be tried on numbers what this optimizer does ({error}), so mode {mode!r} might "
                f"solve another problem. Mode 'loss' needs no such knowledge. {WAY_OUT}"
            ) from None
        return RegularizeState(jnp.zeros([], jnp.int32), applied_penalty(mode, penalty)._replace(frozen=frozen), inner)

    def update(
        updates: PyTree, state: RegularizeState, params: PyTree | None = None, **extra: Value
    ) -> tuple[PyTree, RegularizeState]:
        if PROBE in extra:
            answered = answer(extra[PROBE], mode, updates, acting_leaves(penalty, params, state.applied.frozen))
            if mode != "coupled":
                return answered, state
            updates, inner = tx.update(answered, state.inner, params, **extra)
            return updates, state._replace(inner=inner)
        if params is None:
            raise ValueError(f"{mode} penalties need the parameters: call update(grads, state, params)")
        check_same_leaves("update: the gradient", updates, params)
        count, frozen = state.count, state.applied.frozen
        if mode == "coupled":
            updates, extra = _with_penalty(updates, extra, penalty, params, count)
        updates, inner = tx.update(updates, state.inner, params, **extra)
        if mode == "proximal":
            assert stepsize is not None
            step = stepsize.compute(inner, count, params)
            updates = _proximal(updates, penalty, params, step, count, frozen, clip_mapping)
        elif mode == "decoupled":
            assert learning_rate is not None
            rate = current("learning_rate", learning_rate, inner, count)
            updates = add_gradient(updates, penalty, -rate, params, count, frozen)
        elif mode == "independent":
            updates = add_gradient(updates, penalty, -shape_at(learning_rate, count), params, count, frozen)
        return updates, RegularizeState(optax.safe_increment(count), state.applied, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _proximal(
    updates: PyTree,
    penalty: Penalty,
    params: PyTree,
    step: PyTree,
    count: Array,
    frozen: tuple[str, ...],
    clip_mapping: ArrayLike | None,
) -> PyTree:
    """Updates that end in the proximal map of the penalty."""
    target = penalty.prox(optax.apply_updates(params, updates), step, count)
    is_kept = _tree_like(params, [not is_weight_leaf(w) or name in frozen for name, w in _named(params)])
    # Zeros survive the round trip: w + (0 - w) is exactly 0.
    moves = jax.tree.map(lambda z, w, u, keep: u if keep else z - w, target, params, updates, is_kept)
    if clip_mapping is None:
        return moves
    if jax.tree_util.treedef_is_leaf(jax.tree.structure(step)):
        step = jax.tree.map(lambda _: step, params)
    squares = jax.tree.map(lambda m, t, keep: 0.0 if keep else _square_norm(m, t), moves, step, is_kept)
    norm = jnp.sqrt(sum(jax.tree.leaves(squares), start=jnp.float32(0.0)))
    # Scaled only if it is too long, so that zeros stay exact at the end.
    scale = jnp.where(norm > clip_mapping, clip_mapping / jnp.where(norm > 0, norm, 1.0), 1.0)
    return jax.tree.map(lambda m, keep: m if keep else (m * scale).astype(m.dtype), moves, is_kept)


def _square_norm(move: Array, step: Numeric) -> Array:
    """`sum (move / step)^2`; entries with step 0 do not move."""
    step = jnp.asarray(step)
    return jnp.sum(jnp.square(jnp.abs(jnp.where(step > 0, move / jnp.where(step > 0, step, 1.0), 0.0))))


def _with_penalty(
    grads: PyTree, extra: dict[str, Value], penalty: Penalty, params: PyTree, count: Array
) -> tuple[PyTree, dict[str, Value]]:
    """The gradient and the extra arguments of `update`, as if the penalty were part of the loss."""

    def penalized(grads: PyTree, params: PyTree) -> PyTree:
        return add_gradient(grads, penalty, 1.0, params, count)

    extra = dict(extra)
    if extra.get("value") is not None:
        extra["value"] = extra["value"] + penalty.value(params, count)
    if extra.get("grad") is not None:
        extra["grad"] = penalized(extra["grad"], params)
    if extra.get("value_fn") is not None:
        value_fn = extra["value_fn"]
        extra["value_fn"] = lambda p, *args, **kwargs: value_fn(p, *args, **kwargs) + penalty.value(p, count)
    if extra.get("grad_fn") is not None:
        grad_fn = extra["grad_fn"]
        extra["grad_fn"] = lambda p, *args, **kwargs: penalized(grad_fn(p, *args, **kwargs), p)
    return penalized(grads, params), extra


def _named(params: PyTree) -> list[tuple[str, PyTree]]:
    return list(zip(leaf_names(params), jax.tree.leaves(params), strict=True))


def _tree_like(params: PyTree, values: list[PyTree]) -> PyTree:
    return jax.tree.unflatten(jax.tree.structure(params), values)


_OTHER_WAY_ROUND = (optax.MultiStepsState, optax.ApplyIfFiniteState, optax.ConditionallyTransformState)
_SCALES = (optax.contrib.ReduceLROnPlateauState,)
_AVERAGES = (optax.contrib.ScheduleFreeState,)
_LINE_SEARCHES = (optax.ScaleByBacktrackingLinesearchState, optax.ScaleByZoomLinesearchState)


def _check_wrapped(state: optax.OptState, mode: str) -> None:
    """Refuse optimizers whose state shows that the penalty would not act as it should."""

    def first(kinds: PyTree) -> PyTree:
        return next((type(node).__name__ for node in states(kinds, state)), None)

    if mode == "coupled":
        if name := first(_LINE_SEARCHES):
            raise ValueError(
                f"regularize: a line search ({name}) keeps values and gradients for the next update, which would be "
                "penalized twice; put the penalty into the loss (rj.build_loss, mode 'loss')"
            )
        return
    if name := first(_OTHER_WAY_ROUND):
        raise ValueError(
            f"regularize: around this optimizer ({name}) mode {mode!r} would act also where it makes no update; wrap "
            "the other way round: use MultiSteps(regularize(tx, ...)), apply_if_finite(regularize(tx, ...), ...)"
        )
    if name := first(_AVERAGES):
        raise ValueError(
            f"regularize: this optimizer trains one set of weights and evaluates an average of others ({name}), on "
            f"which mode {mode!r} does not act; put the penalty into the loss (rj.build_loss, mode 'loss')"
        )
    if name := first(_SCALES):
        raise ValueError(
            f"regularize: this optimizer scales its updates by a number of its own ({name}), which mode {mode!r} does "
            "not follow; change the learning rate by optax.inject_hyperparams instead"
        )


def _check_size(tx: optax.GradientTransformation, params: PyTree, small: PyTree) -> None:
    """Refuse an optimizer for which other leaves rest than with the small parameters used for verification."""
    if not states((optax.PartitionState, optax.MaskedState), initial_state(tx, small)):
        return  # all leaves are treated alike
    differ = sorted(set(ignored(tx, params)) ^ set(ignored(tx, small)))
    if differ:
        raise ValueError(
            f"regularize: whether this optimizer moves {', '.join(differ[:5])} depends on the size of the leaves; "
            f"choose what rests by name or rank. {WAY_OUT}"
        )


def _check_arguments(
    mode: str, learning_rate: LearningRate | None, stepsize: StepSize | None, clip_mapping: ArrayLike | None
) -> None:
    needed = {"coupled": None, "proximal": "stepsize"}.get(mode, "learning_rate")
    arguments = {"learning_rate": learning_rate, "stepsize": stepsize}
    for name, value in arguments.items():
        if name == needed and value is None:
            raise ValueError(f"mode {mode!r} needs {name}=")
        if name != needed and value is not None:
            raise ValueError(f"mode {mode!r} does not take {name}=")
    if stepsize is not None and not isinstance(stepsize, StepSize):
        raise ValueError(f"stepsize must be one of rj.stepsizes, as rj.stepsizes.sgd(lr), got {stepsize!r}")
    if learning_rate is not None and not callable(learning_rate):
        check_range("regularize: learning_rate", learning_rate, 0.0, low_open=True)
    if learning_rate is not None and mode == "independent":
        check_independent(learning_rate)
    if clip_mapping is not None:
        if mode != "proximal":
            raise ValueError(f"mode {mode!r} does not take clip_mapping=; put optax.clip_by_global_norm before it")
        check_range("regularize: clip_mapping", clip_mapping, 0.0, low_open=True)
