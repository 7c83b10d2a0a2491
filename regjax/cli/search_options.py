"""The options of a search, and whether they fit together. Does not import JAX."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from regjax.catalog import SEARCHES
from regjax.cli import flags
from regjax.cli.options import RunOptions, SharedBatchOptions
from regjax.core.options import choice, switch, whole
from regjax.core.ranges import Range

TRIALS, HALTED_TRIALS, REDUCTION, PLACES = 32, 64, 3, 8
_HALTS = ("halving", "asha")
_USES = {
    "trials": ("random", "sobol", "halving", "asha", "optuna"),
    "reduction": _HALTS,
    "min_epochs": _HALTS,
    "places": ("asha", "optuna"),
}


@dataclasses.dataclass(frozen=True)
class SearchOptions(SharedBatchOptions, RunOptions):
    """The options of a search, and those of its runs."""

    epochs: int = whole("training", 50, "passes over the training examples at most")
    restore_best: bool = switch("stopping", True, "end with the weights of the best evaluation")
    search: str = choice(
        "sweep",
        "grid",
        SEARCHES,
        "how settings are chosen: every combination of lists, or points of ranges; halving and asha halt the worse "
        "ones early; optuna proposes by the scores so far",
    )
    trials: int | None = whole(
        "sweep",
        None,
        f"settings that a search tries; default {TRIALS}, with halving and asha {HALTED_TRIALS}, and of lists alone "
        "every combination; with sobol a power of two is best",
    )
    reduction: int | None = whole(
        "sweep", None, f"halving and asha let one trial in so many go on; default {REDUCTION}", low=2
    )
    min_epochs: int | None = whole(
        "sweep", None, "fewest epochs of a trial of halving or asha; default --epochs / --reduction^3"
    )
    places: int | None = whole(
        "sweep",
        None,
        f"trials that asha and optuna have under way at a time; default {PLACES}; results do not depend on the machine",
    )

    @property
    def search_seed(self) -> int:
        """The seed of the points of a search."""
        return self.seed

    @property
    def reduction_or_default(self) -> int:
        """One trial in so many goes on."""
        return self.reduction or REDUCTION

    @property
    def places_or_default(self) -> int:
        """Trials under way at a time."""
        return self.places or PLACES

    def trial_count(self, space: Mapping[str, Sequence[float] | Range]) -> int:
        """The number of trials."""
        if self.trials is not None:
            return self.trials
        lists = [values for values in space.values() if not isinstance(values, Range)]
        if len(lists) == len(space):
            return math.prod(map(len, lists))
        return HALTED_TRIALS if self.search in _HALTS else TRIALS


def check_search(config: SearchOptions, space: Mapping[str, Sequence[float] | Range]) -> None:
    """Refuse options that do not fit the search.

    Raises:
      FlagError: names the flag and what is accepted.
    """
    for name, methods in _USES.items():
        fits = getattr(config, name) is None or config.search in methods
        flags.check(fits, name, f"is for --search={', '.join(methods)}, not {config.search}")
    if config.search in _HALTS:
        fewest = config.min_epochs or 1
        flags.check(fewest <= config.epochs, "min_epochs", f"must be at most --epochs={config.epochs}")
    if config.search == "grid":
        return
    lists = [values for values in space.values() if not isinstance(values, Range)]
    if len(lists) == len(space):
        ranges = "a Sobol sequence needs a range, such as l2=loguniform(1e-6,1e-1); lists alone are a grid"
        flags.check(config.search != "sobol", "sweep", ranges)
        most = math.prod(map(len, lists))
        enough = config.search == "optuna" or config.trial_count(space) <= most
        flags.check(enough, "trials", f"the lists have {most} combinations; give fewer, or a range as uniform(0,0.8)")
    single = config.search in ("grid", "random", "sobol") or not config.distributed
    flags.check(single, "distributed", f"--search={config.search} trains in one process")
