"""Whether an optimizer takes the step that a `StepSize` computes, tried out on a few numbers.

With the step `T`, updates under a constant gradient `g` have to be `-T g`: then an optimizer rests exactly where the
penalized problem has its solution. It is tried with small and large gradients (clipping has no such step), with
weights 0 and 3 (decay adds the same to all, a trust ratio does not), at late updates (both schedules have to go on
alike), with a NaN in one gradient (an update that is skipped has no step), and with a gradient that changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optax

from regjax.core.typing import PyTree
from regjax.optim.stepsizes import LearningRate, StepSize, current
from regjax.optim.verify.injected import check_injected
from regjax.optim.verify.trial import CannotJudge, Plan, Record, named_weights, run, small_like

_TOLERANCE = 5e-3
# Updates between two looks: every early one, then up to a thousand.
_REPEATS = np.array([1, 1, 1, 1, 1, 1, 1, 64, 192, 768], np.int32)
_SPECIAL = 6  # where the NaN and the change come
# Trials: constant gradients of two sizes at weights 0 and 3, late counts, one NaN, a change.
_SIZES = (1e-2, 1e4, 1e-2, 1e2, 1e-2, 1e-2, 1e-2, 1e-2, 1e-2)
_WEIGHTS = np.array([0, 0, 3, 3, 0, 0, 0, 0, 0], np.float32)
_COUNTS = np.array([0, 0, 0, 0, 10_000, 30_000, 1_000_000, 0, 0], np.int32)
_CONSTANT, _WEIGHTED, _LATE, _NAN, _CHANGE = slice(0, 2), slice(2, 4), slice(4, 7), 7, 8
WAY_OUT = "check_step=False goes on unchecked: then the zeros and the solution are not promised"


def check_follows(tx: optax.GradientTransformation, stepsize: StepSize, params: PyTree) -> tuple[str, ...]:
    """Refuse an optimizer whose updates are not its (averaged) gradient times the step that is computed.

    Args:
      tx: the optimizer. Traced numbers in it are known up to one factor for all updates only.
      stepsize: what it is said to step.
      params: any parameters of the structure that it is for; their values do not matter.

    Returns:
      The names of the leaves that the optimizer never moves.

    Raises:
      CannotJudge: the optimizer cannot be called on numbers of our own.
      ValueError: the steps differ; the message names a leaf.

    Example:
      >>> from regjax import stepsizes
      >>> check_follows(optax.sgd(0.1), stepsizes.sgd(0.1), {"w": np.ones((2, 3))})
      ()
    """
    plan = _plan(small_like(params))
    record = run(tx, small_like(params), plan, stepsize.compute)
    if not stepsize.is_exact:
        return _frozen(record)
    frozen = _frozen(record)
    gradients = dict(zip(record.updates, plan.gradients, strict=True))
    factor = _factor(record, gradients, frozen) if record.is_traced else 1.0
    for name, gradient in gradients.items():
        if name not in frozen:
            reason = _differs(record.updates[name] / factor, record.measured[name], gradient)
            if reason:
                raise ValueError(
                    f"stepsize: on {name}, this optimizer does not take the step that it computes ({reason}), so the "
                    "proximal map would solve another problem; rj.make_optimizer gives an optimizer with its step, "
                    f"rj.stepsizes has those of SGD, Adam and their kin. {WAY_OUT}"
                )
    if record.is_traced:
        _check_traced(record, run(tx, small_like(params), plan, stepsize.compute, replaced=True))
    check_injected(tx, stepsize.compute, plan, small_like(params), is_step=True)
    return frozen


def _check_traced(one: Record, other: Record) -> None:
    """Refuse a step that stays where traced numbers, and with them the updates, are others."""
    changed = [
        any(np.any(first[name] != second[name]) for name in first)
        for first, second in ((one.updates, other.updates), (one.measured, other.measured))
    ]
    if changed == [True, False]:
        raise ValueError(
            "stepsize: the optimizer depends on a number that is traced here, as a rate of optax.inject_hyperparams, "
            f"and the step does not; give both the same one. {WAY_OUT}"
        )


def check_moves(
    tx: optax.GradientTransformation, learning_rate: LearningRate, params: PyTree, *, scales: bool = True
) -> tuple[str, ...]:
    """Refuse an optimizer that skips updates by itself, so that a decay beside it would not skip them.

    Args:
      tx: the optimizer.
      learning_rate: by which the decay is scaled.
      params: any parameters of the structure that it is for.
      scales: whether the decay is scaled by it, and so has to follow its changes.

    Returns:
      The names of the leaves that the optimizer never moves.

    Raises:
      CannotJudge: the optimizer cannot be called on numbers of our own.
      ValueError: it skips updates, or makes some that are not meant to lower the loss.

    Example:
      >>> check_moves(optax.sgd(0.1), 0.1, {"w": np.ones((2, 3))})
      ()
    """
    small = small_like(params)
    plan = _plan(small)

    def measure(state: PyTree, count: Any, params: PyTree) -> Any:
        del params
        return current("learning_rate", learning_rate, state, count)

    record = run(tx, small, plan, measure)
    frozen = _frozen(record)
    if scales:
        check_injected(tx, measure, plan, small, is_step=False)
    for place, (name, update) in enumerate(record.updates.items()):
        # Where a schedule has ended, nothing moves, and nothing decays either.
        moved = [
            bool(np.any(u != 0) or np.all(t == 0)) for u, t in zip(update[0], record.measured[name][0], strict=True)
        ]
        still = np.all(update[:_NAN] == 0, axis=(0, 1))
        if name not in frozen and np.any(still) and not np.all(still):
            raise ValueError(
                f"this optimizer moves some entries of {name} alone, and a penalty beside it would move all; give them "
                f"a leaf of their own, or put rj.add_penalty before it. {WAY_OUT}"
            )
        if name not in frozen and not all(moved[moved.index(True) if True in moved else 0 :]):
            raise ValueError(
                f"this optimizer leaves {name} where it is in some updates, and a penalty beside it would not; wrap "
                f"the other way round, or accumulate with optax.MultiSteps(rj.regularize(...)). {WAY_OUT}"
            )
        uphill = np.sum((update * np.conj(plan.gradients[place]))[1].real.reshape(len(_REPEATS), -1), axis=1)
        if record.is_traced and uphill[0] > 0:
            uphill = -uphill  # a stand-in may have the other sign
        if np.any(uphill > 0):
            raise ValueError(
                f"this optimizer moves {name} uphill in some updates, which are no steps of its own, and a penalty "
                f"beside it would act on them as well; wrap the other way round. {WAY_OUT}"
            )
    last = [update[_NAN, _SPECIAL] for name, update in record.updates.items() if name not in frozen]
    before = [update[_NAN, _SPECIAL - 1] for name, update in record.updates.items() if name not in frozen]
    if last and all(np.all(u == 0) for u in last) and any(np.any(u != 0) for u in before):
        raise ValueError(
            "this optimizer skips an update whose gradient is not finite, and a penalty beside it would not; wrap the "
            f"other way round: optax.apply_if_finite(rj.regularize(...), ...). {WAY_OUT}"
        )
    return frozen


def generic() -> PyTree:
    """Parameters of no particular model."""
    return {"kernel": np.zeros((2, 3), np.float32)}


def _plan(params: PyTree) -> Plan:
    gradients = []
    for place, leaf in enumerate(named_weights(params).values()):
        size = max(leaf.size, 1)
        # Sizes from 0.5 to 3 with both signs, different for each entry.
        entries = (0.5 + 2.5 * ((0.618034 * np.arange(1, size + 1)) % 1)) * np.where(np.arange(size) % 2, -1, 1)
        entries = entries[: leaf.size].reshape(leaf.shape)
        trials = np.asarray(_SIZES).reshape(-1, 1, *[1] * leaf.ndim) * entries
        trials = np.repeat(trials, len(_REPEATS), axis=1).astype(leaf.dtype)
        if place == 0 and leaf.size:
            trials[_NAN, _SPECIAL].flat[0] = np.nan
        # The change acts on a history that all entries share.
        trials[_CHANGE] = _SIZES[_CHANGE]
        trials[_CHANGE, _SPECIAL] *= entries
        gradients.append(trials)
    return Plan(_WEIGHTS, _COUNTS, _REPEATS, gradients)


def _frozen(record: Record) -> tuple[str, ...]:
    """Leaves without a single update although the step was positive."""
    still = [
        name
        for name, update in record.updates.items()
        if update.size and np.all(update[:_NAN] == 0) and np.any(record.measured[name][:_NAN] > 0)
    ]
    if still and len(still) == len(record.updates):
        raise CannotJudge(
            f"this optimizer moves none of the parameters ({', '.join(still[:5])}) in {_REPEATS.sum()} updates"
        )
    return tuple(still)


def _factor(record: Record, gradients: dict[str, np.ndarray], frozen: tuple[str, ...]) -> complex:
    """What separates updates from `-T g` where the numbers are stand-ins: one factor for all."""
    for name, gradient in gradients.items():
        expected = -(record.measured[name] * gradient)[0, 0]
        if name not in frozen and np.any(expected != 0):
            return complex(np.mean((record.updates[name][0, 0] / expected)[expected != 0])) or 1.0
    return 1.0


def _differs(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> str | None:
    """Why the updates of a leaf are not `-T g`; None if they are."""
    expected = -step * gradient
    if not _close(update[_CONSTANT], expected[_CONSTANT]):
        small, large = (_close(update[row], expected[row]) for row in (0, 1))
        if small and not large:
            return "large gradients are clipped; clip_mapping= clips what vanishes at the solution"
        return _sizes(update, expected)
    looks = [(update[_WEIGHTED, at], step[_WEIGHTED, at], gradient[_WEIGHTED, at]) for at in range(len(_REPEATS))]
    if not all(_is_decay(*look) for look in looks):
        return "it depends on the size of the weights"
    late = [_ratio(update[row, -1], expected[row, -1]) for row in range(_LATE.start, _LATE.stop)]
    known = [ratio for ratio in late if ratio is not None]
    if any(not np.allclose(ratio, known[0], rtol=_TOLERANCE, atol=0) for ratio in known):
        return "its learning rate changes in another way, or something scales what it gives"
    at = (_NAN, _SPECIAL)
    finite = np.isfinite(update[at]) & np.isfinite(gradient[at]) & (step[at] > 0)
    if not _close(update[at][finite], expected[at][finite]):
        return "it skips an update whose gradient is not finite; wrap that around regularize(...)"
    at = (_CHANGE, _SPECIAL)
    return None if _is_linear(update[at], step[at], gradient[at]) else "it is not linear in the gradient"


def _sizes(update: np.ndarray, expected: np.ndarray) -> str:
    """The first update that differs, in numbers."""
    row, at = next((r, s) for r in (0, 1) for s in range(len(_REPEATS)) if not _close(update[r, s], expected[r, s]))
    where = int(np.argmax(np.abs(update[row, at] - expected[row, at])))
    got, wanted = (np.real(values[row, at]).flat[where] for values in (update, expected))
    return f"update {_REPEATS[: at + 1].sum() - 1} moves {got:.3g} where the step gives {wanted:.3g}"


def _is_decay(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether `u + T g` at equal weights is `a + b T`: decay after the step, or through the gradient, or none."""
    rest, t = (update + step * gradient).ravel(), step.ravel()
    columns = np.stack([np.ones_like(t), t], axis=1)
    scale = np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-30)
    fitted = columns / scale @ np.linalg.lstsq(columns / scale, rest, rcond=1e-9)[0]
    return bool(np.all(np.abs(rest - fitted) <= _TOLERANCE * (np.abs(step * gradient).ravel() + 1e-3 * np.abs(rest))))


def _ratio(update: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Updates over expected ones, by entry; None where both are 0 (a schedule that has ended)."""
    if np.all(expected == 0) and np.all(update == 0):
        return None
    return update / np.where(expected == 0, np.nan, expected)


def _is_linear(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether `u / T` is a linear function of the last gradient, the same for all entries."""
    if update.size < 3 or np.any(step == 0):
        return True
    direction, g = (update / step).ravel(), gradient.ravel()
    slopes = (direction[1:] - direction[0]) / (g[1:] - g[0])
    return _close(slopes, np.full_like(slopes, slopes[0]))


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _TOLERANCE * np.abs(b)))


__all__ = ["WAY_OUT", "CannotJudge", "check_follows", "check_moves", "generic"]
