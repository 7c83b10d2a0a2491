"""A range of numbers from which a value is drawn, evenly or evenly in the logarithm. Does not import JAX."""

from __future__ import annotations

import math
from typing import NamedTuple

from regjax.core.errors import InputError


class Range(NamedTuple):
    """The numbers from `low` to `high`, with an even distribution.

      value(u) = low + u (high - low),   or with `log`   low (high / low)^u,   u uniform in [0, 1)

    With `off` > 0 the value is 0 in that share of the draws: a regularizer that may be left out.

    Attributes:
      low: the smallest value.
      high: the largest value, above `low`.
      log: whether the logarithm is even, not the value.
      whole: whether values are whole numbers; both ends are among them.
      off: probability of the value 0, in [0, 1).

    Example:
      >>> Range(1e-6, 1e-2, log=True).at(0.5)
      0.0001
      >>> [Range(1, 3, whole=True).at(u) for u in (0.0, 0.4, 0.99)]
      [1.0, 2.0, 3.0]
      >>> [Range(0.1, 0.5, off=0.5).at(u) for u in (0.25, 0.5, 0.75)]
      [0.0, 0.1, 0.3]
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    off: float = 0.0

    def at(self, share: float) -> float:
        """The value at a share of the range, `0 <= share <= 1`."""
        if share < self.off:
            return 0.0
        share = (share - self.off) / (1 - self.off)
        # Whole numbers have equally long pieces of the range from half below the first to half above the last.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = math.exp(_between(math.log(low), math.log(high), share)) if self.log else _between(low, high, share)
        value = round(value) if self.whole else float(f"{value:.12g}")  # so that 1e-4 is not 0.00010000000000000002
        return float(min(max(value, self.low), self.high))

    def check(self, name: str) -> None:
        """Refuse a range without numbers.

        Args:
          name: what it is a range of, for the message.

        Raises:
          InputError: an end is not finite, the ends are not in order, a logarithm has a low end of 0 or below, or
            `off` is no probability below 1.
        """
        shown = f"{name}: {'log' if self.log else ''}uniform({self.low:g},{self.high:g})"
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"{shown} needs two finite numbers, the smaller one first")
        if self.log and self.low <= 0:
            raise InputError(f"{shown} needs a low end above 0")
        if self.whole and not (self.low == round(self.low) and self.high == round(self.high)):
            raise InputError(f"{shown} needs whole numbers")
        if not 0 <= self.off < 1:
            raise InputError(f"{shown} is left out with a probability in [0, 1), got {self.off:g}")


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)
