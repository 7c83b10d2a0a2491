"""Optimizers by name, with a penalty in any mode and, by construction, the right proximal threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import optax
import optax.contrib

from regjax.catalog import PENALTY_MODES
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.typing import ArrayLike, PenaltyMode, Value
from regjax.optim import stepsizes
from regjax.optim.penalized import regularize
from regjax.optim.stepsizes import LearningRate, StepSize
from regjax.optim.transforms import project
from regjax.penalties import Penalty
from regjax.penalties.constraints import Constraint, check_projected


class Optimizer(NamedTuple):
    """An entry of the registry of optimizers.

    Attributes:
      build: `(learning rate, **hyperparameters) -> optax transform`, without weight decay.
      defaults: its further hyperparameters, with their defaults.
      stepsize: `(learning rate, **hyperparameters) -> StepSize`, if theory gives a proximal step.
      reason: why there is no proximal step.
    """

    build: Callable[..., optax.GradientTransformation]
    defaults: dict[str, float]
    stepsize: Callable[..., StepSize] | None = None
    reason: str = ""


_ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(optax.sgd, {}, stepsizes.sgd),
    "momentum": Optimizer(optax.sgd, {"momentum": 0.9}, stepsizes.sgd),
    "nesterov": Optimizer(
        lambda rate, momentum: optax.sgd(rate, momentum=momentum, nesterov=True),
        {"momentum": 0.9},
        lambda rate, momentum: stepsizes.sgd(rate, momentum, nesterov=True),
    ),
    "adam": Optimizer(optax.adam, _ADAM, lambda rate, b1, b2, eps: stepsizes.adam(rate, b2, eps)),
    "rmsprop": Optimizer(
        optax.rmsprop, {"decay": 0.9, "eps": 1e-8}, lambda rate, decay, eps: stepsizes.rmsprop(rate, eps)
    ),
    "adagrad": Optimizer(optax.adagrad, {"eps": 1e-8}, stepsizes.adagrad),
    "nadam": Optimizer(optax.nadam, _ADAM, stepsizes.nadam),
    "amsgrad": Optimizer(optax.amsgrad, _ADAM, lambda rate, b1, b2, eps: stepsizes.amsgrad(rate, eps)),
    "adamax": Optimizer(optax.adamax, _ADAM, lambda rate, b1, b2, eps: stepsizes.adamax(rate, eps)),
    "lion": Optimizer(
        lambda rate, b1, b2: optax.lion(rate, b1=b1, b2=b2, weight_decay=0.0),
        {"b1": 0.9, "b2": 0.99},
        reason="it moves by the sign of the gradient, so its updates do not vanish at a penalized solution",
    ),
    "muon": Optimizer(
        lambda rate, momentum: optax.contrib.muon(rate, beta=momentum),
        {"momentum": 0.95},
        reason="it makes all singular values of an update equal, which no proximal map in closed form follows",
    ),
    "adafactor": Optimizer(
        lambda rate: optax.adafactor(rate),
        {},
        reason="it clips its updates and scales them by the size of the weights, so it has no step of its own",
    ),
}
_ELSEWHERE = {
    "adamw": "is 'adam' with penalty l2(weight_decay / 2) and mode 'decoupled'",
    "schedule_free": (
        "trains one set of weights and evaluates an average of others, which has no exact zeros and which runs would "
        "have to know of; in a loop of your own, put the penalty into the loss (rj.build_loss) and use optax.contrib"
    ),
}


def make_optimizer(
    name: str,
    learning_rate: LearningRate,
    *,
    penalty: Penalty | None = None,
    mode: PenaltyMode = "coupled",
    constraint: Constraint | None = None,
    momentum: ArrayLike | None = None,
    b1: ArrayLike | None = None,
    b2: ArrayLike | None = None,
    eps: ArrayLike | None = None,
    decay: ArrayLike | None = None,
) -> optax.GradientTransformation:
    """An optimizer with a penalty; both fit together by construction.

    Args:
      name: `"sgd"`, `"momentum"` (heavy ball), `"nesterov"`, `"adam"`, `"rmsprop"`, `"adagrad"`, `"nadam"`,
        `"amsgrad"`, `"adamax"`, `"lion"`, `"muon"` or `"adafactor"`; the last three have no proximal step. `"adam"`
        with `l2(s)` and mode `"decoupled"` is AdamW with `weight_decay = 2 s`.
      learning_rate: > 0; a number, a traced array, a schedule, or `rj.BaseAndShape` (which mode `"independent"`
        needs when the rate is scheduled).
      penalty: optional.
      mode: `"coupled"`, `"decoupled"`, `"independent"` or `"proximal"`; see `regjax.optim.transforms`.
      constraint: optional; every update satisfies it (up to rounding; `rj.apply_constraints` is exact).
      momentum: in [0, 1), of `"momentum"` and `"nesterov"` (0.9) and of `"muon"` (0.95).
      b1: first decay, in [0, 1), of the Adam family and of Lion (0.9).
      b2: second decay, in [0, 1), of the Adam family (0.999) and of Lion (0.99).
      eps: >= 0, of the Adam family (outside the root), RMSProp and Adagrad (inside); 1e-8.
      decay: of the second moment of RMSProp, in [0, 1); 0.9.

    Returns:
      An optax transform whose `update` needs `params` when there is a penalty.

    Raises:
      InputError: unknown name or mode.
      ValueError: a concrete number out of range, or one that this optimizer does not have; a proximal penalty for an
        optimizer without a proximal step; mode `"loss"`, which belongs to `rj.build_loss`.

    Example:
      >>> from regjax.penalties import l1
      >>> tx = make_optimizer("adam", 1e-3, penalty=l1(1e-4), mode="proximal")
    """
    check_choice("mode", mode, PENALTY_MODES)
    penalties = {} if penalty is None else {mode: penalty}
    if mode == "proximal" and penalty is not None:
        check_projected(penalty, constraint)
    tx = with_penalties(name, learning_rate, penalties, momentum=momentum, b1=b1, b2=b2, eps=eps, decay=decay)
    return tx if constraint is None else optax.chain(tx, project(constraint))


def with_penalties(
    name: str,
    learning_rate: LearningRate,
    penalties: Mapping[PenaltyMode, Penalty] | Mapping[str, Penalty],
    **hyperparameters: ArrayLike | None,
) -> optax.GradientTransformation:
    """Like `make_optimizer`, with a penalty for each of several modes, as `{"coupled": l2(.1)}`.

    The proximal step is the last one, so that its zeros stay.

    Raises:
      InputError: unknown name or mode.
      ValueError: as `make_optimizer`.

    Example:
      >>> from regjax.penalties import l1, l2
      >>> tx = with_penalties("sgd", 0.1, {"coupled": l2(0.01), "proximal": l1(0.1)})
    """
    if name in _ELSEWHERE:
        raise InputError(f"optimizer {name!r} {_ELSEWHERE[name]}")
    check_choice("optimizer", name, OPTIMIZERS)
    entry = OPTIMIZERS[name]
    if not callable(learning_rate):
        check_range("make_optimizer: learning_rate", learning_rate, 0.0, low_open=True)
    changed = {label: value for label, value in hyperparameters.items() if value is not None}
    for label, value in changed.items():
        if label not in entry.defaults:
            takes = ", ".join(entry.defaults) or "no further numbers"
            hint = "; heavy ball is 'momentum'" if (name, label) == ("sgd", "momentum") else ""
            raise ValueError(f"make_optimizer: {name!r} does not use {label}, got {value}; it takes {takes}{hint}")
        check_range(f"make_optimizer: {label}", value, 0.0, *(() if label == "eps" else (1.0,)), high_open=True)

    all_hyperparameters = {**entry.defaults, **changed}
    tx = entry.build(learning_rate, **all_hyperparameters)
    by_mode = cast("Mapping[PenaltyMode, Penalty]", penalties)
    for mode in sorted(by_mode, key=PENALTY_MODES.index):  # proximal is the last of PENALTY_MODES
        # Step and optimizer match by construction, so there is nothing to verify.
        options: dict[str, Value] = {"check_step": False}
        if mode == "proximal":
            if entry.stepsize is None:
                raise ValueError(f"make_optimizer: {name!r} has no proximal step: {entry.reason}; use another mode")
            options["stepsize"] = entry.stepsize(learning_rate, **all_hyperparameters)
        elif mode in ("decoupled", "independent"):
            options["learning_rate"] = learning_rate
        tx = regularize(tx, by_mode[mode], mode=mode, **options)
    return tx
