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
    half = float(_t_quantile(x.size - 1, (1 + level) / 2) * np.std(x, ddof=1) / math.sqrt(x.size))
    return Interval(mean, mean - half, mean + half)


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
    quantiles = _t_quantile(d.size - 1, [1 - level / 2, power])
    return float(np.sum(quantiles) * np.std(d, ddof=1) / math.sqrt(d.size))


def two_way_interval(differences: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of a mean that treats both seeds and test examples as samples.

    `mean +- t_{n-1} sqrt(s_seeds^2 / n + s_examples^2 / m)` with the variances of the row means and of the column
    means. The interaction counts in both, so the interval errs on the wide side. It is never narrower than
    `mean_interval` of the row means, which says nothing about another draw of test examples.

    Args:
      differences: `[n seeds, m examples]`, for instance correctness under the technique minus under the baseline.
      level: coverage, in (0, 1).

    Example:
      >>> two_way_interval(np.ones((3, 5)))
      Interval(mean=1.0, low=1.0, high=1.0)

    Reference:
      Owen, The pigeonhole bootstrap, 2007 (the variance that a two-way bootstrap estimates).
    """
    check_range("two_way_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    d = np.asarray(differences, np.float64)
    rows, columns = d.shape
    mean = float(d.mean())
    if rows < 2 or columns < 2:
        return Interval(mean, math.nan, math.nan)
    variance = np.var(d.mean(axis=1), ddof=1) / rows + np.var(d.mean(axis=0), ddof=1) / columns
    half = float(_t_quantile(rows - 1, (1 + level) / 2) * math.sqrt(variance))
    return Interval(mean, mean - half, mean + half)


def _t_quantile(degrees: int, p: Numeric) -> Numeric:
    """The quantile of Student's t distribution."""
    # Imported here, because training needs no quantile and importing SciPy takes a tenth of a second.
    from scipy.special import stdtrit  # importing scipy.stats would take seconds

    return stdtrit(degrees, p)
