"""Penalties on parameters: pytrees whose strengths are data, so one compiled program serves every strength.

A penalty knows its value and its proximal map. How it enters training (in the loss, coupled, decoupled,
proximal, ...) is the choice of the caller: `regjax.build_loss` and `regjax.regularize`.

Gradients of `value` come from `jax.grad`. At `w = 0` the subgradient 0 is used for `|w|`, so a gradient method keeps
small weights oscillating around zero; only the proximal route gives exact zeros.

Numbers are checked where a penalty is made, and steps where `prox` is called. What is traced there (inside `jit` or
`vmap`) has no number yet and passes: check it before, on the host.

| file | penalties |
|---|---|
| `shrinkage` | `l1`, `l2`, `elastic_net`, `l2_to` |
| `nonconvex` | `mcp`, `scad`, `log_sum`, `l0` |
| `groups` | `group_lasso`, `sparse_group_lasso` |
| `matrices` | `nuclear`, `spectral`, `orthogonal` |
| `base` | what a penalty is; `combine` |
| `plan` | which leaf gets what |
"""

from collections.abc import Callable

from regjax.core.parse import parse_sum
from regjax.penalties.base import ROUTES, Penalty, Term, check_route, combine
from regjax.penalties.elementwise import elastic_net, l1, l2, l2_to, l2_to_start
from regjax.penalties.groups import group_lasso, sparse_group_lasso
from regjax.penalties.matrices import nuclear, orthogonal, spectral
from regjax.penalties.nonconvex import l0, log_sum, mcp, scad
from regjax.penalties.plan import Plan, PlanRow

# By the name that a flag or a configuration gives; there are no arrays in a text, so l2_to goes to the start.
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
    return combine(parse_sum(text, PENALTIES, "penalty"))


__all__ = [
    "PENALTIES",
    "ROUTES",
    "Penalty",
    "Plan",
    "PlanRow",
    "Term",
    "check_route",
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
    "scad",
    "sparse_group_lasso",
    "spectral",
]
