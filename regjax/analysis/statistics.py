"""Confidence intervals and paired tests over seeds, in NumPy and SciPy; all randomness is seeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis.flips import joint_flips
from regjax.core.checks import check_range
from regjax.core.typing import Numeric


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of a mean: `mean +- t_{n-1} s / sqrt(n)`.

    Over seeds on a fixed split it covers the randomness of training alone, not the draw of the test examples.

    Args:
      values: one number for each seed; the ends are NaN if there is only one, or if one is NaN.
      level: coverage, in (0, 1).

    Example:
      >>> mean_interval([1.0, 2.0, 3.0]).mean
      2.0
    """
    check_range("mean_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    x = np.asarray(values, np.float64)
    mean = float(np.mean(x))
    if x.size < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(t_quantile(x.size - 1, (1 + level) / 2) * np.std(x, ddof=1) / math.sqrt(x.size))
    return Interval(mean, mean - half, mean + half)


def bounded_interval(values: Sequence[float], examples: int, level: float = 0.95) -> Interval:
    """Wilson's interval of an accuracy, for another draw of both seeds and examples; it stays inside [0, 1].

      |mean - p| <= sqrt(c p (1 - p)), solved for p, with
      c = z^2 / m + t_{n-1}^2 s^2 / (n mean (1 - mean))

    The first part of `c` is that of Wilson's interval for `m` examples, and the second is that of the spread `s` over
    `n` seeds. What differs between seeds because of the examples counts in both parts, so the interval errs on the wide
    side. It has no width 0: seeds that agree still agree on these examples alone.

    Args:
      values: the accuracy of each seed, in [0, 1], on the same examples; the ends are NaN if there is only one, because
        the spread over seeds is unknown, or if one is NaN.
      examples: how many examples each accuracy is the mean over.
      level: coverage, in (0, 1).

    Raises:
      ValueError: an accuracy is not in [0, 1], or there is no example.

    Example:
      >>> [round(end, 3) for end in bounded_interval([1.0, 1.0, 1.0], examples=100)]
      [1.0, 0.963, 1.0]

    Reference:
      Wilson, Probable inference, 1927; Franco et al., Comparative study of confidence intervals for proportions in
      complex sample surveys, 2019 (Wilson's interval with another variance).
    """
    check_range("bounded_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    check_range("bounded_interval: examples", examples, 1)
    x = np.asarray(values, np.float64)
    for value in x[np.isfinite(x)]:
        check_range("bounded_interval: values", float(value), 0.0, 1.0)
    mean = float(np.mean(x))
    if x.size < 2 or not math.isfinite(mean):
        return Interval(mean, math.nan, math.nan)
    tail, variance = (1 + level) / 2, mean * (1 - mean)
    c = normal_quantile(tail) ** 2 / examples
    if variance > 0:
        c += float(t_quantile(x.size - 1, tail)) ** 2 * float(np.var(x, ddof=1)) / (x.size * variance)
    return Interval(mean, *wilson_limits(mean, c))


def wilson_limits(mean: float, c: float) -> tuple[float, float]:
    """Return Wilson's limits of a share, the two `p` with `|mean - p| = sqrt(c p (1 - p))`; `c` is `z^2 / examples`."""
    middle, half = (mean + c / 2) / (1 + c), math.sqrt(c * mean * (1 - mean) + c * c / 4) / (1 + c)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of a sign-flip test: how often random signs give a mean at least as far from 0.

    `regjax.analysis.joint_flips` of one technique: exact for up to 20 pairs, where the smallest p of `n` pairs is
    `2 / 2^n` (0.0625 with 5); above that, 100,000 seeded flips, counting the observed signs.

    Args:
      differences: technique minus baseline, one for each seed.

    Returns:
      p, which is 1 if all differences are 0; None if there are fewer than two, or one is not finite.

    Example:
      >>> sign_flip_p([1.0, 2.0, 3.0])
      0.25

    Reference:
      Fisher, The design of experiments, 1935.
    """
    d = np.asarray(differences, np.float64)
    if d.size < 2 or not np.all(np.isfinite(d)):
        return None
    return joint_flips(d[:, None])[0].p


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction, which controls the family-wise error rate over all given tests.

    The `i`-th smallest of `m` values becomes `max over j <= i of min(1, (m - j) p_(j))`, `j` from 0. None stays None
    but counts in `m`, because leaving out a test for its result would be a choice made on the data.

    Example:
      >>> holm([0.01, 0.04, None])
      [0.03, 0.08, None]

    Reference:
      Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        corrected[i] = largest
    return corrected


def minimum_detectable_effect(differences: Sequence[float], level: float = 0.05, power: float = 0.8) -> float | None:
    """The true mean difference that a two-sided paired t-test over these seeds detects with the given power.

    `(t_{1 - level/2} + t_power) s / sqrt(n)` with `n - 1` degrees of freedom; smaller effects are easily missed.

    Returns:
      The effect, in the units of `differences`; None for fewer than two differences or without variance.

    Example:
      >>> round(minimum_detectable_effect([1.0, 2.0, 3.0, 4.0]), 2)
      2.69
    """
    d = np.asarray(differences, np.float64)
    if d.size < 2 or not np.all(np.isfinite(d)) or np.ptp(d) == 0:
        return None
    quantiles = t_quantile(d.size - 1, [1 - level / 2, power])
    return float(np.sum(quantiles) * np.std(d, ddof=1) / math.sqrt(d.size))


def two_way_interval(differences: np.ndarray, level: float = 0.95, *, examples: np.ndarray | None = None) -> Interval:
    """Interval of a mean that treats both seeds and test examples as samples.

    `mean +- t_{n-1} sqrt(s_seeds^2 / n + s_examples^2 / m)` with the variances of the row means and of the column
    means. The interaction counts in both, so the interval errs on the wide side. It is never narrower than
    `mean_interval` of the row means, which says nothing about another draw of test examples.

    Args:
      differences: `[n seeds, m examples]`, for instance correctness under the technique minus under the baseline.
      level: coverage, in (0, 1).
      examples: as in `run_interval`; for groups.

    Example:
      >>> two_way_interval(np.ones((3, 5)))
      Interval(mean=1.0, low=1.0, high=1.0)

    Reference:
      Owen, The pigeonhole bootstrap, 2007 (the variance that a two-way bootstrap estimates).
    """
    return run_interval(differences, examples=examples, level=level)


def run_interval(
    values: np.ndarray,
    *,
    splits: Sequence[int] | None = None,
    examples: np.ndarray | None = None,
    counted: float = 0.0,
    level: float = 0.95,
) -> Interval:
    """Interval of a mean over fresh splits, seeds and test examples, from runs on one or several splits.

      mean +- t_d sqrt(max(v_groups, v_groups + v_examples - v_both) + (counted / m)^2),  d = min(g, m) - 1
      v_groups = var(means of the groups, ddof=1) / g
      v_examples = m / (m - 1) sum_e (sum of the deviations of example e)^2 / n^2
      v_both = sum_(g, e) (sum of the deviations of example e in group g)^2 / n^2, and 0 with one split

    for `m` examples, `n` values and `g` groups. The groups are the splits, whose means vary with the training data, the
    seed and the test examples; an example that several splits test counts once more in `v_examples`, and `v_both` takes
    out what both hold. With one split the groups are its runs: what another split would change in the training data
    cannot be seen, so that nothing is taken out, and the interval still covers too seldom. How often each covers, and
    why ten splits with a seed each are the default: `experiments/records/splits.json`.

    Args:
      values: `[runs, n]`, what each test example contributes, for instance 1 for a right answer of the technique minus
        1 for one of the baseline.
      splits: the split of each run, `[runs]`; None is one split.
      examples: which example each value is of, `[runs, n]`; None means the same `n` examples in every run. Where
        examples belong together, such as those of one patient, the number of their group: the groups are what another
        data set draws anew (`Predictions.units` has the one or the other).
      counted: by how much one answer changes the value of its example: 1 (or True) if the values are right answers or
        differences of them, the largest of `regjax.analysis.metrics.reaches` for another metric, 0 where nothing is
        answered. With groups, it is times the mean size of the group of an example in a run, times the mean number of
        groups of a run over `n`. `(counted / m)^2` is added to the variance, as if one more example had been answered
        differently: where no answer differs, another data set still may.
      level: coverage, in (0, 1).

    Returns:
      The interval; its ends are NaN with a single run or example.

    Example:
      >>> run_interval(np.ones((3, 5)))
      Interval(mean=1.0, low=1.0, high=1.0)

    Reference:
      Cameron, Gelbach and Miller, Robust inference with multiway clustering, 2011; Owen, The pigeonhole bootstrap,
      2007; Agresti and Min, Simple improved confidence intervals for comparing matched proportions, 2005.
    """
    check_range("run_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    found = run_variance(values, splits=splits, examples=examples, counted=counted)
    if found.groups < 2 or found.examples < 2:
        return Interval(found.mean, math.nan, math.nan)
    half = float(t_quantile(found.degrees(found.groups), (1 + level) / 2) * math.sqrt(found.variance))
    return Interval(found.mean, found.mean - half, found.mean + half)


class RunVariance(NamedTuple):
    """The variance of a mean over fresh splits, seeds and test examples, in parts; the formula is in `run_interval`.

    Attributes:
      mean: of all values.
      groups: the number of splits, or with one split of its runs.
      examples: the number of distinct test examples.
      several: whether there are several splits.
      counted: by how much one answer changes the value of its example.
      of_groups: `v_groups`, which falls as `1 / groups`.
      of_examples: `v_examples`.
      of_both: `v_both`, also with one split, where it is not taken out.
    """

    mean: float
    groups: int
    examples: int
    several: bool
    counted: float
    of_groups: float
    of_examples: float
    of_both: float

    @property
    def variance(self) -> float:
        """The variance of the mean."""
        both = self.of_both if self.several else 0.0
        return max(self.of_groups, self.of_groups + self.of_examples - both) + (self.counted / self.examples) ** 2

    def degrees(self, groups: int) -> int:
        """The degrees of freedom of Student's t with this number of groups: few examples tell no more than few runs."""
        return min(groups, self.examples) - 1

    @property
    def shared(self) -> float:
        """The variance that the draw of the test examples gives to the mean, which more runs do not lower.

        It is the covariance of the groups over the examples that they share: what an example adds to `v_examples` by
        the products of its deviations in two different groups.
        """
        if self.groups < 2 or self.examples < 2:
            return 0.0
        products = self.of_examples * (self.examples - 1) / self.examples - self.of_both
        return max(0.0, products * self.groups / (self.groups - 1))

    def beyond_groups(self, groups: int) -> float:
        """What the interval would add to `v_groups` with this number of groups; without the part of counts.

        NaN with a single example, from which nothing is known of others.
        """
        if self.examples < 2:
            return math.nan
        factor = self.examples / (self.examples - 1)
        both = self.of_both * self.groups / groups
        of_examples = factor * (self.shared * (groups - 1) / groups + both)
        return max(0.0, of_examples - (both if self.several else 0.0))


def run_variance(
    values: np.ndarray,
    *,
    splits: Sequence[int] | None = None,
    examples: np.ndarray | None = None,
    counted: float = 0.0,
) -> RunVariance:
    """The variance of a mean over fresh splits, seeds and test examples, in parts; arguments as in `run_interval`.

    Example:
      >>> run_variance(np.array([[1.0, 0.0], [3.0, 2.0]])).of_groups
      1.0
    """
    d = np.asarray(values, np.float64)
    mean = float(d.mean())
    of_run = np.arange(len(d)) if splits is None else np.asarray(splits)
    several = splits is not None and len(np.unique(of_run)) > 1
    groups = np.unique(of_run) if several else np.arange(len(d))
    of_run = of_run if several else groups
    means = np.array([d[of_run == group].mean() for group in groups])
    ids = np.broadcast_to(np.arange(d.shape[1]), d.shape) if examples is None else np.asarray(examples)
    _, place = np.unique(ids, return_inverse=True)
    place, rest = place.ravel(), (d - mean).ravel()
    by_example = np.bincount(place, rest)
    parts = RunVariance(mean, len(groups), by_example.size, several, counted, math.nan, math.nan, math.nan)
    if parts.groups < 2 or parts.examples < 2:
        return parts
    number = np.searchsorted(groups, of_run).repeat(d.shape[1])
    by_both = np.bincount(number * by_example.size + place, rest)
    of_examples = float(np.square(by_example).sum()) / d.size**2
    return parts._replace(
        of_groups=float(np.var(means, ddof=1)) / len(groups),
        of_examples=of_examples * by_example.size / (by_example.size - 1),
        of_both=float(np.square(by_both).sum()) / d.size**2,
    )


def variance_components(values: np.ndarray, splits: np.ndarray) -> dict[str, float | None]:
    """The variance of a run's value between splits, and between the seeds of a split.

      between the seeds of a split: v_seed = mean over splits of var(values of the split, ddof=1)
      between splits: v_split = max(0, var(means of the splits, ddof=1) - v_seed / seeds)

    Args:
      values: one for each run, `[runs]`.
      splits: the split of each run, `[runs]`; the same number of runs on each.

    Returns:
      `{"split", "seed"}`, each None where it cannot be told: with one split the first. With one run on each split the
      first is the variance of both together, and the second is None.

    Example:
      >>> variance_components(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
      {'split': 7.0, 'seed': 2.0}

    Reference:
      Searle, Casella and McCulloch, Variance components, 1992 (the balanced one-way design).
    """
    numbers = np.unique(splits)
    table = np.stack([np.asarray(values, np.float64)[np.asarray(splits) == number] for number in numbers])
    seeds = table.shape[1]
    of_seed = float(table.var(axis=1, ddof=1).mean()) if seeds > 1 else None
    if len(numbers) < 2:
        return {"split": None, "seed": of_seed}
    return {"split": max(0.0, float(table.mean(axis=1).var(ddof=1)) - (of_seed or 0.0) / seeds), "seed": of_seed}


def t_quantile(degrees: int, p: Numeric) -> Numeric:
    """The quantile of Student's t distribution."""
    # Imported here, because training needs no quantile and importing SciPy takes a tenth of a second.
    from scipy.special import stdtrit  # importing scipy.stats would take seconds

    return stdtrit(degrees, p)


def normal_quantile(p: float) -> float:
    """The quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(p))
