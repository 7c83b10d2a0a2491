"""Optimizers by name, with the penalty on the route that was asked for and the right threshold by construction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

from regjax import stepsizes
from regjax.checks import check_choice, check_range
from regjax.penalties import Penalty
from regjax.stepsizes import LearningRate, StepSize
from regjax.transforms import MODES, regularize
from regjax.typing import ArrayLike

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam")


def make_optimizer(
    name: str,
    learning_rate: LearningRate,
    *,
    penalty: Penalty | None = None,
    mode: str = "coupled",
    momentum: ArrayLike = 0.9,
    b1: ArrayLike = 0.9,
    b2: ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
) -> optax.GradientTransformation:
    """An optimizer with a penalty, consistent by construction.

    Args:
      name: `"sgd"`, `"momentum"` (heavy ball), `"nesterov"` or `"adam"`. `"adam"` with `l2(s)` and mode
        `"decoupled"` is AdamW with `weight_decay = 2 s`.
      learning_rate: > 0; a number, a traced array, a schedule, or `rj.BaseAndShape` (which mode `"independent"`
        needs when the rate is scheduled).
      penalty: optional.
      mode: `"coupled"`, `"decoupled"`, `"independent"` or `"proximal"`; see `regjax.transforms`.
      momentum: of `"momentum"` and `"nesterov"`, in [0, 1).
      b1: Adam's first decay, in [0, 1).
      b2: Adam's second decay, in [0, 1).
      eps: Adam's `eps` >= 0, outside the root.

    Returns:
      An optax transform whose `update` needs `params` when there is a penalty.

    Raises:
      InputError: unknown name or mode.
      ValueError: a concrete number out of range, or mode `"loss"`, which belongs to `rj.build_loss`.

    Example:
      >>> from regjax.penalties import l1
      >>> tx = make_optimizer("adam", 1e-3, penalty=l1(1e-4), mode="proximal")
    """
    check_choice("optimizer", name, OPTIMIZERS)
    check_choice("mode", mode, MODES)
    if not callable(learning_rate):
        check_range("make_optimizer: learning_rate", learning_rate, 0.0, low_open=True)
    for label, value in (("momentum", momentum), ("b1", b1), ("b2", b2)):
        check_range(f"make_optimizer: {label}", value, 0.0, 1.0, high_open=True)
    check_range("make_optimizer: eps", eps, 0.0)

    build: dict[str, Callable[[], tuple[optax.GradientTransformation, Callable[[], StepSize]]]] = {
        "sgd": lambda: (optax.sgd(learning_rate), lambda: stepsizes.sgd(learning_rate)),
        "momentum": lambda: (
            optax.sgd(learning_rate, momentum=momentum),
            lambda: stepsizes.sgd(learning_rate, momentum),
        ),
        "nesterov": lambda: (
            optax.sgd(learning_rate, momentum=momentum, nesterov=True),
            lambda: stepsizes.sgd(learning_rate, momentum, nesterov=True),
        ),
        "adam": lambda: (
            optax.adam(learning_rate, b1=b1, b2=b2, eps=eps),
            lambda: stepsizes.adam(learning_rate, b2, eps),
        ),
    }
    tx, metric = build[name]()
    if penalty is None:
        return tx
    arguments: dict[str, Any] = {}
    if mode == "proximal":
        arguments["stepsize"] = metric()
    elif mode in ("decoupled", "independent"):
        arguments["learning_rate"] = learning_rate
    return regularize(tx, penalty, mode=mode, **arguments)
