"""The options of a comparison; no JAX."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from regjax.catalog import SELECTIONS
from regjax.core.options import choice, whole
from regjax.training.options import TrainingOptions

if TYPE_CHECKING:
    from regjax.augment import Augmentation
    from regjax.core.typing import Value


@dataclasses.dataclass(frozen=True)
class CompareOptions(TrainingOptions):
    """How to compare: everything of `TrainingOptions`, and what follows.

    Some mean more here than in one run: `epochs=None` makes at least 800 updates and 50 epochs; the learning rate is
    the same for every setting; `patience` is that of the row "early stopping", fixed and not tuned, None being 10.

    Attributes:
      seeds: how many; each varies initialization, order, noise and which examples form the training part. The
        validation and test parts are the same for all. With 5 seeds no p can be below 0.0625.
      select: `"best"`, or `"1se"`: the most regularized setting within one standard error of the best.
      augmentation: what strength 1 does, as `"shift=1,rotate=15,noise=0.2"`; None depends on the data.
      always: keyword arguments of `make_hparams` that act in every run, the baseline included, as
        `{"rates": {"dropout": 0.5}}`: then the question is what helps on top of that.
      task: `"classification"` or `"regression"`, where arrays are to be read otherwise.
      standardize: of the inputs, one of `regjax.data.preprocess.STANDARDIZE`: by default images by channel, tables by
        column, sequences by feature, and integers not at all.
    """

    seeds: int = whole("compare", 10, "how many seeds, from --seed on; with 5 no p can be below 0.0625")
    select: str = choice(
        "compare",
        "best",
        SELECTIONS,
        "choice on validation: the best mean, or the most regularized setting within one standard error of it",
    )
    augmentation: Augmentation | str | None = None
    always: Mapping[str, Value] | None = None
    task: str | None = None
    standardize: str = "auto"

    def all_seeds(self) -> range:
        """The seeds, one a run of each setting."""
        return range(self.seed, self.seed + self.seeds)


def with_changes(options: CompareOptions | None, changes: Mapping[str, Value]) -> CompareOptions:
    """The options, some of them changed by keyword arguments.

    Raises:
      TypeError: a keyword that is no option.
      InputError: a value that is not accepted.

    Example:
      >>> with_changes(None, {"seeds": 3}).seeds
      3
    """
    names = [field.name for field in dataclasses.fields(CompareOptions)]
    for name in changes:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise TypeError(
                f"compare: {name!r} is no option{f' (did you mean {near[0]!r}?)' if near else ''}; "
                f"accepted: {', '.join(names)}"
            )
    return dataclasses.replace(options or CompareOptions(), **changes)
