"""What each part of a whole contributes: Shapley values, exactly or from orders in which the parts are added."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from regjax.core.checks import check_range

Subset = frozenset[int]


class ShapleyDesign(NamedTuple):
    """Which subsets of parts have to be measured for their contributions.

    Attributes:
      parts: number of parts.
      subsets: the subsets to measure, with the empty set and the set of all parts; the smaller ones first.
      orders: in which the parts are added, in pairs of which one is the reverse of the other; None where all subsets
        are measured.
    """

    parts: int
    subsets: tuple[Subset, ...]
    orders: tuple[tuple[int, ...], ...] | None

    def contributions(self, value: Callable[[Subset], float]) -> np.ndarray:
        """The contribution of each part, `[parts]`; they sum to the value of all parts less that of none.

          phi_i = sum over S without i of  |S|! (k - |S| - 1)! / k!  (v(S + i) - v(S))

        With `orders` it is the mean of what a part adds to those before it. This has the expectation `phi_i` over
        random orders, and the same sum.

        Args:
          value: of a subset of `subsets`, such as the test accuracy with these parts.
        """
        found = {subset: float(value(subset)) for subset in self.subsets}
        out = np.zeros(self.parts)
        if self.orders is None:
            k = self.parts
            for subset in self.subsets:
                # v(S) enters with the weight of what its parts add to it, and of what others add to it.
                size = len(subset)
                for i in range(k):
                    others = size - 1 if i in subset else size
                    weight = math.factorial(others) * math.factorial(k - others - 1) / math.factorial(k)
                    out[i] += (weight if i in subset else -weight) * found[subset]
            return out
        for order in self.orders:
            for before, part in enumerate(order):
                first = frozenset(order[:before])
                out[part] += found[first | {part}] - found[first]
        return out / len(self.orders)


def shapley_design(parts: int, most: int, seed: int = 0) -> ShapleyDesign:
    """Choose the subsets for the contributions of parts, with as many measurements as are allowed.

    All subsets are measured if there are at most `most`. Otherwise random orders are drawn in pairs, an order and its
    reverse, as long as their subsets are at most `most`; the first pair is drawn in any case.

    Args:
      parts: number of parts, at least 1.
      most: measurements at most, at least 2.
      seed: of the orders.

    Raises:
      ValueError: a number out of range.

    Example:
      >>> design = shapley_design(2, 4)
      >>> gains = {(): 0.0, (0,): 1.0, (1,): 2.0, (0, 1): 5.0}  # together they gain 2 more than alone
      >>> design.contributions(lambda subset: gains[tuple(sorted(subset))])
      array([2., 3.])

    Reference: Shapley, A value for n-person games, 1953; Castro, Gómez and Tejada, Polynomial calculation of the
      Shapley value based on sampling, 2009; Mitchell et al., Sampling permutations for Shapley value estimation, 2022
      (pairs with the reverse).
    """
    check_range("shapley_design: parts", parts, 1)
    check_range("shapley_design: most", most, 2)
    if 2**parts <= most:
        sizes = (itertools.combinations(range(parts), size) for size in range(parts + 1))
        return ShapleyDesign(parts, tuple(map(frozenset, itertools.chain(*sizes))), None)
    rng = np.random.default_rng(seed)
    orders: list[tuple[int, ...]] = []
    subsets: set[Subset] = set()
    while True:
        order = tuple(int(i) for i in rng.permutation(parts))
        pair = [order, order[::-1]]
        new = subsets | {frozenset(one[:size]) for one in pair for size in range(parts + 1)}
        if orders and len(new) > most:
            return ShapleyDesign(parts, _sorted(subsets), tuple(orders))
        orders, subsets = orders + pair, new


def _sorted(subsets: set[Subset]) -> tuple[Subset, ...]:
    return tuple(sorted(subsets, key=lambda subset: (len(subset), sorted(subset))))
