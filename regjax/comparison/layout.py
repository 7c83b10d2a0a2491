"""Which runs of a comparison share a split, and the intervals of means that follow from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from regjax.analysis import Interval, RunVariance, run_interval, run_variance
from regjax.report.reach import FEWEST_UNITS

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

        Returns:
          The interval; its ends are NaN with a single run, and with fewer than `FEWEST_UNITS` test examples or groups.
        """
        if not self.tells(values):
            return Interval(float(np.mean(np.stack(list(values)))), math.nan, math.nan)
        splits, counted = self.splits.tolist(), self.reach(reaches)
        return run_interval(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)

    def reach(self, reaches: Rows | None) -> float:
        """How far one answer moves the value of its example, where it moves it most; 0 without reaches.

        Of groups it is that of the answers of a group that move it far (at least half as far as the largest), times the
        mean number of groups of a run over its examples, so that it is to be divided by the number of groups. The group
        is that of a random one of these examples: large ones count more.
        """
        if reaches is None:
            return 0.0
        all_reaches = np.stack(list(reaches))
        largest = float(all_reaches.max())
        units, runs = self._units(all_reaches)
        cells = (units + (units.max() + 1) * runs)[all_reaches >= 0.5 * largest]
        together = np.unique(cells, return_counts=True)[1]
        tested = sum(len(np.unique(row)) for row in units)
        if tested == units.size:
            return largest
        return largest * float(np.mean(np.square(together)) / np.mean(together)) * tested / units.size

    def differing(self, values: Rows, reaches: Rows) -> float:
        """How many answers differ, of the examples that can move the metric most.

        It is the effective number

          (sum of squares)^2 / sum of fourth powers

        of differences, which is their number if all differ alike. Of right answers it is over all examples and runs.
        Of another metric it is over the examples whose reach is at least half of the largest, so of a rare class only
        over its own, by their means over runs; the differences are deviations from the median of their run, which
        answers that do not differ have. The examples of a group are added up, and count as one.
        """
        d = np.stack(list(values))
        if _are_answers(d):
            units, cells = self._units(d)
            return _effective(np.bincount((units + (units.max() + 1) * cells).ravel(), d.ravel()))
        return _effective(self._deviations(d, reaches))

    def resolution(self, values: Rows, reaches: Rows) -> float:
        """The true difference that leaves no more answers different than were seen, in 2.5% of the draws.

          (gammaincinv(k + 1, 0.975) - k) r / m

        for `m` examples of which one answer moves the metric by at most `r / m`: with `k` answers that differ, all in
        one direction, the first term is the upper 97.5% limit of a Poisson mean. It is `ln(40) r / m` where none does,
        and of right answers always. Of another metric, `k` is the sum of the sizes of the differences of `differing`,
        each in units of `r`.
        """
        from scipy.special import gammaincinv  # as in `statistics`, SciPy is imported where it is needed

        d, reach = np.stack(list(values)), self.reach(reaches)
        moved = 0.0 if _are_answers(d) else float(np.abs(self._deviations(d, reaches)).sum()) / reach
        return float(gammaincinv(moved + 1.0, 0.975) - moved) * reach / self.tested(d)

    def _units(self, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of the example, or group, of each value, and that of its run."""
        ids = np.broadcast_to(np.arange(d.shape[1]), d.shape) if self.examples is None else self.examples
        _, place = np.unique(ids, return_inverse=True)
        return place.reshape(d.shape), np.broadcast_to(np.arange(len(d))[:, None], d.shape)

    def _deviations(self, d: np.ndarray, reaches: Rows) -> np.ndarray:
        """How each example, or group, differs: mean over the runs that test it, 0 where its reach is small."""
        reach = np.stack(list(reaches))
        far = reach >= 0.5 * reach.max()
        middle = [np.median(row[own]) if own.any() else 0.0 for row, own in zip(d, far, strict=True)]
        d = np.where(far, d - np.array(middle)[:, None], 0.0)
        units, cells = self._units(d)
        number = int(units.max()) + 1
        runs = np.bincount(np.unique(units + number * cells) % number)
        return np.bincount(units.ravel(), d.ravel()) / runs

    def tested(self, values: Rows) -> int:
        """The number of distinct test examples, or of their groups."""
        return np.shape(values)[-1] if self.examples is None else len(np.unique(self.examples))

    def tells(self, values: Rows) -> bool:
        """Whether there are test examples, or groups, enough to say how much others would change a result."""
        return self.tested(values) >= FEWEST_UNITS

    def variance(self, values: Rows, reaches: Rows | None = None) -> RunVariance:
        """The variance behind `interval`, in parts."""
        splits, counted = self.splits.tolist(), self.reach(reaches)
        return run_variance(np.stack(list(values)), splits=splits, examples=self.examples, counted=counted)


def _are_answers(d: np.ndarray) -> bool:
    """Whether the differences are those of right answers."""
    return bool(np.all(np.isin(d, (-1.0, 0.0, 1.0))))


def _effective(values: np.ndarray) -> float:
    """The number of values that differ from 0 if they are alike, and fewer otherwise."""
    squares = np.square(values)
    return float(squares.sum() ** 2 / max(float(np.square(squares).sum()), 1e-300))
