"""Penalties on parameters: pytrees whose strengths are data, so one compiled program serves every strength.

A penalty defines its value and its proximal map. The caller chooses the mode in which it enters training (in the loss,
coupled, decoupled, proximal, ...): see `regjax.build_loss` and `regjax.regularize`.

Gradients of `value` come from `jax.grad`. The subgradient of `|w|` at 0 is 0, so a gradient method leaves small weights
oscillating around zero; only the proximal mode gives exact zeros.

Numbers are checked when a penalty is made, and steps when `prox` is called. Traced values (inside `jit` or `vmap`)
pass, because their numbers are unknown: check them before, on the host.

| file | penalties |
|---|---|
| `elementwise` | `l1`, `l2`, `elastic_net`, `l2_to` |
| `nonconvex` | `mcp`, `scad`, `log_sum`, `l0` |
| `groups` | `group_lasso`, `sparse_group_lasso` |
| `matrices` | `nuclear`, `spectral`, `orthogonal` |
| `base` | the contract of penalties; `combine` |
| `plan` | which terms act on which leaf |
"""

import inspect
from collections.abc import Callable

from regjax.catalog import PENALTY_MODES
from regjax.core.checks import check_choice
from regjax.core.parse import parse_sum
from regjax.core.typing import Value
from regjax.penalties.base import Penalty, Term, check_penalty_mode, combine
from regjax.penalties.elementwise import elastic_net, l1, l2, l2_to, l2_to_start
from regjax.penalties.groups import group_lasso, sparse_group_lasso
from regjax.penalties.matrices import nuclear, orthogonal, spectral
from regjax.penalties.nonconvex import l0, log_sum, mcp, scad
from regjax.penalties.plan import Plan, PlanRow

# By the names that flags and configurations use. Text cannot hold arrays, so there l2_to is relative to the start.
PENALTIES: dict[str, Callable[..., Penalty]] = {
    "elastic_net": elastic_net,
    "group_lasso": group_lasso,
    "l0": l0,
    "l1": l1,
    "l2": l2,
    "l2_to": l2_to_start,
    "log_sum": log_sum,
    "mcp": mcp,
    "nuclear": nuclear,
    "orthogonal": orthogonal,
    "scad": scad,
    "sparse_group_lasso": sparse_group_lasso,
    "spectral": spectral,
}


def parse_penalty(text: str) -> Penalty:
    """A penalty from text, as a flag gives it; see `regjax.core.parse` for the grammar. Nothing is evaluated.

    Args:
      text: as `"l1(1e-3) + group_lasso(1e-3, where='.*kernel')"`.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> import jax.numpy as jnp
      >>> float(parse_penalty("l1(0.5) + l2(1)").value({"kernel": jnp.array([[2.0]])}))
      5.0
    """
    return combine(parse_sum(text, PENALTIES, "penalty", lambda factor, penalty: penalty.scaled(factor)))


def parse_penalty_modes(text: str, mode: str) -> dict[str, Penalty]:
    """Parse penalties by mode: as `parse_penalty`, but each term may name the mode in which it enters training.

    Args:
      text: as `"l2(0.01) + l1(1e-3, mode='proximal')"`.
      mode: the mode of terms that name none.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> sorted(parse_penalty_modes("l2(0.01) + 0.5 * l1(1e-3, mode='proximal')", "loss"))
      ['loss', 'proximal']
    """

    def scaled(factor: float, term: tuple[str, Penalty]) -> tuple[str, Penalty]:
        return term[0], term[1].scaled(factor)

    by_mode: dict[str, Penalty] = {}
    makers = {name: _with_mode(make, mode) for name, make in PENALTIES.items()}
    for term_mode, penalty in parse_sum(text, makers, "penalty", scaled):
        by_mode[term_mode] = by_mode[term_mode] + penalty if term_mode in by_mode else penalty
    return by_mode


def _with_mode(make: Callable[..., Penalty], default: str) -> Callable[..., tuple[str, Penalty]]:
    """A function that takes `mode` beside the arguments of `make`, and returns the mode and the penalty."""

    def make_with_mode(*arguments: Value, mode: str = default, **options: Value) -> tuple[str, Penalty]:
        check_choice("mode", mode, PENALTY_MODES)
        return mode, make(*arguments, **options)

    signature = inspect.signature(make)
    parameter = inspect.Parameter("mode", inspect.Parameter.KEYWORD_ONLY, default=default)
    make_with_mode.__signature__ = signature.replace(parameters=[*signature.parameters.values(), parameter])  # type: ignore[attr-defined]
    return make_with_mode


__all__ = [
    "PENALTIES",
    "PENALTY_MODES",
    "Penalty",
    "Plan",
    "PlanRow",
    "Term",
    "check_penalty_mode",
    "combine",
    "elastic_net",
    "group_lasso",
    "l0",
    "l1",
    "l2",
    "l2_to",
    "log_sum",
    "mcp",
    "nuclear",
    "orthogonal",
    "parse_penalty",
    "parse_penalty_modes",
    "scad",
    "sparse_group_lasso",
    "spectral",
]
