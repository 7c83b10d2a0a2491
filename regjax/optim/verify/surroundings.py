"""Verifies on a few numbers that the transforms around a penalty in an optimizer do not change its effect.

`regularize` sees what it wraps, but not what it is wrapped in: `optax.chain(optax.clip_by_global_norm(1.0),
regularize(...))` clips a gradient that does not vanish at the solution, and a scale after it moves weights off zero.
Here the whole optimizer is run with each penalty replaced by a known change (the argument `PROBE` of `update`), which
has to arrive unchanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.core.tree import is_weight_leaf
from regjax.core.typing import ArrayLike, PyTree, Value
from regjax.optim.applied_penalties import (
    CountState,
    ProjectState,
    RegularizeState,
    applied_penalties,
    with_extra_arguments,
)
from regjax.optim.stepsizes.base import states
from regjax.optim.verify.step import WAY_OUT
from regjax.optim.verify.trial import CannotJudge, Plan, named_weights, run, small_like

# Given this argument of `update`, a `Probe`, penalties and projections return a known change instead of their own.
PROBE = "regjax_probe"


class Probe(NamedTuple):
    """The known changes: a proximal penalty gives `gain * gradient + shift * ramp`, a decay adds `shift * ramp` to the
    update, a coupled penalty adds `pull * ramp` to the gradient, and a projection gives `scale * update`.
    """

    gain: float
    shift: float
    pull: float
    scale: float


_GAIN = -0.5
_STEPS = 4
_MICRO_STEPS = 256  # more than gradients are accumulated over
# Trials: gradients of two sizes, non-zero weights, late counts.
_SIZES = np.array([1.0, 1e6, 1.0, 1e3, 1e3, 1e3])
_WEIGHTS = np.array([0, 0, 3, 0, 0, 0], np.float32)
_COUNTS = np.array([0, 0, 0, 1000, 10_000, 1_000_000], np.int32)
_MODERATE = _SIZES < 1e4
_TOLERANCE = 5e-3


def check_optimizer(tx: optax.GradientTransformation | optax.MultiSteps, params: PyTree) -> None:
    """Refuse an optimizer in which another transform changes the effect of a penalty.

    `rj.make_step`, and whatever trains with it, calls this. In a loop of your own, call it once, because
    `rj.regularize` cannot see the transforms around it.

    Args:
      tx: the complete optimizer, as the loop uses it.
      params: parameters of the intended structure; their values do not matter.

    Raises:
      ValueError: a proximal penalty after clipping, or with anything else that changes its gradient or its update; a
        decay beside `optax.MultiSteps`; `rj.add_penalty` after the step; an optimizer that cannot be verified.

    Example:
      >>> from regjax import stepsizes
      >>> from regjax.penalties import l1
      >>> from regjax.optim.penalized import regularize
      >>> lasso = regularize(optax.sgd(0.1), l1(0.1), mode="proximal", stepsize=stepsizes.sgd(0.1))
      >>> check_optimizer(lasso, {"w": np.ones((2, 3))})
      >>> check_optimizer(optax.chain(optax.clip(1.0), lasso), {"w": np.ones((2, 3))})
      Traceback (most recent call last):
      ...
      ValueError: optimizer: the gradient is changed before the proximal penalty, or its update afterwards (w), ...
    """
    tx = with_extra_arguments(tx)
    small = small_like(params)
    state = jax.eval_shape(tx.init, small)
    applied_modes = {applied.mode for applied in applied_penalties(state)}
    modes = applied_modes - {"coupled"}
    if not applied_modes:
        return
    if modes:
        _check_accumulation(state)
    accumulates = bool(states(optax.MultiStepsState, state))
    leaves = named_weights(small)
    gradients = [_gradients(leaf, accumulates) for leaf in leaves.values()]
    plan = Plan(_WEIGHTS, _COUNTS, np.ones(gradients[0].shape[1], np.int32), gradients)

    def updates(shift: float, pull: float = 0.0, scale: float = 1.0) -> dict[str, np.ndarray]:
        extra: dict[str, Value] = {PROBE: Probe(_GAIN, shift, pull, scale)}
        return run(tx, small, plan, lambda *_: jnp.float32(0), **extra).updates

    if not modes:
        # An optimizer that needs more than gradients, as a line search does, may have a penalty in the gradient.
        with contextlib.suppress(CannotJudge):
            _check_downhill(updates(0.0), updates(0.0, 1.0), {name: _ramp(leaf) for name, leaf in leaves.items()})
        return

    def run_trials(shift: float, scale: float = 1.0) -> dict[str, np.ndarray]:
        try:
            return updates(shift, scale=scale)
        except CannotJudge as error:
            raise ValueError(
                f"optimizer: it cannot be tried whether its penalty is left alone ({error}); put such a transform "
                f"inside rj.regularize, or leave it out. {WAY_OUT}"
            ) from None

    without, shifted = run_trials(0.0), run_trials(1.0)
    # Leaves that the shift does not reach have no penalty: they are in another part of a partition, or frozen.
    penalized = [name for name in without if np.any(shifted[name] != without[name])]
    if not penalized:
        within = f" within {_MICRO_STEPS} micro-steps" if accumulates else ""
        raise ValueError(f"optimizer: its penalty reaches none of the parameters{within}. {WAY_OUT}")
    moving = {name for name in without if np.any(without[name])}
    for name, gradient in zip(without, gradients, strict=True):
        if name not in penalized:
            continue
        if "proximal" in modes and not (
            _passes(without[name], _GAIN * gradient, accumulates)
            and _passes(shifted[name], _GAIN * gradient + _ramp(leaves[name]), accumulates)
        ):
            raise ValueError(
                "optimizer: the gradient is changed before the proximal penalty, or its update afterwards "
                f"({name}), so that it does not rest at the solution. Clip with rj.regularize(..., clip_mapping=), "
                f"scale by the learning rate inside, accumulate with optax.MultiSteps around it. {WAY_OUT}"
            )
        moved = (shifted[name] - without[name])[_MODERATE]
        # If nothing moves at all, the learning rate is probably 0 at present.
        if moving and name not in moving and gradient.size:
            raise ValueError(
                f"optimizer: it leaves {name} where it is, but the decay moves it; leave such parameters out by "
                "rj.add_decay(penalty(..., where=...)), or use rj.regularize, which lets them rest"
            )
        if modes & {"decoupled", "independent"} and not _passes(
            moved, np.broadcast_to(_ramp(leaves[name]), moved.shape), accumulates
        ):
            raise ValueError(
                f"optimizer: something behind the decay changes it ({name}), so that its strength is another; put the "
                f"decay last. {WAY_OUT}"
            )
    if states(ProjectState, state):
        _check_projected(shifted, run_trials(0.0, scale=2.0), run_trials(1.0, scale=2.0), without)


def _check_projected(
    shifted: dict[str, np.ndarray],
    doubled: dict[str, np.ndarray],
    both: dict[str, np.ndarray],
    without: dict[str, np.ndarray],
) -> None:
    """Refuse a projection before a penalty: what the projection doubles must include what the penalty adds."""
    for name, base in without.items():
        covered = np.any(doubled[name] != base)
        if covered and not np.allclose(both[name][_MODERATE], 2 * shifted[name][_MODERATE], rtol=_TOLERANCE, atol=0):
            raise ValueError(
                f"optimizer: rj.project stands before a penalty ({name}), which may leave the constraint; put it last"
            )


def _check_downhill(
    without: dict[str, np.ndarray], pulled: dict[str, np.ndarray], ramps: dict[str, np.ndarray]
) -> None:
    """Refuse an optimizer that adds the gradient of a penalty to the update with its own sign: weights would grow."""
    for name, ramp in ramps.items():
        moved = (pulled[name] - without[name])[0] * ramp
        if ramp.size and np.all(moved.real.reshape(len(moved), -1).sum(axis=1) > 0):
            raise ValueError(
                f"optimizer: rj.add_penalty behind the step moves {name} against its penalty, uphill; put it before "
                "the optimizer, as optax.chain(rj.add_penalty(penalty), tx)"
            )


def _gradients(leaf: np.ndarray, accumulates: bool) -> np.ndarray:
    """Gradients of all trials for one leaf; the last ones differ, unless gradients are averaged."""
    entries = np.where(np.arange(leaf.size) % 2, -1.0, 1.0) * (1 + np.arange(leaf.size) % 3)
    constant = _SIZES.reshape(-1, 1, *[1] * leaf.ndim) * entries.reshape(leaf.shape)
    gradients = np.repeat(constant, _MICRO_STEPS if accumulates else _STEPS, axis=1)
    if not accumulates:
        gradients[:, -1] *= -2
    return gradients.astype(leaf.dtype)


def answer(probe: Probe, mode: str, gradients: PyTree, acts: Sequence[bool]) -> PyTree:
    """The result of a penalty transform in place of its update, while its surroundings are verified.

    Args:
      probe: the known changes.
      mode: mode of the penalty.
      gradients: the gradients or updates that the transform receives.
      acts: a mask of the leaves on which the penalty acts.
    """
    gain = probe.gain if mode == "proximal" else 1.0
    shift = probe.pull if mode == "coupled" else probe.shift
    leaves, treedef = jax.tree.flatten(gradients)
    answered = [
        (gain * g + shift * act * _ramp(g)).astype(g.dtype) if is_weight_leaf(g) else g
        for g, act in zip(leaves, acts, strict=True)
    ]
    return jax.tree.unflatten(treedef, answered)


def _ramp(leaf: ArrayLike) -> np.ndarray:
    """Positive numbers that differ between entries, so that subtracting their mean is detected."""
    return (1 + 0.5 * (np.arange(np.size(leaf)) % 3)).reshape(np.shape(leaf)).astype(np.float32)


def _passes(update: np.ndarray, expected: np.ndarray, accumulates: bool) -> bool:
    """Whether every update is the expected one, or 0 while gradients are accumulated."""
    good = np.abs(update - expected) <= _TOLERANCE * np.abs(expected)
    if accumulates:
        good |= update == 0
    return bool(np.all(good))


def _check_accumulation(state: PyTree) -> None:
    """Refuse a decay beside `optax.MultiSteps`: it would act in every micro-step."""
    nodes = states(optax.MultiStepsState | CountState | RegularizeState, state)
    outside = [node for node in nodes if isinstance(node, CountState | RegularizeState)]
    if len(outside) < len(nodes) and any(node.applied.mode != "coupled" for node in outside):
        raise ValueError(
            "optimizer: a penalty beside optax.MultiSteps acts in every micro-step; use "
            "optax.MultiSteps(optax.chain(tx, penalty), k)"
        )
