"""Reliability curves, which show whether a model is right as often as it says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from regjax.report.panels import Panel, number_ticks
from regjax.report.series import as_array
from regjax.report.style import Palette
from regjax.report.verdict import short
from regjax.report.words import fixed, slug

Row = Mapping[str, Any]
Curve = tuple[np.ndarray, np.ndarray]  # confidence and accuracy


def reliabilities(results: Mapping[str, Any]) -> list[Panel]:
    """Accuracy against confidence of each technique, with the baseline behind it, on shared axes."""
    base = _curve(results["baseline"])
    rows = [row for row in results["techniques"].values() if _curve(row)]
    if base is None or not rows:
        return []
    curves = [base, *(curve for row in rows if (curve := _curve(row)))]
    low = min(float(np.min(values)) for curve in curves for values in curve)
    low = min(math.floor(10 * low + 1e-9) / 10, 0.9)
    return [_panel(row, results["baseline"], base, low) for row in rows]


def _curve(row: Row) -> Curve | None:
    content = (row.get("calibration") or {}).get("reliability") or {}
    confidence, accuracy = (as_array(content.get(name)) for name in ("confidence", "accuracy"))
    known = confidence.size and confidence.size == accuracy.size and np.isfinite([confidence, accuracy]).all()
    return (confidence, accuracy) if known else None


def _panel(row: Row, baseline: Row, base: Curve, low: float) -> Panel:
    own = _curve(row)
    assert own is not None  # rows without are left out

    def draw(axes: Any, palette: Palette) -> None:
        axes.plot([low, 1], [low, 1], color=palette["muted"], linewidth=0.7)
        axes.plot(*base, color=palette["muted"], linewidth=1.2, linestyle=(0, (4, 2)))
        axes.plot(*own, "o-", color=palette["accent"], linewidth=1.5, markersize=4)
        axes.set_xlim(low, 1.02)
        axes.set_ylim(low, 1.04)
        axes.set_xlabel("confidence (%)")
        number_ticks(axes.xaxis, 5, scale=100)
        number_ticks(axes.yaxis, 5, scale=100)

    errors = [fixed((one["calibration"].get("ece") or {}).get("mean"), 3) for one in (row, baseline)]
    note = f"calibration error {errors[0]}, baseline {errors[1]}"
    text = f"Accuracy against confidence: {note}."
    return Panel(f"reliability-{slug(row['name'])}", short(row["title"]), text, draw, height=200, note=note)
