"""Verifies that a step follows hyperparameters that `optax.inject_hyperparams` lets a loop change at run time."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.core.tree import is_weight_leaf
from regjax.core.typing import PyTree
from regjax.optim.stepsizes.base import INJECTED, states
from regjax.optim.verify.trial import Plan, Record, initial_state, run

# The factor by which hyperparameters are changed: in (0, 1), as rates and decays are, and unlikely to arise by chance.
_FACTOR = 0.7137
_TOLERANCE = 5e-3


def check_injected(
    tx: optax.GradientTransformation, measure: Callable[..., PyTree], plan: Plan, params: PyTree, *, is_step: bool
) -> None:
    """Refuse an optimizer with an injected hyperparameter whose change affects the updates but not the penalty.

    Args:
      tx: the optimizer.
      measure: `(state after an update, its count, params)` to the step or the learning rate.
      plan: trials, the first of which has a constant gradient at weights 0.
      params: from `small_like`.
      is_step: whether `measure` gives the step, which has to follow every hyperparameter; a learning rate only has to
        follow those that scale the first update.

    Raises:
      CannotJudge: the optimizer cannot be called like this.
      ValueError: names the hyperparameter.
    """
    nodes = states(INJECTED, initial_state(tx, params))
    names = dict.fromkeys(name for node in nodes for name, value in node.hyperparams.items() if is_weight_leaf(value))
    names.pop("learning_rate", None)  # read by every step
    if not names:
        return
    looks = 4 if is_step else 1
    first = Plan(plan.weights[:1], plan.counts[:1], plan.repeats[:looks], [g[:1, :looks] for g in plan.gradients])

    def changed(which: tuple[str, ...]) -> Record:
        return run(tx, params, first, measure, begin=lambda state: _multiplied(state, which))

    before = changed(())
    if is_step and _follows(before, changed(tuple(names))):
        return
    for name in names:
        after = changed((name,))
        if not _follows(before, after) if is_step else _is_missed(before, after):
            raise ValueError(
                f"regularize: a change of the injected hyperparameter {name!r} would change the updates of this "
                "optimizer and not its penalty; the step reads learning_rate, momentum, b1, b2 and eps: call it so"
            )


def _multiplied(state: PyTree, names: tuple[str, ...]) -> PyTree:
    def change(node: PyTree) -> PyTree:
        if not isinstance(node, INJECTED):
            return node
        hyperparams = {
            name: jnp.asarray(_FACTOR * value, value.dtype) if name in names else value
            for name, value in node.hyperparams.items()
        }
        return node._replace(hyperparams=hyperparams)

    return jax.tree.map(change, state, is_leaf=lambda node: isinstance(node, INJECTED))


def _ratios(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> np.ndarray:
    """The ratio after / before, for all entries; NaN where before is 0."""
    pairs = [(before[name].ravel(), after[name].ravel()) for name in before]
    return np.concatenate([b / np.where(a == 0, np.nan, a) for a, b in pairs])


def _follows(before: Record, after: Record) -> bool:
    update_ratios, measured_ratios = _ratios(before.updates, after.updates), _ratios(before.measured, after.measured)
    is_known = ~(np.isnan(update_ratios) | np.isnan(measured_ratios))
    return bool(np.allclose(update_ratios[is_known], measured_ratios[is_known], rtol=_TOLERANCE, atol=0))


def _is_missed(before: Record, after: Record) -> bool:
    """Whether the changed hyperparameter scales the updates but not the measured rate."""
    update_ratios, measured_ratios = _ratios(before.updates, after.updates), _ratios(before.measured, after.measured)
    is_scaled = np.isclose(update_ratios, _FACTOR, rtol=1e-4, atol=0)
    return bool(
        np.any(is_scaled)
        and np.all(is_scaled | np.isnan(update_ratios))
        and not np.any(np.isclose(measured_ratios, _FACTOR))
    )
