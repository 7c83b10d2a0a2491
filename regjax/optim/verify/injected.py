"""Whether a step follows the numbers that `optax.inject_hyperparams` lets a loop change at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.core.tree import is_weight_leaf
from regjax.core.typing import PyTree
from regjax.optim.stepsizes.base import INJECTED, states
from regjax.optim.verify.trial import Plan, Record, initial_state, run

# What the numbers are multiplied by: in (0, 1), as rates and decays are, and no ratio that arises by itself.
_FACTOR = 0.7137
_TOLERANCE = 5e-3


def check_injected(
    tx: optax.GradientTransformation, measure: Callable[..., Any], plan: Plan, params: PyTree, *, is_step: bool
) -> None:
    """Refuse an optimizer with an injected number whose change would move updates and leave the penalty as it was.

    Args:
      tx: the optimizer.
      measure: `(state after an update, its count, params)` to the step or the learning rate.
      plan: trials whose first has a constant gradient at weights 0.
      params: from `small_like`.
      is_step: whether `measure` gives the step, which has to follow every number; a learning rate has to follow what
        scales the first update.

    Raises:
      CannotJudge: the optimizer cannot be called like this.
      ValueError: names the number.
    """
    nodes = states(INJECTED, initial_state(tx, params))
    names = dict.fromkeys(name for node in nodes for name, value in node.hyperparams.items() if is_weight_leaf(value))
    names.pop("learning_rate", None)  # what every step reads
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
    def change(node: Any) -> Any:
        if not isinstance(node, INJECTED):
            return node
        numbers = {
            name: jnp.asarray(_FACTOR * value, value.dtype) if name in names else value
            for name, value in node.hyperparams.items()
        }
        return node._replace(hyperparams=numbers)

    return jax.tree.map(change, state, is_leaf=lambda node: isinstance(node, INJECTED))


def _ratios(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> np.ndarray:
    """After over before, all entries; NaN where nothing was."""
    pairs = [(before[name].ravel(), after[name].ravel()) for name in before]
    return np.concatenate([b / np.where(a == 0, np.nan, a) for a, b in pairs])


def _follows(before: Record, after: Record) -> bool:
    moved, measured = _ratios(before.updates, after.updates), _ratios(before.measured, after.measured)
    known = ~(np.isnan(moved) | np.isnan(measured))
    return bool(np.allclose(moved[known], measured[known], rtol=_TOLERANCE, atol=0))


def _is_missed(before: Record, after: Record) -> bool:
    """Whether the updates are multiplied by what the number is, and the rate is not."""
    moved, measured = _ratios(before.updates, after.updates), _ratios(before.measured, after.measured)
    scaled = np.isclose(moved, _FACTOR, rtol=1e-4, atol=0)
    return bool(np.any(scaled) and np.all(scaled | np.isnan(moved)) and not np.any(np.isclose(measured, _FACTOR)))
