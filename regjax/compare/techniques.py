"""The techniques that are compared: for each, a grid of values and what a value means for a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regjax.checks import InputError, check_choice
from regjax.penalties import Penalty, l1, l2
from regjax.spec import make_hparams
from regjax.step import check_routes
from regjax.stopping import EarlyStopping
from regjax.transforms import MODES, check_route, route_of

BASELINE = "baseline"
COMBINATION = "combination"
COMBINATION_SCALES = (0.25, 0.5, 1.0)

Arguments = dict[str, Any]  # keyword arguments of make_hparams


@dataclasses.dataclass(frozen=True)
class Technique:
    """One row of the comparison.

    Attributes:
      name: key in the results, as `"l2"`.
      title: what people read, as `"L2 (in the loss)"`.
      parameter: what the values are, as `"strength"`; empty when there is nothing to choose.
      values: the grid, ascending; a larger value regularizes more.
      arguments: `value -> keyword arguments of make_hparams`.
      combines: whether the combination may use it: it changes the training, not the data at hand.
      has_edges: whether a choice at an end of the grid asks for a wider grid; the amount of data does not.
    """

    name: str
    title: str
    parameter: str
    values: tuple[float, ...]
    arguments: Callable[[float], Arguments]
    combines: bool = True
    has_edges: bool = True

    def scaled(self, value: float, scale: float) -> Arguments:
        """The arguments of a chosen value, weakened for use together with others; a switch stays on."""
        return self.arguments(value * scale if self.parameter else value)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the default techniques depend on.

    Attributes:
      train_examples: of the baseline.
      pool: training examples there are.
      patience: of early stopping, in epochs; fixed, because with restored weights the largest would always win.
      min_delta: of early stopping.
      criterion: of early stopping.
      has_rates: whether the model takes noise rates.
      has_augmentation: whether there is an augmentation to apply.
    """

    train_examples: int
    pool: int
    patience: int = 10
    min_delta: float = 0.0
    criterion: str = "patience"
    has_rates: bool = True
    has_augmentation: bool = True


def _more_data(setting: Setting) -> Technique | None:
    sizes = [setting.train_examples * factor for factor in (2, 4, 8)]
    sizes = [size for size in sizes if size < setting.pool]
    if setting.train_examples < setting.pool and len(sizes) < 3:
        sizes.append(setting.pool)
    if not sizes:
        return None
    title = "more data (same updates)"
    return Technique(
        "more_data", title, "examples", tuple(sizes), lambda n: {"n_train": int(n)}, combines=False, has_edges=False
    )


def _augmentation(setting: Setting) -> Technique | None:
    if not setting.has_augmentation:
        return None
    grid = (0.25, 0.5, 1.0, 1.5, 2.0)
    return Technique("augmentation", "augmentation", "strength", grid, lambda c: {"augment": c})


def _early_stopping(setting: Setting) -> Technique:
    rule = EarlyStopping(patience=setting.patience, min_delta=setting.min_delta, criterion=setting.criterion)
    arguments = {"stopping": rule, "restore_best": True}
    return Technique("early_stopping", "early stopping", "", (1.0,), lambda _: dict(arguments))


def _l2(setting: Setting) -> Technique:
    grid = (1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1)
    return Technique("l2", "L2 in the loss", "strength", grid, lambda s: {"penalties": {"loss": l2(s)}})


def _decoupled(setting: Setting) -> Technique:
    grid = (0.03, 0.1, 0.3, 1.0, 2.5, 5.0, 10.0)
    return Technique(
        "decoupled", "L2 decoupled (AdamW)", "strength", grid, lambda s: {"penalties": {"decoupled": l2(s)}}
    )


def _l1(setting: Setting) -> Technique:
    grid = (1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 2e-2)
    return Technique("l1", "L1 proximal", "strength", grid, lambda s: {"penalties": {"proximal": l1(s)}})


def _dropout(setting: Setting) -> Technique | None:
    if not setting.has_rates:
        return None
    grid = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
    return Technique("dropout", "dropout", "rate", grid, lambda r: {"rates": {"dropout": r}})


def penalty_technique(
    name: str,
    penalty: Penalty,
    mode: str = "proximal",
    factors: Sequence[float] = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
) -> Technique:
    """A technique that tries any penalty, its strengths multiplied by each of some factors.

    It takes no part in the combination, because not every sum of penalties has a proximal map.

    Args:
      name: key in the results and title in the report.
      penalty: what to try.
      mode: how it enters the training; see `regjax.transforms`.
      factors: the grid, ascending.

    Raises:
      InputError: an unknown mode.
      ValueError: a penalty that does not support the mode.

    Example:
      >>> from regjax.penalties import group_lasso
      >>> penalty_technique("rows", group_lasso(1e-3, axis=0)).parameter
      'factor'
    """
    check_choice("penalty_mode", mode, MODES)
    check_route(penalty, mode)
    return Technique(
        name,
        name,
        "factor",
        tuple(factors),
        lambda c: {"penalties": {mode: penalty.scaled(c)}},
        combines=False,
    )


TECHNIQUES: dict[str, Callable[[Setting], Technique | None]] = {
    "more_data": _more_data,
    "augmentation": _augmentation,
    "early_stopping": _early_stopping,
    "l2": _l2,
    "decoupled": _decoupled,
    "l1": _l1,
    "dropout": _dropout,
}
DEFAULT = ("more_data", "augmentation", "early_stopping", "l2", "l1", "dropout", COMBINATION)


def baseline() -> Technique:
    """The run without any regularizer."""
    return Technique(BASELINE, BASELINE, "", (0.0,), lambda _: {}, combines=False)


def resolve(
    techniques: Sequence[str | Technique] | Mapping[str, Sequence[float]] | None, setting: Setting
) -> tuple[list[Technique], bool]:
    """The techniques to compare, and whether their combination is wanted.

    Args:
      techniques: None for the default ones; names or `Technique`s; or a mapping `name -> grid` that replaces grids
        (an empty grid keeps the default one).
      setting: facts that grids depend on.

    Returns:
      Techniques in order, those that do not apply here left out, and whether to add the combination.

    Raises:
      InputError: an unknown name, a name twice, a grid for a technique without parameter, or nothing to compare.
    """
    if isinstance(techniques, str):
        raise InputError(f"techniques must be a list of names, as [{techniques!r}]")
    wanted = DEFAULT if techniques is None else techniques
    grids = {name: tuple(grid) for name, grid in wanted.items()} if isinstance(wanted, Mapping) else {}
    found: list[Technique] = []
    for item in wanted:
        if isinstance(item, Technique):
            found.append(item)
            continue
        check_choice("technique", item, [*TECHNIQUES, COMBINATION])
        if item == COMBINATION:
            continue
        technique = TECHNIQUES[item](setting)
        if technique is None:
            continue
        if grids.get(item):
            if not technique.parameter:
                raise InputError(f"technique {item!r} has nothing to choose, so it takes no grid")
            technique = dataclasses.replace(technique, values=tuple(sorted(grids[item])))
        found.append(technique)
    for technique in found:
        _check_values(technique, setting)
    names = [technique.name for technique in found]
    if len(set(names)) != len(names):
        raise InputError(f"techniques must have different names, got {', '.join(names)}")
    if not found:
        raise InputError("techniques: nothing to compare with the baseline here")
    return found, COMBINATION in wanted


def _check_values(technique: Technique, setting: Setting) -> None:
    """Refuse a value that no run could use.

    Raises:
      InputError: names the technique and the value.
    """
    for value in technique.values:
        if technique.name == "more_data" and not (value == int(value) and 1 <= value <= setting.pool):
            raise InputError(f"technique 'more_data': {value:g} is not a whole number in [1, {setting.pool}]")
        try:
            make_hparams(**{"n_train": setting.train_examples, **technique.arguments(value)})
        except ValueError as error:
            raise InputError(f"technique {technique.name!r}: {error}") from None


def check_together(arguments: Arguments, params: Any) -> None:
    """Refuse arguments that no run could use together.

    Args:
      arguments: of `make_hparams`, as from `merge`.
      params: parameters of the model, or their shapes.

    Raises:
      ValueError: one kind of penalty reaches one leaf through two routes.
    """
    check_routes([route_of(mode, penalty) for mode, penalty in arguments.get("penalties", {}).items()], params)


def merge(arguments: Sequence[Arguments]) -> Arguments:
    """The arguments of several techniques at once; penalties and rates are united by route and name.

    Raises:
      InputError: two techniques set the same thing.
    """
    merged: Arguments = {}
    for one in arguments:
        for name, value in one.items():
            if name in ("penalties", "rates"):
                into = merged.setdefault(name, {})
                for key, part in value.items():
                    into[key] = into[key] + part if name == "penalties" and key in into else part
            elif name in merged:
                raise InputError(f"combination: two techniques set {name}")
            else:
                merged[name] = value
    return merged


def combination(
    gained: Sequence[tuple[Technique, float, float]], always: Arguments, params: Any
) -> tuple[Technique | None, list[str]]:
    """The techniques that gained, together, and their names; None when fewer than two can act together.

    Of two that exclude each other, as L2 in the loss and L2 in the optimizer, the better one takes part.

    Args:
      gained: `(technique, chosen value, selection score)`, in the order of the table.
      always: arguments that act in every run.
      params: parameters of the model, or their shapes.
    """
    parts: list[tuple[Technique, float]] = []

    def together(scale: float) -> Arguments:
        return merge([t.scaled(value, scale) for t, value in parts])

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
    made = Technique(COMBINATION, "combination", "scale of strengths", COMBINATION_SCALES, together)
    return made, [technique.name for technique, _ in parts]
