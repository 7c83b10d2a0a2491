"""Which runs of a comparison share a split, and the intervals of means that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from regjax.analysis import Interval, RunVariance, run_interval, run_variance


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Which runs share a split, and which examples they were tested on.

    Attributes:
      splits: number of the split of each run, `[runs]`, from 0; the same number of runs on each.
      examples: positions of the test examples of each run in the dataset, `[runs, N]`; None if all runs share them.
      population: the number of examples that further splits may test; None if it is not known, or if all runs share
        their test examples.
    """

    splits: np.ndarray
    examples: np.ndarray | None
    population: int | None = None

    @property
    def several(self) -> bool:
        """Whether there is more than one split."""
        return len(np.unique(self.splits)) > 1

    @property
    def groups(self) -> int:
        """The number of independent observations: of splits, or with one split of its runs."""
        return len(np.unique(self.splits)) if self.several else len(self.splits)

    def grouped(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """One value for each split, the sum over its runs; with one split the values of its runs. `[groups]`."""
        values = np.asarray(values, np.float64)
        if not self.several:
            return values
        return np.array([values[self.splits == split].sum() for split in np.unique(self.splits)])

    @property
    def unit(self) -> float:
        """The factor that turns the sums of `grouped` into means over the runs of a split."""
        return self.groups / len(self.splits)

    def interval(self, values: Sequence[np.ndarray] | np.ndarray, *, counted: bool = False) -> Interval:
        """The interval of the mean of `[runs, N]`, over fresh splits, seeds and test examples."""
        splits = self.splits.tolist()
        return run_interval(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)

    def tested(self, values: Sequence[np.ndarray] | np.ndarray) -> int:
        """The number of distinct test examples."""
        return np.shape(values)[-1] if self.examples is None else len(np.unique(self.examples))

    def variance(self, values: Sequence[np.ndarray] | np.ndarray, *, counted: bool = False) -> RunVariance:
        """The variance behind `interval`, in parts."""
        splits = self.splits.tolist()
        return run_variance(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)
