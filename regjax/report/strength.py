"""Selection score against regularization strength."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regjax.report.panels import Panel, number_ticks
from regjax.report.scale import Scale
from regjax.report.style import Palette
from regjax.report.verdict import short
from regjax.report.words import Measure, ends, finite, plain, slug

Row = Mapping[str, Any]


def strengths(results: Mapping[str, Any]) -> list[Panel]:
    """Selection score against strength, one panel for each technique with a grid, on a shared vertical axis."""
    rows = [row for row in results["techniques"].values() if _has_grid(row)]
    measure = Measure.of(results)
    grid = results["baseline"].get("grid") or []
    base = grid[0]["select_score"] if grid else None
    low, high = _shared_limits(rows, base, measure)
    start = (results.get("settings") or {}).get("train_examples")
    return [_strength(row, measure, base, (low, high), start) for row in rows]


def _has_grid(row: Row) -> bool:
    return bool((row.get("chosen") or {}).get("parameter")) and len(row.get("grid") or []) > 0


def _shared_limits(rows: Sequence[Row], base: Row | None, measure: Measure) -> tuple[float, float]:
    """Limits for all scores, except that points far worse than the baseline are cut off."""
    spreads = [p["select_score"] for row in rows for p in row["grid"]] + ([base] if base else [])
    values = [v for s in spreads for v in (s["mean"], *(ends(s["ci95"]) or ())) if finite(v)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    anchor = base["mean"] if base and finite(base["mean"]) else float(np.median(values))
    if measure.higher:
        low = max(low, anchor - 1.5 * max(high - anchor, 0.03))
    else:
        high = min(high, anchor + 1.5 * max(anchor - low, 0.03 * abs(anchor)))
    room = 0.06 * (high - low) or 0.05
    return low - room, high + 2.6 * room  # above: the label of the chosen point


def _strength(row: Row, measure: Measure, base: Row | None, limits: tuple[float, float], start: float | None) -> Panel:
    curve = row["name"] == "more_data"
    grid = [(point["value"], point["select_score"]) for point in row["grid"]]
    if curve and base and finite(start):
        grid = [(start, base), *grid]
    scale, chosen = Scale.of([value for value, _ in grid]), row["chosen"]["value"]

    def draw(axes: Any, palette: Palette) -> None:
        band_of = ends(base["ci95"]) if base else None
        if band_of:
            axes.axhspan(*band_of, color=palette["muted"], alpha=0.13, linewidth=0)
        if base and finite(base["mean"]):
            axes.axhline(base["mean"], color=palette["muted"], linewidth=1.0, linestyle=(0, (4, 3)))
        x = [scale.at(value) for value, _ in grid]
        y = np.array([s["mean"] if finite(s["mean"]) else np.nan for _, s in grid], float)
        axes.plot(x, y, color=palette["train"], linewidth=1.4)
        for place, height, (value, s) in zip(x, y, grid, strict=True):
            pair = ends(s["ci95"])
            if pair:
                axes.plot([place, place], pair, color=palette["train"], linewidth=1.2)
            is_chosen = value == chosen
            if not limits[0] <= height <= limits[1]:
                axes.plot(
                    place,
                    0.02 if measure.higher else 0.98,
                    "v" if measure.higher else "^",
                    color=palette["train"],
                    markersize=6,
                    transform=axes.get_xaxis_transform(),
                )
            face = palette["train"] if is_chosen else palette["paper"]
            axes.plot(
                place,
                height,
                "o",
                color=palette["train"],
                markersize=8 if is_chosen else 4.5,
                markerfacecolor=face,
            )
            if is_chosen and math.isfinite(height):
                _label_chosen(axes, palette, scale, place, pair[1] if pair else height, plain(chosen), limits)
        axes.set_ylim(*limits)
        scale.label(axes, "training examples" if curve else str(row["chosen"]["parameter"]))
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    text = f"Selection {measure.name}{measure.unit} by {row['chosen']['parameter']}: "
    text += ", ".join(f"{plain(value)}: {measure.value(s['mean'])}" for value, s in grid)
    text += f". Chosen: {plain(chosen)}."
    if base:
        text += f" Baseline: {measure.value(base['mean'])}."
    return Panel(f"strength-{slug(row['name'])}", short(row["title"]), text, draw, margins=(40, 10, 10, 38))


def _label_chosen(
    axes: Any, palette: Palette, scale: Scale, x: float, y: float, label: str, limits: tuple[float, float]
) -> None:
    low_limit, high_limit = scale.limits()
    position = (x - low_limit) / (high_limit - low_limit)
    side = "left" if position < 0.25 else "right" if position > 0.75 else "center"
    shift = {"left": -4, "right": 4, "center": 0}[side]
    axes.annotate(
        label, (x, min(y, limits[1])), xytext=(shift, 4), textcoords="offset points", ha=side, va="bottom",
        color=palette["ink"], weight="bold",
    )  # fmt: skip
