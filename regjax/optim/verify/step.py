"""Verifies on a few numbers that an optimizer takes the step that a `StepSize` computes.

With the step `T`, the updates for a constant gradient `g` must be `-T g`: only then does the optimizer rest at the
solution of the penalized problem. The trials use small and large gradients (clipping has no such step), weights 0 and 3
(decay adds the same to all, a trust ratio does not), late updates (both schedules have to continue alike), a NaN in one
gradient (a skipped update has no step), and a gradient that changes.
"""

from __future__ import annotations

import numpy as np
import optax

from regjax.core.typing import Array, PyTree
from regjax.optim.stepsizes import LearningRate, StepSize, current
from regjax.optim.verify.injected import check_injected
from regjax.optim.verify.trial import CannotJudge, Plan, Record, named_weights, run, small_like

_TOLERANCE = 5e-3
# Updates between two records: each of the first ones is recorded, then every 64 to 768.
_REPEATS = np.array([1, 1, 1, 1, 1, 1, 1, 64, 192, 768], np.int32)
_SPECIAL = 6  # record of the NaN and of the changed gradient
# Trials: constant gradients of two sizes at weights 0 and 3, late counts, one NaN, a change.
_SIZES = (1e-2, 1e4, 1e-2, 1e2, 1e-2, 1e-2, 1e-2, 1e-2, 1e-2)
_WEIGHTS = np.array([0, 0, 3, 3, 0, 0, 0, 0, 0], np.float32)
_COUNTS = np.array([0, 0, 0, 0, 10_000, 30_000, 1_000_000, 0, 0], np.int32)
_CONSTANT, _WEIGHTED, _LATE, _NAN, _CHANGE = slice(0, 2), slice(2, 4), slice(4, 7), 7, 8
WAY_OUT = "check_step=False goes on unchecked: then the zeros and the solution are not promised"


def check_follows(tx: optax.GradientTransformation, stepsize: StepSize, params: PyTree) -> tuple[str, ...]:
    """Refuse an optimizer whose updates are not its (averaged) gradient times the computed step.

    Args:
      tx: the optimizer. If it contains traced numbers, updates are verified only up to one common factor.
      stepsize: the step that it is supposed to take.
      params: any parameters of the intended structure; their values do not matter.

    Returns:
      The names of the leaves that the optimizer never moves.

    Raises:
      CannotJudge: the optimizer cannot be called on test values.
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


def _check_traced(record: Record, other: Record) -> None:
    """Refuse a step that stays the same when other traced numbers change the updates."""
    changed = [
        any(np.any(first[name] != second[name]) for name in first)
        for first, second in ((record.updates, other.updates), (record.measured, other.measured))
    ]
    if changed == [True, False]:
        raise ValueError(
            "stepsize: the optimizer depends on a number that is traced here, as a rate of optax.inject_hyperparams, "
            f"and the step does not; give both the same one. {WAY_OUT}"
        )


def check_moves(
    tx: optax.GradientTransformation, learning_rate: LearningRate, params: PyTree, *, scales: bool = True
) -> tuple[str, ...]:
    """Refuse an optimizer that skips some updates, because a decay beside it would not skip them.

    Args:
      tx: the optimizer.
      learning_rate: the learning rate that scales the decay.
      params: any parameters of the intended structure.
      scales: whether the learning rate scales the decay, which then has to follow its changes.

    Returns:
      The names of the leaves that the optimizer never moves.

    Raises:
      CannotJudge: the optimizer cannot be called on test values.
      ValueError: it skips updates, or makes some that do not aim at lowering the loss.

    Example:
      >>> check_moves(optax.sgd(0.1), 0.1, {"w": np.ones((2, 3))})
      ()
    """
    small = small_like(params)
    plan = _plan(small)

    def measure(state: PyTree, count: Array, params: PyTree) -> PyTree:
        del params
        return current("learning_rate", learning_rate, state, count)

    record = run(tx, small, plan, measure)
    frozen = _frozen(record)
    if scales:
        check_injected(tx, measure, plan, small, is_step=False)
    for index, (name, update) in enumerate(record.updates.items()):
        # When a schedule has ended, nothing moves and nothing decays.
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
        uphill = np.sum((update * np.conj(plan.gradients[index]))[1].real.reshape(len(_REPEATS), -1), axis=1)
        if record.is_traced and uphill[0] > 0:
            uphill = -uphill  # a stand-in may have the opposite sign
        if np.any(uphill > 0):
            raise ValueError(
                f"this optimizer moves {name} uphill in some updates, which are not steps of its own, and a penalty "
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
    for index, leaf in enumerate(named_weights(params).values()):
        size = max(leaf.size, 1)
        # Sizes from 0.5 to 3 with both signs, different for all entries.
        entries = (0.5 + 2.5 * ((0.618034 * np.arange(1, size + 1)) % 1)) * np.where(np.arange(size) % 2, -1, 1)
        entries = entries[: leaf.size].reshape(leaf.shape)
        trials = np.asarray(_SIZES).reshape(-1, 1, *[1] * leaf.ndim) * entries
        trials = np.repeat(trials, len(_REPEATS), axis=1).astype(leaf.dtype)
        if index == 0 and leaf.size:
            trials[_NAN, _SPECIAL].flat[0] = np.nan
        # All entries have the same history before the change.
        trials[_CHANGE] = _SIZES[_CHANGE]
        trials[_CHANGE, _SPECIAL] *= entries
        gradients.append(trials)
    return Plan(_WEIGHTS, _COUNTS, _REPEATS, gradients)


def _frozen(record: Record) -> tuple[str, ...]:
    """Leaves that never move although their step is positive."""
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
    """The common factor between updates and `-T g`, when stand-ins replace traced numbers."""
    for name, gradient in gradients.items():
        expected = -(record.measured[name] * gradient)[0, 0]
        if name not in frozen and np.any(expected != 0):
            return complex(np.mean((record.updates[name][0, 0] / expected)[expected != 0])) or 1.0
    return 1.0


def _differs(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> str | None:
    """The reason why the updates of a leaf are not `-T g`; None if they are."""
    expected = -step * gradient
    if not _close(update[_CONSTANT], expected[_CONSTANT]):
        small, large = (_close(update[row], expected[row]) for row in (0, 1))
        if small and not large:
            return "large gradients are clipped; clip_mapping= clips what vanishes at the solution"
        return _sizes(update, expected)
    records = [(update[_WEIGHTED, at], step[_WEIGHTED, at], gradient[_WEIGHTED, at]) for at in range(len(_REPEATS))]
    if not all(_is_decay(*record) for record in records):
        return "it depends on the size of the weights"
    late_ratios = [_ratio(update[row, -1], expected[row, -1]) for row in range(_LATE.start, _LATE.stop)]
    ratios = [ratio for ratio in late_ratios if ratio is not None]
    if any(not np.allclose(ratio, ratios[0], rtol=_TOLERANCE, atol=0) for ratio in ratios):
        return "its learning rate changes in another way, or something scales what it gives"
    at = (_NAN, _SPECIAL)
    finite = np.isfinite(update[at]) & np.isfinite(gradient[at]) & (step[at] > 0)
    if not _close(update[at][finite], expected[at][finite]):
        return "it skips an update whose gradient is not finite; wrap that around regularize(...)"
    at = (_CHANGE, _SPECIAL)
    return None if _is_linear(update[at], step[at], gradient[at]) else "it is not linear in the gradient"


def _sizes(update: np.ndarray, expected: np.ndarray) -> str:
    """The first update that differs, as text."""
    row, at = next((r, s) for r in (0, 1) for s in range(len(_REPEATS)) if not _close(update[r, s], expected[r, s]))
    worst = int(np.argmax(np.abs(update[row, at] - expected[row, at])))
    actual, predicted = (np.real(values[row, at]).flat[worst] for values in (update, expected))
    return f"update {_REPEATS[: at + 1].sum() - 1} moves {actual:.3g} where the step gives {predicted:.3g}"


def _is_decay(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether `u + T g` at equal weights is `a + b T`: decay after the step, in the gradient, or none."""
    residual, t = (update + step * gradient).ravel(), step.ravel()
    columns = np.stack([np.ones_like(t), t], axis=1)
    scale = np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-30)
    fitted = columns / scale @ np.linalg.lstsq(columns / scale, residual, rcond=1e-9)[0]
    return bool(
        np.all(np.abs(residual - fitted) <= _TOLERANCE * (np.abs(step * gradient).ravel() + 1e-3 * np.abs(residual)))
    )


def _ratio(update: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """The ratio of updates to expected ones; None if both are 0 (the schedule has ended)."""
    if np.all(expected == 0) and np.all(update == 0):
        return None
    return update / np.where(expected == 0, np.nan, expected)


def _is_linear(update: np.ndarray, step: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether `u / T` is the same linear function of the last gradient for all entries."""
    if update.size < 3 or np.any(step == 0):
        return True
    direction, g = (update / step).ravel(), gradient.ravel()
    slopes = (direction[1:] - direction[0]) / (g[1:] - g[0])
    return _close(slopes, np.full_like(slopes, slopes[0]))


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _TOLERANCE * np.abs(b)))


__all__ = ["WAY_OUT", "CannotJudge", "check_follows", "check_moves", "generic"]
