"""Lists from result files as arrays; null becomes NaN, so that lines end where runs stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.report.words import finite


class Band(NamedTuple):
    """A mean with its interval, over epochs or points of a grid; arrays of the same length."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def top(self) -> float:
        """The largest finite mean; NaN if there is none."""
        finite_means = self.mean[np.isfinite(self.mean)]
        return float(finite_means.max()) if finite_means.size else float("nan")


def as_array(values: Sequence[Any] | None) -> np.ndarray:
    """A list as an array, with NaN for null."""
    return np.array([float(v) if finite(v) else np.nan for v in values or []], np.float64)


def band(curves: Mapping[str, Any], name: str) -> Band | None:
    """The curve `name` of a row; None if it is missing or has no finite value.

    It ends where fewer than half of the runs continue, because a mean over the few longest runs says little.
    """
    curve = curves.get(name)
    if not curve:
        return None
    mean = as_array(curve.get("mean"))
    if not np.isfinite(mean).any():
        return None
    low, high = (as_array(curve.get(end)) for end in ("low", "high"))
    runs = as_array(curves.get("runs"))
    if runs.size == mean.size and np.isfinite(runs).any():
        too_few = runs < np.nanmax(runs) / 2
        mean = np.where(too_few, np.nan, mean)
        low, high = (np.where(too_few, np.nan, end) if end.size == too_few.size else end for end in (low, high))
    return Band(mean, low if low.size == mean.size else mean, high if high.size == mean.size else mean)


EPOCH = "epoch, from 0"  # the label of every axis of epochs: the numbers of metrics.jsonl and of a diagnosis


def epochs(curves: Mapping[str, Any], size: int) -> np.ndarray:
    """The epochs of a curve, starting at 0."""
    epoch_numbers = as_array(curves.get("epoch"))
    return epoch_numbers if epoch_numbers.size == size else np.arange(size, dtype=np.float64)


def draw_band(axes: Any, x: np.ndarray, band: Band, colour: str, **line: Any) -> None:
    """The mean as a line over its interval."""
    axes.fill_between(x, band.low, band.high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(x, band.mean, color=colour, **line)
