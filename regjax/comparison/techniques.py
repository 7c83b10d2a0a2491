"""Techniques, which are the rows of a comparison with their grids, and combinations of several techniques."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np

from regjax.catalog import COMBINATION, PENALTY_MODES, TECHNIQUES
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.typing import PenaltyMode, PyTree, Value
from regjax.optim.applied_penalties import applied_penalty
from regjax.penalties import Penalty, check_penalty_mode
from regjax.training.step import check_disjoint

BASELINE = "baseline"
_SUMS = ("penalty", "output_penalty")

Arguments = dict[str, Value]  # keyword arguments of make_hparams
Flags = dict[str, Value]  # flags of the command `train`, by name


@dataclasses.dataclass(frozen=True)
class Technique:
    """One row of the comparison.

    Attributes:
      name: key in the results, such as `"l2"`.
      title: name for readers, such as `"L2 (in the loss)"`.
      parameter: name of the tuned parameter, such as `"strength"`; empty if nothing is tuned.
      values: the grid, ascending; a larger value regularizes more.
      arguments: a function `value -> keyword arguments of make_hparams`.
      combines: whether it may be part of the combination; a technique that changes the amount of data may not.
      has_edges: whether a chosen value at an end of the grid calls for a wider grid.
      flags: a function `value -> flags of the command train` with the same effect; None if there are no such flags.
    """

    name: str
    title: str
    parameter: str
    values: tuple[float, ...]
    arguments: Callable[[float], Arguments]
    combines: bool = True
    has_edges: bool = True
    flags: Callable[[float], Flags] | None = None

    def weakened(self, value: float, scale: float) -> float:
        """Scale a chosen value for use in a combination; a technique without a parameter is not changed."""
        return value * scale if self.parameter else value


def baseline() -> Technique:
    """Return the technique without any regularizer."""
    return Technique(BASELINE, BASELINE, "", (0.0,), lambda _: {}, combines=False, flags=lambda _: {})


def penalty_technique(
    name: str,
    penalty: Penalty,
    mode: PenaltyMode = "proximal",
    factors: Sequence[float] = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
    taken: Sequence[str] = (),
) -> Technique:
    """Make a technique from any penalty; its grid consists of factors that multiply the strengths.

    The technique is not part of the combination, because not every sum of penalties has a proximal map.

    Args:
      name: key in the results. The title in the report lists the kinds of its terms, as in "group_lasso + mcp".
      penalty: the penalty.
      mode: how the penalty enters training; see `regjax.optim.transforms`.
      factors: the grid, ascending.
      taken: titles of other rows; if the title is among them, a number is appended to it.

    Raises:
      InputError: the mode is unknown.
      ValueError: the penalty does not support the mode, all its strengths are 0, or a strength overflows at the
        largest factor.

    Example:
      >>> from regjax.penalties import group_lasso
      >>> penalty_technique("rows", group_lasso(1e-3, axis=0)).parameter
      'factor'
    """
    check_choice("penalty_mode", mode, PENALTY_MODES)
    check_penalty_mode(penalty, mode)
    strengths = [float(np.max(np.asarray(leaf))) for term in penalty.flat() for leaf in jax.tree.leaves(term.strength)]
    if max(strengths) == 0:
        raise ValueError(f"{name}: every strength is 0, so no factor changes anything")
    check_range(f"{name}: strength times the largest factor", max(strengths) * max(factors), high_open=True)
    kinds = " + ".join(dict.fromkeys(term.kind for term in penalty.flat()))
    number = sum(
        title == kinds or (title.startswith(f"{kinds} ") and title[len(kinds) + 1 :].isdigit()) for title in taken
    )
    return Technique(
        name,
        f"{kinds} {number + 1}" if number else kinds,
        "factor",
        tuple(factors),
        lambda c: {"penalties": {mode: penalty.scaled(c)}},
        combines=False,
    )


def check_together(arguments: Arguments, params: PyTree) -> None:
    """Check that a run can use all arguments together.

    Args:
      arguments: arguments of `make_hparams`, such as those from `merge`.
      params: parameters of the model, or their shapes.

    Raises:
      ValueError: penalties of one kind act on the same leaf in two modes.
    """
    check_disjoint([applied_penalty(mode, penalty) for mode, penalty in arguments.get("penalties", {}).items()], params)


def merge(arguments: Sequence[Arguments]) -> Arguments:
    """Merge the arguments of several techniques; penalties of the same mode are added, rates are merged by name.

    Raises:
      InputError: two techniques set the same thing.
    """
    merged: Arguments = {}
    for arguments_of_one in arguments:
        for name, value in arguments_of_one.items():
            if name == "output_penalties":
                merged[name] = [*merged.get(name, []), *value]
            elif name in ("penalties", "rates"):
                into = merged.setdefault(name, {})
                for key, part in value.items():
                    into[key] = into[key] + part if name == "penalties" and key in into else part
            elif name in merged:
                raise InputError(f"combination: two techniques set {name}")
            else:
                merged[name] = value
    return merged


def merge_flags(flags: Sequence[Flags]) -> Flags:
    """Merge the flags of several techniques; descriptions of penalties are joined with `+`.

    Example:
      >>> merge_flags([{"penalty": "l2(0.1)", "dropout": 0.5}, {"penalty": "l1(0.2)"}, {"penalty": ""}])
      {'penalty': 'l2(0.1) + l1(0.2)', 'dropout': 0.5}
    """
    merged: Flags = {}
    for flags_of_one in flags:
        for name, value in flags_of_one.items():
            merged[name] = " + ".join(filter(None, [merged.get(name), value])) if name in _SUMS else value
    return merged


def combination(
    gained: Sequence[tuple[Technique, float, float]], always: Arguments, params: PyTree
) -> tuple[Technique | None, list[str]]:
    """Combine the techniques that beat the baseline; return the combination and the names of its parts.

    If two techniques exclude each other, such as L2 in the loss and L2 in the optimizer, the better one is used. The
    combination is None if fewer than two techniques can be combined.

    Args:
      gained: `(technique, chosen value, selection score)`, in the order of the table.
      always: arguments that every run gets.
      params: parameters of the model, or their shapes.
    """
    parts: list[tuple[Technique, float]] = []

    def together(scale: float) -> Arguments:
        return merge([t.arguments(t.weakened(value, scale)) for t, value in parts])

    def flags(scale: float) -> Flags:
        return merge_flags([t.flags(t.weakened(value, scale)) for t, value in parts if t.flags])

    for technique, value, _ in sorted(gained, key=lambda one: -one[2]):
        parts.append((technique, value))
        try:
            check_together(merge([always, together(1.0)]), params)
        except ValueError:
            parts.pop()
    order = [technique.name for technique, _, _ in gained]
    parts.sort(key=lambda part: order.index(part[0].name))
    if len(parts) < 2:
        return None, []
    method = TECHNIQUES[COMBINATION]
    united = Technique(method.name, method.title, method.unit, method.grid, together)
    if all(technique.flags for technique, _ in parts):
        united = dataclasses.replace(united, flags=flags)
    return united, [technique.name for technique, _ in parts]
