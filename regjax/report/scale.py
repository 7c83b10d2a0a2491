"""Axis positions of parameter values, and their labels."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

from regjax.report.words import finite, plain

GAP = 0.11  # smallest distance between two labels, as a fraction of the axis


def looks_logarithmic(values: Sequence[float]) -> bool:
    """Whether the ratios of successive values are more even than their differences.

    Example:
      >>> looks_logarithmic([1e-4, 1e-3, 1e-2]), looks_logarithmic([0.1, 0.3, 0.5, 0.7])
      (True, False)
    """
    distinct = sorted(set(values))
    if len(distinct) < 2 or distinct[0] <= 0:
        return False
    if len(distinct) == 2:
        return distinct[1] / distinct[0] >= 8
    return _unevenness([math.log(v) for v in distinct]) < _unevenness(distinct)


def _unevenness(points: Sequence[float]) -> float:
    gaps = [b - a for a, b in itertools.pairwise(points)]
    mean = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean


@dataclasses.dataclass(frozen=True)
class Scale:
    """Positions of parameter values: linear, logarithmic (with 0 one step to the left), or equally spaced categories.

    Attributes:
      kind: `"linear"`, `"log"` or `"category"`.
      values: all values, ascending if they are numbers.

    Example:
      >>> scale = Scale.of([0.0, 0.01, 0.1, 1.0])
      >>> scale.kind, [round(scale.at(v), 6) for v in scale.values]
      ('log', [-3.0, -2.0, -1.0, 0.0])
    """

    kind: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Scale:
        """The most suitable scale for the values."""
        if not values or not all(finite(v) for v in values):
            return cls("category", tuple(dict.fromkeys(str(v) for v in values)))
        ascending = tuple(sorted({float(v) for v in values}))
        positive = [v for v in ascending if v > 0]
        log = ascending[0] >= 0 and looks_logarithmic(positive)
        return cls("log" if log else "linear", ascending)

    def at(self, value: Any) -> float:
        """The position of a value."""
        if self.kind == "category":
            return float(self.values.index(str(value)))
        if self.kind == "linear":
            return float(value)
        return math.log10(value) if value > 0 else self._zero()

    def limits(self, margin: float = 0.06) -> tuple[float, float]:
        """Limits of the axis, with a margin beside the outermost values."""
        places = [self.at(v) for v in self.values] or [0.0]
        room = margin * (max(places) - min(places)) or 0.5
        return min(places) - room, max(places) + room

    def label(self, axes: Any, name: str) -> None:
        """Set the limits, the labels and the title of the horizontal axis."""
        axes.set_xlim(*self.limits())
        ticks = self.ticks()
        axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
        axes.set_xlabel(name + (" (log axis)" if self.kind == "log" else ""))

    def ticks(self) -> list[tuple[float, str]]:
        """Positions with labels: all values if there is room, else decades or every other value."""
        places = [(self.at(v), plain(v)) for v in self.values]
        if self.kind == "log" and not _roomy(places):
            low, high = math.log10(min(v for v in self.values if v > 0)), places[-1][0]
            decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
            step = max(1, math.ceil(len(decades) / 5))
            zero = [(self._zero(), "0")] if 0.0 in self.values else []
            if len(decades) > 1:
                return zero + [(float(d), plain(10.0**d)) for d in decades[::step]]
        while len(places) > 2 and not _roomy(places):
            places = places[::2]
        return places

    def _zero(self) -> float:
        logs = [math.log10(v) for v in self.values if v > 0]
        return logs[0] - max((logs[-1] - logs[0]) / max(len(logs) - 1, 1), 0.1)


def _roomy(places: Sequence[tuple[float, str]]) -> bool:
    if len(places) < 2:
        return True
    width = places[-1][0] - places[0][0]
    letters = max(len(label) for _, label in places)
    needed_gap = max(GAP, 0.03 * letters) * width
    return all(b[0] - a[0] >= needed_gap for a, b in itertools.pairwise(places))
