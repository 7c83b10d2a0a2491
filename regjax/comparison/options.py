"""The options of a comparison. JAX is not imported here."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from regjax.catalog import METRICS, SELECTIONS
from regjax.core.errors import InputError
from regjax.core.options import choice, number, switch, text, whole
from regjax.training.options import TrainingOptions

if TYPE_CHECKING:
    from regjax.augment import Augmentation
    from regjax.core.typing import Value


@dataclasses.dataclass(frozen=True)
class CompareOptions(TrainingOptions):
    """Options of a comparison: those of `TrainingOptions` and the ones below.

    Some options of `TrainingOptions` have a special meaning here. `batch_size=None` is a fiftieth of the training set,
    as a power of 2 from 32 to 1024. `epochs=None` trains for at least 800 updates and 50 epochs, on large sets for
    10,000 updates and at least 10 epochs. The learning rate is the same for every setting on a split;
    `learning_rate=None` takes within each split the best for the baseline on its validation examples, of five, or of up
    to seven if the best is at an end (`regjax.comparison.learning_rate`), on the embedded digits 3e-3.
    `patience` is used by the technique "early stopping" only; it is fixed, not tuned, and None means 10.

    Attributes:
      seeds: number of runs of each setting. A seed determines the initialization, the order of the examples, the noise
        and which examples form the training set. With 5 runs, no p-value can be below 0.0625.
      splits: number of splits into training, validation and test set over which the runs are spread evenly, made with
        the seeds from `split_seed` on; a setting is chosen within each split. None is one for each run, or 1 if the
        data come as `Splits`: what one split shows often does not hold on another one. An official test set stays.
      select: `"best"`, or `"1se"`: the most regularized setting within one standard error of the best.
      metric: the metric by which settings are chosen and tested: `"accuracy"`, `"balanced_accuracy"`, `"roc_auc"`,
        `"average_precision"`, `"f1"`, `"log_loss"` or `"brier"` of classes, `"r2"`, `"mae"` or `"rmse"` of numbers; see
        `regjax.analysis.metrics`. None is the first of its task.
      practical: smallest change of the metric that matters: in points (hundredths) where a higher value is better, and
        in percent of the baseline's value for losses and errors. One point is the standard error of an accuracy of 80%
        on 1,600 test examples, and 1% of the variance of a target.
      practical_loss: smallest change of the test loss that matters, in percent of the baseline's, because a loss has no
        unit of its own. 2% is a fifteenth of the standard deviation over seeds of the digits' loss.
      augmentation: the augmentation at strength 1, such as `"shift=1,rotate=15,noise=0.2"`; None chooses one for
        the kind of data.
      fresh_seeds: whether the chosen settings, and the baseline, are trained again for the test, with the seeds that
        follow. Weights that were chosen for their validation score do better than other weights of the same setting:
        if those are tested, the gain of a winner is partly their luck. Without it there are a fifth fewer runs.
      budget: about how long the comparison may take, as `"90s"`, `"5min"` or `"2h"`. If it would take longer, there are
        fewer runs of each setting, down to 6, then shorter grids; see `regjax.comparison.budget`.
      always: keyword arguments of `make_hparams` for every run, including the baseline, such as
        `{"rates": {"dropout": 0.5}}`. The comparison then shows what helps in addition to them.
      standardize: how to standardize the inputs, one of `regjax.data.preprocess.STANDARDIZE`. By default, images are
        standardized per channel, tables per column and sequences per feature; integers are not standardized.
    """

    batch_size: int | None = whole(  # type: ignore[assignment]
        "training", None, "examples in an update; default by the size of the data, 32 to 1024"
    )
    learning_rate: float | None = number(  # type: ignore[assignment]
        "training",
        None,
        "base learning rate; default: the best of five to seven for the baseline on validation, on digits 0.003",
        low_open=True,
    )
    seeds: int = whole("compare", 10, "how many runs of each setting, with seeds from --seed on; below 6 nothing shows")
    splits: int | None = whole(
        "compare", None, "over how many splits of the data the runs are spread, from --split_seed on; default one a run"
    )
    select: str = choice(
        "compare",
        "best",
        SELECTIONS,
        "choice on validation: the best mean, or the most regularized setting within one standard error of it",
    )
    metric: str | None = choice(
        "compare", None, tuple(METRICS), "by which settings are chosen and tested; default accuracy, of numbers r2"
    )
    practical: float = number(
        "compare",
        1.0,
        "smallest change of the metric that matters, in points (hundredths), or of errors and losses in percent of the "
        "baseline's; one point is the standard error of 80% accuracy on 1,600 examples",
        fixed=False,
    )
    practical_loss: float = number(
        "compare",
        2.0,
        "smallest change of the test loss that matters, in percent of the baseline's; 2% is a fifteenth of "
        "what another seed changes on the digits",
        fixed=False,
    )
    augmentation: Augmentation | str | None = None
    fresh_seeds: bool = switch(
        "compare", True, "train the chosen settings again for the test, with seeds that the choice has not seen"
    )
    learning_curves: bool = switch(
        "compare",
        False,
        "train the chosen setting of each row on an eighth, a quarter and half of the examples, too, and fit their "
        "learning curves",
    )
    budget: str | None = text(
        "compare", None, "about how long it may take, as 90s, 5min or 2h; fewer runs of each setting if need be"
    )
    always: Mapping[str, Value] | None = None
    standardize: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.budget is not None:
            seconds_of(self.budget)
        if self.splits is not None and self.seeds % self.splits:
            raise InputError(f"splits {self.splits}: {self.seeds} seeds cannot be spread evenly over them")

    def seeds_of(self, split: int) -> range:
        """Return the seeds of the runs on the split with this number, from 0."""
        count = self.seeds // (self.splits or self.seeds)
        return range(self.seed + split * count, self.seed + (split + 1) * count)

    def all_seeds(self) -> range:
        """Return the seeds of all runs with which settings are chosen."""
        return range(self.seed, self.seed + self.seeds)

    def tested_seeds(self, chosen: range) -> range:
        """Return the seeds of the runs that are tested, where those of the choice are `chosen`."""
        return range(chosen.start + self.seeds, chosen.stop + self.seeds) if self.fresh_seeds else chosen


UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration.

    Raises:
      InputError: it is not a number with one of the `UNITS`.

    Example:
      >>> seconds_of("90s"), seconds_of("5min"), seconds_of("1.5 h")
      (90.0, 300.0, 5400.0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|min|h)\s*", duration)
    if not found or not float(found[1]):
        raise InputError(f"budget {duration!r} is not a duration; accepted: a number and a unit, as 90s, 5min or 2h")
    return float(found[1]) * UNITS[found[2]]


def with_changes(options: CompareOptions | None, changes: Mapping[str, Value]) -> CompareOptions:
    """Return the options with some of them replaced by keyword arguments.

    Raises:
      TypeError: a keyword is not an option.
      InputError: a value is not accepted.

    Example:
      >>> with_changes(None, {"seeds": 3}).seeds
      3
    """
    names = [field.name for field in dataclasses.fields(CompareOptions)]
    for name in changes:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise TypeError(
                f"compare: {name!r} is not an option{f' (did you mean {near[0]!r}?)' if near else ''}; "
                f"accepted: {', '.join(names)}"
            )
    return dataclasses.replace(options or CompareOptions(), **changes)
