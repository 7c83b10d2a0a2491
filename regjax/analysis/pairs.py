"""Every row against every other over the same runs, and the groups of rows that are not shown to differ."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis.flips import joint_flips


class Pair(NamedTuple):
    """The paired difference of two rows.

    Attributes:
      a: name of one row.
      b: name of the other.
      mean: mean of `a - b` over the runs.
      p: two-sided p-value of this pair alone.
      p_adjusted: two-sided p-value, corrected for all pairs.
      ci95: a 95% interval of the mean that the caller adds, as over other splits and test examples; None without one.
    """

    a: str
    b: str
    mean: float
    p: float
    p_adjusted: float
    ci95: tuple[float, float] | None = None


class Best(NamedTuple):
    """The row with the best mean, and the rows that it is shown to be better than, in their order."""

    name: str
    better_than: tuple[str, ...]


def all_pairs(values: Mapping[str, Sequence[float] | np.ndarray], unit: float = 1.0, seed: int = 0) -> list[Pair]:
    """Test each pair of rows by a sign-flip test, corrected by step-down maxT over all pairs.

    The differences of all pairs are tested together by `joint_flips`. The family-wise error rate over all pairs is at
    most the level, whichever rows are equal, if the differences between equal rows are jointly symmetric about 0.

    Args:
      values: for each row one number per run, such as its score; the runs are the same for all rows, in the same order.
        Give counts (hits) as integers, so that ties are exact.
      unit: factor that brings the values to those of the means, such as one over the number of examples for counts.
      seed: of the random flips, which are used with more than 20 runs.

    Returns:
      A `Pair` for each two rows, in the order of `values`.

    Raises:
      ValueError: fewer than 2 rows or 2 runs, or a value that is not finite.

    Example:
      >>> pairs = all_pairs({"plain": [70, 71, 69, 70], "l2": [73, 75, 71, 74], "l1": [70, 70, 71, 70]})
      >>> [(pair.a, pair.b, pair.mean, pair.p) for pair in pairs]
      [('plain', 'l2', -3.25, 0.125), ('plain', 'l1', -0.25, 1.0), ('l2', 'l1', 3.0, 0.25)]

    Reference:
      Westfall and Young, Resampling-based multiple testing, 1993; Romano and Wolf, Exact and approximate stepdown
      methods for multiple hypothesis testing, 2005.
    """
    if len(values) < 2:
        raise ValueError(f"all_pairs: there must be at least 2 rows, got {len(values)}")
    pairs = list(itertools.combinations(values, 2))
    table = np.stack([np.asarray(values[a], np.float64) - np.asarray(values[b], np.float64) for a, b in pairs], axis=1)
    tests = joint_flips(table, seed)
    means = unit * table.mean(axis=0)
    return [
        Pair(a, b, float(mean), test.p, test.p_adjusted) for (a, b), mean, test in zip(pairs, means, tests, strict=True)
    ]


def letters(names: Sequence[str], different: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The compact letter display: two rows share a letter if and only if they are not shown to differ.

    A letter stands for a largest possible set of rows of which no two differ. The sets are found by insertion and
    absorption: all rows start in one set; for each pair that differs, each set with both is split into one without the
    first and one without the second; a set that lies in another is dropped.

    Args:
      names: the rows, best first; the letters follow this order, so the first row has `a`.
      different: the pairs that are shown to differ.

    Returns:
      The letters of each row, as one text without separators.

    Raises:
      ValueError: a pair of a row with itself, or with a name that is not a row.

    Example:
      >>> letters(["l2", "l1", "plain"], [("l2", "plain")])
      {'l2': 'a', 'l1': 'ab', 'plain': 'b'}

    Reference:
      Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, 2004.
    """
    rank = {name: i for i, name in enumerate(names)}
    sets = [frozenset(rank.values())] if rank else []
    for a, b in different:
        if a == b or a not in rank or b not in rank:
            raise ValueError(f"letters: a pair must be of two of the rows, got {(a, b)!r}")
        both = {rank[a], rank[b]}
        whole = [rows for rows in sets if not both <= rows]
        parts = [rows - {row} for rows in sets if both <= rows for row in both]
        sets = _absorb(whole + parts)
    sets.sort(key=sorted)
    return {name: "".join(_letter(i) for i, rows in enumerate(sets) if rank[name] in rows) for name in names}


def best_row(names: Sequence[str], pairs: Iterable[Pair], level: float = 0.05) -> Best:
    """The first of the rows, which is the one with the best mean, and the rows that it is shown to be better than.

    Args:
      names: the rows, best first.
      pairs: from `all_pairs`; larger is better.
      level: of the family-wise error.

    Example:
      >>> best_row(["l2", "l1", "plain"], [Pair("plain", "l2", -3.0, 0.01, 0.02), Pair("l2", "l1", 1.0, 0.2, 0.3)])
      Best(name='l2', better_than=('plain',))
    """
    beaten = {(pair.b if pair.mean > 0 else pair.a) for pair in pairs if names[0] in pair[:2] and differ(pair, level)}
    return Best(names[0], tuple(name for name in names[1:] if name in beaten))


def differ(pair: Pair, level: float = 0.05) -> bool:
    """Whether the two rows are shown to differ: by the test and, if there is one, by the interval."""
    return pair.p_adjusted <= level and (pair.ci95 is None or pair.ci95[0] > 0 or pair.ci95[1] < 0)


def _absorb(sets: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """The sets that lie in no other, each once."""
    distinct = set(sets)
    return [rows for rows in distinct if not any(rows < other for other in distinct)]


def _letter(index: int) -> str:
    # After both alphabets come accented letters, so that a letter is one character however many there are.
    return string.ascii_letters[index] if index < len(string.ascii_letters) else chr(0x100 + index)
