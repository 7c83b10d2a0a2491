"""Intervals and tests for cross-validation, whose folds share most of their training examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from regjax.analysis.statistics import Interval, normal_quantile, t_quantile, wilson_limits
from regjax.core.checks import check_range


def fold_interval(values: Sequence[float] | np.ndarray, ratio: float, level: float = 0.95) -> Interval:
    """The interval of a mean over folds, for other examples of the same source.

      mean +- t_{n-1} s sqrt(1/n + ratio)

    Student's interval, `1/n` alone, would take folds for independent experiments; but each two of them train on mostly
    the same examples. The correction is for a correlation of `ratio / (1 + ratio)` between folds. It errs on the wide
    side: in simulations it covers the true difference in 97.5 to 100%, where Student's covers 70 to 74% for three
    repetitions of one that changes much (`experiments/records/folds.json`).

    Args:
      values: the score, or a difference of two, on each fold; of repeated cross-validation, of all repetitions.
      ratio: examples of a fold's validation part by those of its training part: `1 / (k - 1)` for `k` folds.
      level: coverage, in (0, 1).

    Returns:
      The mean and the ends, which are NaN for fewer than two values, or if one is NaN.

    Example:
      >>> [round(end, 2) for end in fold_interval([0.1, 0.2, 0.3, 0.2, 0.2], ratio=1 / 4)]
      [0.2, 0.07, 0.33]

    Reference: Nadeau and Bengio, Inference for the generalization error, 2003, https://doi.org/10.1023/A:1024068626366;
      Bouckaert and Frank, Evaluating the replicability of significance tests for comparing learning algorithms, 2004
      (repeated cross-validation).
    """
    check_range("fold_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    mean, error, degrees = _mean_and_error(values, ratio)
    half = float(t_quantile(max(degrees, 1), (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half)


def bounded_fold_interval(
    values: Sequence[float] | np.ndarray, ratio: float, examples: int, level: float = 0.95
) -> Interval:
    """The interval of an accuracy over folds, inside [0, 1]: that of Wilson with the variance of `fold_interval`.

    It is never narrower than that of `examples` independent examples, so folds without a mistake have no width of 0.

    Args:
      values: the accuracy of each fold, in [0, 1].
      ratio: as in `fold_interval`.
      examples: number of examples that are validated.
      level: coverage, in (0, 1).

    Example:
      >>> [round(end, 3) for end in bounded_fold_interval([1.0, 1.0, 1.0], ratio=1 / 2, examples=100)]
      [1.0, 0.963, 1.0]
    """
    check_range("bounded_fold_interval: level", level, 0.0, 1.0, low_open=True, high_open=True)
    check_range("bounded_fold_interval: examples", examples, 1)
    x = np.asarray(values, np.float64)
    for value in x[np.isfinite(x)]:
        check_range("bounded_fold_interval: values", float(value), 0.0, 1.0)
    mean, error, degrees = _mean_and_error(x, ratio)
    if not math.isfinite(error):
        return Interval(mean, math.nan, math.nan)
    tail, variance = (1 + level) / 2, mean * (1 - mean)
    c = normal_quantile(tail) ** 2 / examples
    if variance > 0:
        c = max(c, (float(t_quantile(degrees, tail)) * error) ** 2 / variance)
    return Interval(mean, *wilson_limits(mean, c))


def fold_p(differences: Sequence[float] | np.ndarray, ratio: float) -> float | None:
    """Two-sided p-value of the corrected resampled t-test that a mean difference over folds is 0.

    Args:
      differences: one setting minus the other, on each fold.
      ratio: as in `fold_interval`.

    Returns:
      p; 1 if all differences are 0. None for fewer than two, if one is not finite, or if all are the same otherwise.

    Example:
      >>> round(fold_p([0.1, 0.2, 0.3, 0.2, 0.2], ratio=1 / 4), 3)
      0.014
    """
    mean, error, degrees = _mean_and_error(differences, ratio)
    if not math.isfinite(error) or (error == 0 and mean != 0):
        return None
    return 1.0 if error == 0 else float(2 * stats.t.sf(abs(mean) / error, degrees))


def _mean_and_error(values: Sequence[float] | np.ndarray, ratio: float) -> tuple[float, float, int]:
    """Return the mean, its standard error (NaN if it is not known), and the degrees of freedom."""
    check_range("ratio", ratio, 0.0, low_open=True)
    x = np.asarray(values, np.float64)
    mean, n = float(np.mean(x)), x.size
    if n < 2 or not math.isfinite(mean):
        return mean, math.nan, n - 1
    spread = 0.0 if np.ptp(x) < 1e-12 else float(np.std(x, ddof=1))
    return mean, spread * math.sqrt(1 / n + ratio), n - 1
