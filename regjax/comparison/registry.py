"""Makes the techniques of the catalogue, and resolves which of them a comparison tries."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from regjax import catalog
from regjax.catalog import COMBINATION, DEFAULT_TECHNIQUES, TECHNIQUES, Method
from regjax.comparison.techniques import Arguments, Flags, Technique
from regjax.core.checks import check_choice, in_short
from regjax.core.errors import InputError
from regjax.core.typing import Value
from regjax.noise import WEIGHT_NOISES
from regjax.penalties import PENALTIES
from regjax.penalties.outputs import OUTPUT_PENALTIES
from regjax.stopping import EarlyStopping
from regjax.training.spec import make_hparams


@dataclasses.dataclass(frozen=True)
class TechniqueContext:
    """Facts about the model, the data and the options on which the default techniques depend.

    Attributes:
      train_examples: number of training examples of the baseline.
      pool: number of available training examples.
      patience: patience of early stopping, in epochs. It is not tuned: since the best weights are restored, the
        largest patience would always win.
      min_delta: minimum improvement for early stopping.
      criterion: criterion of early stopping.
      noises: names of the noises of the model.
      task: the task; label smoothing needs classes or labels, some penalties on outputs need exclusive classes.
      has_augmentation: whether the data have an augmentation.
    """

    train_examples: int
    pool: int
    patience: int = 10
    min_delta: float = 0.0
    criterion: str = "patience"
    noises: tuple[str, ...] = ("dropout",)
    task: str = "classification"
    has_augmentation: bool = True


Maker = Callable[[Method, TechniqueContext], Technique | None]


def _technique(
    method: Method, arguments: Callable[[float], Arguments], flags: Callable[[float], Flags], **more: Value
) -> Technique:
    return Technique(method.name, method.title, method.unit, method.grid, arguments, flags=flags, **more)


def _more_data(method: Method, context: TechniqueContext) -> Technique | None:
    sizes = [context.train_examples * factor for factor in (2, 4, 8)]
    sizes = [size for size in sizes if size < context.pool]
    if context.train_examples < context.pool and len(sizes) < 3:
        sizes.append(context.pool)
    method = method._replace(grid=tuple(sizes))
    return _technique(
        method,
        lambda n: {"n_train": int(n)},
        lambda n: {"train_examples": int(n)},
        combines=False,
        has_edges=False,
    )


def _augmentation(method: Method, context: TechniqueContext) -> Technique | None:
    if not context.has_augmentation:
        return None
    return _technique(method, lambda c: {"augment": c}, lambda c: {"augment_strength": float(c)})


def _early_stopping(method: Method, context: TechniqueContext) -> Technique | None:
    rule = EarlyStopping(patience=context.patience, min_delta=context.min_delta, criterion=context.criterion)
    flags: Flags = {"stop_criterion": context.criterion, "restore_best": True}
    if context.criterion == "patience":
        flags |= {"patience": context.patience, "min_delta": context.min_delta}
    return _technique(method, lambda _: {"stopping": rule, "restore_best": True}, lambda _: dict(flags))


def penalty_maker(name: str, mode: str, method: Method, context: TechniqueContext) -> Technique | None:
    """Make the technique for the penalty `name` in the mode `mode`."""
    return _technique(
        method,
        lambda s: {"penalties": {mode: PENALTIES[name](s)}},
        lambda s: {"penalty": f"{name}({float(s)!r}, mode={mode!r})"},
    )


def noise_maker(method: Method, context: TechniqueContext) -> Technique | None:
    """Make the technique for a noise; None if the model does not have it."""
    if method.name not in context.noises and method.name not in WEIGHT_NOISES:
        return None
    return _technique(method, lambda value: {"rates": {method.name: value}}, lambda value: {method.name: float(value)})


def _number(method: Method, context: TechniqueContext) -> Technique | None:
    """Make a technique that sets one argument of `make_hparams`."""
    if method.name == "label_smoothing" and context.task == "regression":
        return None
    return _technique(method, lambda value: {method.name: value}, lambda value: {method.name: float(value)})


def output_maker(method: Method, context: TechniqueContext) -> Technique | None:
    """Make the technique for a penalty on outputs; None if it needs classes and the task has none."""
    make = OUTPUT_PENALTIES[method.name]
    if make(method.grid[0]).needs_classes and context.task != "classification":
        return None
    return _technique(
        method,
        lambda value: {"output_penalties": [make(value)]},
        lambda value: {"output_penalty": f"{method.name}({float(value)!r})"},
    )


MAKERS: dict[str, Maker] = {
    "more_data": _more_data,
    "augmentation": _augmentation,
    "early_stopping": _early_stopping,
    "l2": functools.partial(penalty_maker, "l2", "loss"),
    "l1": functools.partial(penalty_maker, "l1", "proximal"),
    "decoupled": functools.partial(penalty_maker, "l2", "decoupled"),
    **dict.fromkeys(catalog.NOISES, noise_maker),
    **dict.fromkeys(catalog.NUMBERS, _number),
    **dict.fromkeys(catalog.OUTPUT_PENALTIES, output_maker),
}


def resolve(
    techniques: Sequence[str | Technique] | Mapping[str, Sequence[float]] | None, context: TechniqueContext
) -> tuple[list[Technique], bool]:
    """Return the techniques to compare, and whether to try their combination.

    Args:
      techniques: None for the default techniques; names or `Technique`s; or a mapping `name -> grid` that replaces
        default grids (an empty grid keeps the default).
      context: the facts on which the techniques depend.

    Returns:
      The techniques in order, and whether to try the combination. Default techniques that do not apply to the model or
      the data are left out.

    Raises:
      InputError: a name is unknown or repeated, a technique does not apply (unless it is a default one), a grid is
        given for a technique without a parameter, or there is nothing to compare.
    """
    if isinstance(techniques, str):
        raise InputError(f"techniques must be a list of names, as [{techniques!r}]")
    if techniques is not None and not isinstance(techniques, Sequence | Mapping):
        techniques = [techniques]  # anything but a Technique is refused below
    wanted = DEFAULT_TECHNIQUES if techniques is None else techniques
    grids = {name: tuple(grid) for name, grid in wanted.items()} if isinstance(wanted, Mapping) else {}
    chosen: list[Technique] = []
    noises = ", ".join(context.noises) or "none"
    for item in wanted:
        if isinstance(item, Technique):
            chosen.append(item)
            continue
        if not isinstance(item, str):
            raise InputError(
                f"technique {in_short(item)} is neither a name nor a Technique; a penalty becomes one by "
                "rj.penalty_technique(name, penalty, mode='proximal')"
            )
        check_choice("technique", item, TECHNIQUES)
        if item == COMBINATION:
            continue
        technique = MAKERS[item](TECHNIQUES[item], context)
        if technique is None or not (technique.values or grids.get(item)):
            if item not in DEFAULT_TECHNIQUES:
                raise InputError(
                    f"technique {item!r} does not fit this model or the task {context.task}; "
                    f"the model's noises: {noises}"
                )
            continue
        if grids.get(item):
            if not technique.parameter:
                raise InputError(f"technique {item!r} has nothing to choose, so it takes no grid")
            technique = dataclasses.replace(technique, values=tuple(sorted(grids[item])))
        chosen.append(technique)
    for technique in chosen:
        _check_values(technique, context)
    names = [technique.name for technique in chosen]
    if len(set(names)) != len(names):
        raise InputError(f"techniques must have different names, got {', '.join(names)}")
    if not chosen:
        raise InputError("techniques: nothing to compare with the baseline here")
    return chosen, COMBINATION in wanted


def _check_values(technique: Technique, context: TechniqueContext) -> None:
    """Check that a run accepts every value of a technique.

    Raises:
      InputError: names the technique and the value.
    """
    for value in technique.values:
        if technique.name == "more_data" and not (value == int(value) and 1 <= value <= context.pool):
            raise InputError(f"technique 'more_data': {value:g} is not a whole number in [1, {context.pool}]")
        try:
            make_hparams(**{"n_train": context.train_examples, **technique.arguments(value)})
        except ValueError as error:
            raise InputError(f"technique {technique.name!r}: {error}") from None
