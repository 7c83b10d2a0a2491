"""Lists from result files as arrays; null becomes NaN, so lines break where runs had stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.report.words import finite


class Band(NamedTuple):
    """A mean with its interval over epochs or settings; arrays of one length."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def top(self) -> float:
        """The largest finite mean, NaN if there is none."""
        known = self.mean[np.isfinite(self.mean)]
        return float(known.max()) if known.size else float("nan")


def numbers(values: Sequence[Any] | None) -> np.ndarray:
    """A list with nulls as an array with NaN."""
    return np.array([float(v) if finite(v) else np.nan for v in values or []], np.float64)


def band(curves: Mapping[str, Any], name: str) -> Band | None:
    """The curve `name` of a row, or None when the file has none or nothing in it is finite.

    It ends where fewer than half of the runs go on: a mean over the few that last longest says little.
    """
    part = curves.get(name)
    if not part:
        return None
    mean = numbers(part.get("mean"))
    if not np.isfinite(mean).any():
        return None
    low, high = (numbers(part.get(end)) for end in ("low", "high"))
    runs = numbers(curves.get("runs"))
    if runs.size == mean.size and np.isfinite(runs).any():
        few = runs < np.nanmax(runs) / 2
        mean = np.where(few, np.nan, mean)
        low, high = (np.where(few, np.nan, end) if end.size == few.size else end for end in (low, high))
    return Band(mean, low if low.size == mean.size else mean, high if high.size == mean.size else mean)


def epochs(curves: Mapping[str, Any], size: int) -> np.ndarray:
    """The epochs of a curve, counted from 0."""
    found = numbers(curves.get("epoch"))
    return found if found.size == size else np.arange(size, dtype=np.float64)


def draw_band(axes: Any, x: np.ndarray, shown: Band, colour: str, **line: Any) -> None:
    """The mean as a line over its interval."""
    axes.fill_between(x, shown.low, shown.high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(x, shown.mean, color=colour, **line)
