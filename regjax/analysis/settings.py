"""The settings of a sweep on the examples that choose among them: their order, and paired differences over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis.folds import bounded_fold_interval, fold_interval, fold_p
from regjax.analysis.statistics import Interval, bounded_interval, mean_interval, sign_flip_p


class PairedDifference(NamedTuple):
    """The difference of two settings over the same seeds, or folds.

    Attributes:
      mean: mean difference; NaN if a run of either has no score.
      low: lower end of its 95% interval over seeds, or folds; NaN without one.
      high: upper end.
      p: two-sided p-value of a sign-flip test, or of `fold_p`; None with one seed.
    """

    mean: float
    low: float
    high: float
    p: float | None


def rank_settings(scores: np.ndarray, losses: np.ndarray) -> list[int]:
    """Positions of the settings, best first: by mean score, ties by lower mean loss, then in the given order.

    Args:
      scores: `[settings, seeds]`; larger is better. A setting with a run without a score (NaN) is among the last.
      losses: `[settings, seeds]`; a setting whose mean loss is not finite loses ties.

    Example:
      >>> scores = np.array([[0.5, 0.7], [0.9, np.nan], [0.6, 0.6]])
      >>> rank_settings(scores, np.array([[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]]))
      [2, 0, 1]
    """
    means, mean_losses = np.mean(scores, axis=1), np.mean(losses, axis=1)

    def key(i: int) -> tuple[bool, float, float]:
        finite = math.isfinite(means[i])
        # Sums of the same scores in another order differ in the last digits, and still tie.
        return not finite, -round(means[i], 9) if finite else 0.0, np.nan_to_num(mean_losses[i], nan=math.inf)

    return sorted(range(len(means)), key=key)


def whole_hits(accuracies: np.ndarray, examples: int | Sequence[int]) -> np.ndarray:
    """Accuracies in float64 that are whole numbers of hits, so that equal ones tie in spite of float32.

    `examples` may be one number for each run, `[..., runs]`. Other numbers, to the precision of float32, are kept: the
    accuracy of tokens is a mean over more of them.

    Example:
      >>> whole_hits(np.array([np.float32(1 / 3), 0.4]), 3).tolist()
      [0.3333333333333333, 0.4]
    """
    accuracies, of = np.asarray(accuracies, np.float64), np.asarray(examples)
    nearest = np.round(accuracies * of) / of
    return np.where(np.abs(nearest - accuracies) < 1e-6, nearest, accuracies)


def score_interval(scores: Sequence[float], examples: int | None, ratio: float | None = None) -> Interval:
    """The 95% interval of a mean score over seeds or folds, which stays in the range of the score.

    Args:
      scores: one for each seed, or fold.
      examples: of an accuracy, how many examples it is the mean over, with folds in all: `bounded_interval`. None is
        for R2, which has no lower bound: `mean_interval`, cut off at 1, for another draw of seeds alone.
      ratio: of folds, as in `fold_interval`; the intervals are then those of `regjax.analysis.folds`.

    Example:
      >>> score_interval([0.9, 1.0], None).high
      1.0
    """
    if examples is not None:
        if ratio is not None:
            return bounded_fold_interval(scores, ratio, examples)
        return bounded_interval(scores, examples)
    mean, low, high = mean_interval(scores) if ratio is None else fold_interval(scores, ratio)
    return Interval(mean, low, min(high, 1.0))


def paired_difference(scores: Sequence[float], others: Sequence[float], ratio: float | None = None) -> PairedDifference:
    """The mean of `scores - others` over the same seeds, with Student's interval and a sign-flip test.

    It has no interval where the difference is the same in every seed: then the seeds do not tell how much it varies.
    Over folds with this `ratio`, interval and test are those of `regjax.analysis.folds`.

    Example:
      >>> found = paired_difference([0.5, 0.75, 1.0], [0.25, 0.5, 0.5])
      >>> round(found.mean, 3), found.p
      (0.333, 0.25)
      >>> paired_difference([0.5, 0.75], [0.25, 0.5])[:3]
      (0.25, nan, nan)
    """
    difference = np.asarray(scores, np.float64) - np.asarray(others, np.float64)
    if ratio is not None:
        interval = fold_interval(difference, ratio) if np.ptp(difference) >= 1e-9 else (math.nan, math.nan)
        return PairedDifference(float(np.mean(difference)), *interval[-2:], fold_p(difference, ratio))
    if np.ptp(difference) < 1e-9:
        return PairedDifference(float(np.mean(difference)), math.nan, math.nan, sign_flip_p(difference.tolist()))
    return PairedDifference(*mean_interval(difference.tolist()), sign_flip_p(difference.tolist()))


def standard_error(scores: Sequence[float], examples: int | None, folds: int | None = None) -> float:
    """The standard error of a mean score, of which the one-standard-error rule speaks.

    With folds it is that of Breiman et al. and glmnet, `s / sqrt(folds)` over the folds of a repetition, where the
    variances of several repetitions are averaged: more repetitions do not make other examples more alike. Without, it
    is that over seeds; for an accuracy the draw of the examples adds `mean (1 - mean) / examples`.

    Args:
      scores: one for each seed, or for each fold, the folds of a repetition one after another.
      examples: of an accuracy without folds, how many examples it is the mean over; else None.
      folds: number of folds; None without cross-validation.

    Returns:
      The error; NaN if it is not known, as for R2 of one seed.

    Example:
      >>> [round(standard_error([0.5, 0.5, 0.9, 0.9], None, folds=folds), 4) for folds in (4, 2)]
      [0.1155, 0.0]
      >>> round(standard_error([0.9], 100), 3)
      0.03
    """
    x = np.asarray(scores, np.float64)
    if folds is not None:
        return math.sqrt(float(np.mean(np.var(x.reshape(-1, folds), axis=1, ddof=1))) / folds)
    if examples is None:
        return math.nan if x.size < 2 else math.sqrt(float(np.var(x, ddof=1)) / x.size)
    of_seeds = float(np.var(x, ddof=1)) / x.size if x.size > 1 else 0.0
    mean = float(np.mean(x))
    return math.sqrt(of_seeds + mean * (1 - mean) / examples)
