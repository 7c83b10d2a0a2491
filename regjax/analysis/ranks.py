"""Ranks of techniques over data sets: Friedman's test, and the groups of techniques that are not shown to differ."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis.pairs import Pair, differ, letters
from regjax.analysis.statistics import holm


class Ranks(NamedTuple):
    """Mean ranks, best first.

    Attributes:
      ranks: the mean rank of each row; 1 is the best.
      p: p-value of Friedman's test that all rows are alike.
      pairs: each two rows, with the p-value of the signed-rank test and after Holm's correction over all pairs.
      groups: letters; rows that share one are not shown to differ.
      critical_difference: two mean ranks that are further apart differ by Nemenyi's test, which is the more
        conservative one.
      data_sets: their number.
    """

    ranks: dict[str, float]
    p: float
    pairs: list[Pair]
    groups: dict[str, str]
    critical_difference: float
    data_sets: int


def rank_rows(values: Mapping[str, Sequence[float] | np.ndarray], level: float = 0.05) -> Ranks:
    """Rank the rows on each data set, and test which differ.

    Friedman's statistic in the form of Iman and Davenport is

      F = (N - 1) X / (N (K - 1) - X),   X = 12 N / (K (K + 1)) (sum_j R_j^2 - K (K + 1)^2 / 4)

    with the mean ranks `R_j` of `K` rows over `N` data sets, and has `K - 1` and `(K - 1)(N - 1)` degrees of freedom.
    Pairs are compared by Wilcoxon's signed-rank test over the data sets with Holm's correction, whose result for two
    rows, other than that of mean ranks, does not depend on which further rows are in the table.

    Args:
      values: for each row one number for each data set, such as its mean improvement; larger is better.
      level: of the family-wise error.

    Returns:
      The `Ranks`; equal values share their mean rank.

    Raises:
      ValueError: fewer than 2 rows or 5 data sets, rows of different lengths, or a value that is not finite.

    Example:
      >>> found = rank_rows({"plain": [0] * 8, "l2": [2, 1, 3, 2, 4, 1, 2, 3], "l1": [1, 2, 1, 1, 2, 3, 1, 1]})
      >>> found.ranks, found.groups
      ({'l2': 1.25, 'l1': 1.75, 'plain': 3.0}, {'l2': 'a', 'l1': 'a', 'plain': 'b'})

    Reference:
      Demsar, Statistical comparisons of classifiers over multiple data sets, 2006; Benavoli, Corani and Mangili, Should
      we really use post-hoc tests based on mean-ranks?, 2016.
    """
    table = np.array([np.asarray(row, np.float64) for row in values.values()])
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 5 or not np.isfinite(table).all():
        raise ValueError(f"rank_rows: at least 2 rows of at least 5 finite numbers each, got {table.shape}")
    # scipy.stats takes seconds to import, so only here.
    from scipy import stats

    rows, sets = table.shape
    mean = stats.rankdata(-table, axis=0).mean(axis=1)
    order = sorted(zip(mean.tolist(), values, strict=True), key=lambda one: one[0])
    ranks = {name: rank for rank, name in order}
    named = list(itertools.combinations(ranks, 2))
    p = [_signed_rank(np.asarray(values[a], np.float64) - np.asarray(values[b], np.float64)) for a, b in named]
    pairs = [
        Pair(a, b, float(np.mean(np.asarray(values[a])) - np.mean(np.asarray(values[b]))), raw, adjusted)
        for (a, b), raw, adjusted in zip(named, p, map(_known, holm(p)), strict=True)
    ]
    apart = [(pair.a, pair.b) for pair in pairs if differ(pair, level)]
    quantile = float(stats.studentized_range.ppf(1 - level, rows, np.inf)) / math.sqrt(2)
    return Ranks(
        ranks=ranks,
        p=_friedman(mean, sets),
        pairs=pairs,
        groups=letters(list(ranks), apart),
        critical_difference=quantile * math.sqrt(rows * (rows + 1) / (6 * sets)),
        data_sets=sets,
    )


def _friedman(mean: np.ndarray, sets: int) -> float:
    from scipy.special import fdtrc

    rows = len(mean)
    x = 12 * sets / (rows * (rows + 1)) * (float(np.sum(mean**2)) - rows * (rows + 1) ** 2 / 4)
    left = sets * (rows - 1) - x
    if left <= 1e-12 * sets:  # every data set ranks alike
        return 0.0
    return float(fdtrc(rows - 1, (rows - 1) * (sets - 1), max(x, 0.0) * (sets - 1) / left))


def _known(p: float | None) -> float:
    return 1.0 if p is None else p


def _signed_rank(d: np.ndarray) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test; 1 if nothing differs."""
    from scipy import stats

    return float(stats.wilcoxon(d).pvalue) if np.any(d != 0) else 1.0
