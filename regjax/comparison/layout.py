"""Which runs of a comparison share a split, and the intervals of means that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from regjax.analysis import Interval, RunVariance, run_interval, run_variance

Rows = Sequence[np.ndarray] | np.ndarray


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

    def interval(self, values: Rows, reaches: Rows | None = None) -> Interval:
        """The interval of the mean of `[runs, N]`, over fresh splits, seeds and test examples.

        Args:
          values: what each test example contributes.
          reaches: how far one answer moves that, as `Evaluation.reach`; None where nothing is answered.
        """
        splits, counted = self.splits.tolist(), self.reach(reaches)
        return run_interval(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)

    def reach(self, reaches: Rows | None) -> float:
        """How far one answer moves the value of its example, where it moves it most; 0 without reaches."""
        return 0.0 if reaches is None else float(np.max(np.stack(list(reaches))))

    def differing(self, values: Rows, reaches: Rows) -> float:
        """How many answers differ, of the examples that can move the metric most.

        Right answers are counted over all runs. Of another metric it is the effective number of examples that differ,

          (sum of squares)^2 / sum of fourth powers

        of the differences of all examples whose reach is at least half of the largest: of a rare class, only its own
        count. The differences are deviations from the median of their run, which answers that do not differ have, and
        means over the runs that test an example. It is their number if all differ alike.
        """
        reach, d = np.stack(list(reaches)), np.stack(list(values))
        if np.all(np.isin(d, (-1.0, 0.0, 1.0))):
            return float(np.count_nonzero(d))
        far = reach >= 0.5 * reach.max()
        middle = [np.median(row[own]) if own.any() else 0.0 for row, own in zip(d, far, strict=True)]
        d = np.where(far, d - np.array(middle)[:, None], 0.0)
        ids = np.broadcast_to(np.arange(d.shape[1]), d.shape) if self.examples is None else self.examples
        _, place = np.unique(ids, return_inverse=True)
        squares = np.square(np.bincount(place.ravel(), d.ravel()) / np.bincount(place.ravel()))
        return float(squares.sum() ** 2 / max(np.square(squares).sum(), 1e-300))

    def tested(self, values: Rows) -> int:
        """The number of distinct test examples."""
        return np.shape(values)[-1] if self.examples is None else len(np.unique(self.examples))

    def variance(self, values: Rows, reaches: Rows | None = None) -> RunVariance:
        """The variance behind `interval`, in parts."""
        splits, counted = self.splits.tolist(), self.reach(reaches)
        return run_variance(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)
