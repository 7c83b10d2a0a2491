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
      examples: positions of the test examples of each run in the dataset, `[runs, N]`, or the numbers of their groups:
        those of one group are not independent, and count as one example. None if all runs share them.
      population: the number of examples, or groups, that further splits may test; None if it is not known, or if all
        runs share their test examples.
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
        """How far one answer moves the value of its example, where it moves it most; 0 without reaches.

        Of groups it is that of all answers of a group, times the size of the group of a random example over the mean
        size, so that it is to be divided by the number of groups.
        """
        if reaches is None:
            return 0.0
        largest = float(np.max(np.stack(list(reaches))))
        if self.examples is None:
            return largest
        sizes = np.concatenate([np.unique(row, return_counts=True)[1] for row in self.examples])
        return largest * float(np.mean(np.square(sizes)) / np.mean(sizes) ** 2)

    def differing(self, values: Rows, reaches: Rows) -> float:
        """How many answers differ, of the examples that can move the metric most.

        It is the effective number

          (sum of squares)^2 / sum of fourth powers

        of differences, which is their number if all differ alike. Of right answers it is over all examples and runs.
        Of another metric it is over the examples whose reach is at least half of the largest, so of a rare class only
        over its own, by their means over runs; the differences are deviations from the median of their run, which
        answers that do not differ have. The examples of a group are added up, and count as one.
        """
        reach, d = np.stack(list(reaches)), np.stack(list(values))
        ids = np.broadcast_to(np.arange(d.shape[1]), d.shape) if self.examples is None else self.examples
        _, place = np.unique(ids, return_inverse=True)
        place = place.reshape(d.shape)
        cells = place + (int(place.max()) + 1) * np.arange(len(d))[:, None]
        if np.all(np.isin(d, (-1.0, 0.0, 1.0))):
            return _effective(np.bincount(cells.ravel(), d.ravel()))
        far = reach >= 0.5 * reach.max()
        middle = [np.median(row[own]) if own.any() else 0.0 for row, own in zip(d, far, strict=True)]
        d = np.where(far, d - np.array(middle)[:, None], 0.0)
        runs = np.bincount(np.unique(cells) % (int(place.max()) + 1))
        return _effective(np.bincount(place.ravel(), d.ravel()) / runs)

    def tested(self, values: Rows) -> int:
        """The number of distinct test examples, or of their groups."""
        return np.shape(values)[-1] if self.examples is None else len(np.unique(self.examples))

    def variance(self, values: Rows, reaches: Rows | None = None) -> RunVariance:
        """The variance behind `interval`, in parts."""
        splits, counted = self.splits.tolist(), self.reach(reaches)
        return run_variance(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)


def _effective(values: np.ndarray) -> float:
    """The number of values that differ from 0 if they are alike, and fewer otherwise."""
    squares = np.square(values)
    return float(squares.sum() ** 2 / max(float(np.square(squares).sum()), 1e-300))
