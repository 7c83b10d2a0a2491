"""Whether an optimizer takes the step that a `StepSize` computes, tried out on a few numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.stepsizes import StepSize

_TOLERANCE = 1e-2
# Two equal gradients and then three others, in two sizes; small, so that usual clipping leaves them alone.
_FIRST = np.array([[1e-2] * 3, [1e-3] * 3], np.float32)
_LAST = _FIRST * np.array([1.0, 3.0, -2.0], np.float32)


def check_follows(tx: optax.GradientTransformation, stepsize: StepSize) -> None:
    """Refuse an optimizer whose updates are not its (averaged) gradient times the step that is computed.

    With step `T`, updates under a constant gradient `g` have to be `-T g`, and after that they have to be `-T` times
    something linear in the gradient. It is tried on six numbers, with weights 0 and 1 (for transforms that look at the
    weights). An optimizer that cannot be called on them, or that holds traced numbers, is not judged.

    Raises:
      ValueError: the steps differ.
    """
    if not stepsize.is_exact:
        return
    zero, one = (_try(optax.with_extra_args_support(tx), stepsize, weights) for weights in (0.0, 1.0))
    if zero is None or one is None:
        return
    if zero.follows:
        # Weight decay shifts all updates alike or acts through the gradient; a trust ratio stretches them.
        shift = one.update - zero.update
        follows = _close(shift, shift[:1, :1]) or _close(one.slopes, zero.slopes)
    else:
        follows = one.follows
    if not follows:
        raise ValueError(
            "stepsize: this optimizer does not take the step that it computes, so the proximal map would solve another "
            "problem; the step is known for SGD with or without momentum, Adam and AdamW, RMSProp and Adagrad with the "
            "numbers that the optimizer has (rj.make_optimizer gives both). check_stepsize=False goes on all the same"
        )


class _Trial(NamedTuple):
    follows: bool
    update: np.ndarray  # the last one
    slopes: np.ndarray  # of the last update over the step, by the gradient


def _try(tx: optax.GradientTransformationExtraArgs, stepsize: StepSize, weights: float) -> _Trial | None:
    params = {"kernel": np.full(_FIRST.shape, weights, np.float32)}
    follows = True
    try:
        state = tx.init(params)
    except Exception:  # whatever it needs that is not here
        return None
    if any(_accumulates(node) for node in jax.tree.leaves(state, is_leaf=_accumulates)):
        return None  # refused elsewhere, with what to do
    for count, gradient in enumerate((_FIRST, _FIRST, _LAST)):
        try:
            updates, state = tx.update({"kernel": jnp.asarray(gradient)}, state, params)
        except Exception:
            return None
        trees = (updates, stepsize.compute(state, jnp.int32(count)))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees)):
            return None
        update, step = (np.broadcast_to(np.asarray(jax.tree.leaves(tree)[0], float), _FIRST.shape) for tree in trees)
        if count < 2:
            follows &= _close(update, -step * gradient)
    if np.any(step == 0):
        return None
    direction = update / step
    slopes = (direction[:, 1:] - direction[:, :1]) / (_LAST[:, 1:] - _LAST[:, :1])
    return _Trial(follows and _close(slopes, slopes[:, :1]), update, slopes)


def _accumulates(node: Any) -> bool:
    return isinstance(node, optax.MultiStepsState)


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _TOLERANCE * np.abs(b)))
