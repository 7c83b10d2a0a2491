"""The arithmetic of successive halving: how many trials train for how many epochs, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from regjax.core.checks import check_range


class Rung(NamedTuple):
    """A step of successive halving.

    Attributes:
      epochs: epochs for which a trial on this rung has trained in all.
      trials: number of trials that reach it.
    """

    epochs: int
    trials: int


def halving_rungs(trials: int, epochs: int, *, min_epochs: int | None = None, reduction: int = 3) -> list[Rung]:
    """The rungs of successive halving, first to last; the best `1 / reduction` of a rung go on to the next.

      epochs of rung k from the last = round(epochs / reduction^k),   trials of rung k = floor(trials / reduction^k)

    There are as many rungs as `min_epochs` and the trials allow: the first has at least `min_epochs` epochs, and at
    least one trial reaches the last.

    Args:
      trials: number of trials on the first rung.
      epochs: epochs of the last rung, those of a whole training.
      min_epochs: fewest epochs of a trial; None is `epochs / reduction^3`, and at least 1.
      reduction: a rung keeps one trial in so many.

    Raises:
      ValueError: a number out of range.

    Example:
      >>> halving_rungs(27, 50)
      [Rung(epochs=2, trials=27), Rung(epochs=6, trials=9), Rung(epochs=17, trials=3), Rung(epochs=50, trials=1)]
      >>> epochs_in_all(halving_rungs(27, 50)), 27 * 50
      (156, 1350)

    Reference: Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter optimization, 2016.
    """
    check_range("halving_rungs: trials", trials, 1)
    check_range("halving_rungs: epochs", epochs, 1)
    check_range("halving_rungs: reduction", reduction, 2)
    if min_epochs is not None:
        check_range("halving_rungs: min_epochs", min_epochs, 1, epochs)
    fewest = max(1, epochs // reduction**3) if min_epochs is None else min_epochs
    at = [epochs]
    while reduction ** len(at) <= trials:
        below = round(epochs / reduction ** len(at))
        if not fewest <= below < at[-1]:
            break
        at.append(below)
    return [Rung(count, trials // reduction**k) for k, count in enumerate(reversed(at))]


def epochs_in_all(rungs: Sequence[Rung]) -> int:
    """The epochs that all trials together train for, where each goes on from rung to rung.

    Example:
      >>> epochs_in_all([Rung(10, 9), Rung(30, 3), Rung(90, 1)])
      210
    """
    before = [0, *(rung.epochs for rung in rungs)]
    return sum(rung.trials * (rung.epochs - start) for rung, start in zip(rungs, before, strict=False))


def halving_trials(budget: int, epochs: int, *, min_epochs: int | None = None, reduction: int = 3) -> int:
    """The largest number of trials whose successive halving trains for at most `budget` epochs in all.

    Args:
      budget: epochs in all; at least `epochs`, for one trial.
      epochs: as in `halving_rungs`.
      min_epochs: as in `halving_rungs`.
      reduction: as in `halving_rungs`.

    Raises:
      ValueError: a number out of range.

    Example:
      >>> halving_trials(27 * 90, 90, min_epochs=10), halving_trials(90, 90)
      (107, 1)
    """
    check_range("halving_trials: budget", budget, epochs)

    def cost(trials: int) -> int:
        return epochs_in_all(halving_rungs(trials, epochs, min_epochs=min_epochs, reduction=reduction))

    # A further rung may cost less, so the cost does not rise everywhere, and the search goes down from above.
    trials = budget
    while trials > 1 and cost(trials) > budget:
        trials -= 1
    return trials
