"""The techniques that there are, by name: for each, a grid of values and what a value means for a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from regjax.comparison.techniques import COMBINATION, Technique
from regjax.core.checks import InputError, check_choice, in_short
from regjax.noise import WEIGHT_NOISES
from regjax.penalties import l1, l2
from regjax.penalties.outputs import OUTPUT_PENALTIES
from regjax.stopping import EarlyStopping
from regjax.training.spec import make_hparams


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the default techniques depend on.

    Attributes:
      train_examples: of the baseline.
      pool: training examples there are.
      patience: of early stopping, in epochs; fixed, because with restored weights the largest would always win.
      min_delta: of early stopping.
      criterion: of early stopping.
      noises: names of the noises that the model has.
      classes: whether the task is a classification, which labels and some penalties on outputs need.
      has_augmentation: whether there is an augmentation to apply.
    """

    train_examples: int
    pool: int
    patience: int = 10
    min_delta: float = 0.0
    criterion: str = "patience"
    noises: tuple[str, ...] = ("dropout",)
    classes: bool = True
    has_augmentation: bool = True


def _more_data(setting: Setting) -> Technique | None:
    sizes = [setting.train_examples * factor for factor in (2, 4, 8)]
    sizes = [size for size in sizes if size < setting.pool]
    if setting.train_examples < setting.pool and len(sizes) < 3:
        sizes.append(setting.pool)
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


def _noise(name: str, grid: tuple[float, ...], setting: Setting) -> Technique | None:
    if name not in setting.noises and name not in WEIGHT_NOISES:
        return None
    title = name.replace("_", " ").replace("drop block", "DropBlock").replace("drop path", "DropPath")
    title = title.replace("drop connect", "DropConnect").replace("gaussian", "Gaussian")
    parameter = "deviation" if name in ("gaussian_noise", "weight_noise") else "rate"
    return Technique(name, title, parameter, grid, lambda value: {"rates": {name: value}})


def _number(name: str, parameter: str, grid: tuple[float, ...], setting: Setting) -> Technique | None:
    """A technique that is one argument of `make_hparams`."""
    if name == "label_smoothing" and not setting.classes:
        return None
    title = {"mixup": "mixup", "cutmix": "CutMix", "sam": "SAM"}.get(name, name.replace("_", " "))
    return Technique(name, title, parameter, grid, lambda value: {name: value})


def _outputs(name: str, parameter: str, grid: tuple[float, ...], setting: Setting) -> Technique | None:
    made = OUTPUT_PENALTIES[name]
    if made(grid[0]).needs_classes and not setting.classes:
        return None
    title = {"fgsm": "adversarial (FGSM)", "r_drop": "R-Drop", "jacobian": "Jacobian penalty"}.get(name)
    title = title or name.replace("_", " ").replace("confidence", "confidence penalty").replace(" l", " L")
    return Technique(name, title, parameter, grid, lambda value: {"output_penalties": [made(value)]})


_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
_DEVIATIONS = (0.05, 0.1, 0.2, 0.5, 1.0)
_NOISES = {
    "dropout": (0.2, 0.4, 0.6, 0.8, 0.9, 0.95),
    "input_dropout": _RATES,
    "spatial_dropout": _RATES,
    "gaussian_dropout": (0.1, 0.2, 0.4, 0.6, 0.8),
    "alpha_dropout": _RATES,
    "drop_block": _RATES,
    "drop_path": _RATES,
    "attention_dropout": _RATES,
    "drop_connect": (0.1, 0.2, 0.4, 0.6, 0.8),
    "gaussian_noise": _DEVIATIONS,
    "weight_noise": (0.01, 0.02, 0.05, 0.1, 0.2),
}
_NUMBERS = {
    "label_smoothing": ("part", (0.05, 0.1, 0.2, 0.3, 0.5)),
    "mixup": ("alpha", (0.1, 0.2, 0.5, 1.0, 2.0)),
    "cutmix": ("alpha", (0.1, 0.2, 0.5, 1.0, 2.0)),
    "sam": ("radius", (0.01, 0.02, 0.05, 0.1, 0.2)),
    "gradient_noise": ("variance", (1e-4, 1e-3, 1e-2, 0.1)),
}
_OUTPUTS = {
    "activity_l1": ("strength", (1e-5, 1e-4, 1e-3, 1e-2)),
    "activity_l2": ("strength", (1e-5, 1e-4, 1e-3, 1e-2)),
    "confidence": ("strength", (0.03, 0.1, 0.3, 1.0)),
    "fgsm": ("epsilon", (0.02, 0.05, 0.1, 0.2, 0.5)),
    "jacobian": ("strength", (1e-4, 1e-3, 1e-2, 0.1)),
    "r_drop": ("strength", (0.1, 0.3, 1.0, 3.0)),
}

TECHNIQUES: dict[str, Callable[[Setting], Technique | None]] = {
    "more_data": _more_data,
    "augmentation": _augmentation,
    "early_stopping": _early_stopping,
    "l2": _l2,
    "decoupled": _decoupled,
    "l1": _l1,
    **{name: functools.partial(_noise, name, grid) for name, grid in _NOISES.items()},
    **{name: functools.partial(_number, name, *rest) for name, rest in _NUMBERS.items()},
    **{name: functools.partial(_outputs, name, *rest) for name, rest in _OUTPUTS.items()},
}
DEFAULT = ("more_data", "augmentation", "early_stopping", "l2", "l1", "dropout", COMBINATION)


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
      InputError: an unknown name, a name twice, one that does not apply here (those of the default list are left out),
        a grid for a technique without parameter, or nothing to compare.
    """
    if isinstance(techniques, str):
        raise InputError(f"techniques must be a list of names, as [{techniques!r}]")
    if techniques is not None and not isinstance(techniques, Sequence | Mapping):
        techniques = [techniques]  # refused below unless it is one
    wanted = DEFAULT if techniques is None else techniques
    grids = {name: tuple(grid) for name, grid in wanted.items()} if isinstance(wanted, Mapping) else {}
    found: list[Technique] = []
    noises = ", ".join(setting.noises) or "none"
    for item in wanted:
        if isinstance(item, Technique):
            found.append(item)
            continue
        if not isinstance(item, str):
            raise InputError(
                f"technique {in_short(item)} is no name and no Technique; a penalty becomes one by "
                "rj.penalty_technique(name, penalty, mode='proximal')"
            )
        check_choice("technique", item, [*TECHNIQUES, COMBINATION])
        if item == COMBINATION:
            continue
        technique = TECHNIQUES[item](setting)
        if technique is None or not (technique.values or grids.get(item)):
            if item not in DEFAULT:
                raise InputError(f"technique {item!r} does not fit this model or task; the model's noises: {noises}")
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
