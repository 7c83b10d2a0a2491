"""Histograms of weights, which show small weights and exact zeros."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from regjax.report.panels import Panel, number_ticks
from regjax.report.style import Palette
from regjax.report.verdict import short
from regjax.report.words import plain, slug

Row = Mapping[str, Any]


def weights(results: Mapping[str, Any]) -> list[Panel]:
    """Histograms of the weights of the baseline, with L2 (small weights) and with L1 (exact zeros), on one axis."""
    techniques = results["techniques"]
    l2 = next((techniques[name] for name in ("l2", "decoupled") if name in techniques), None)
    rows = [results["baseline"], *(row for row in (l2, techniques.get("l1")) if row)]
    rows = [row for row in rows if (row.get("weights") or {}).get("counts")]
    reach = max((abs(end) for row in rows for end in row["weights"]["edges"]), default=1.0) or 1.0
    tops = [max([*row["weights"]["counts"], _zeros(row["weights"])]) for row in rows]
    top = 10 ** (math.log10(max([*tops, 10])) * 1.22)
    return [_histogram(row, reach, top) for row in rows]


def _zeros(histogram: Row) -> float:
    share, non_zeros = histogram.get("zero_fraction") or 0.0, sum(histogram["counts"])
    return non_zeros * share / (1 - share) if share < 1 else 1.0


def _histogram(row: Row, reach: float, top: float) -> Panel:
    content = row["weights"]
    share, small = content.get("zero_fraction") or 0.0, content.get("small_fraction") or 0.0
    edges, counts = np.asarray(content["edges"], float), np.asarray(content["counts"], float)

    def draw(axes: Any, palette: Palette) -> None:
        axes.stairs(np.maximum(counts, 0.5), edges, baseline=0.5, fill=True, color=palette["train"], alpha=0.55)
        if share > 0:
            height, wide = _zeros(content), 0.016 * reach
            axes.fill_between([-wide, wide], 0.5, height, color=palette["accent"], linewidth=0)
            axes.annotate(
                f"{_percent(share)} exactly 0", (0, height), xytext=(0, 5), textcoords="offset points",
                ha="center", va="bottom", color=palette["accent"], weight="bold",
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set_ylim(0.5, top)
        axes.set_xlim(-reach * 1.02, reach * 1.02)
        axes.set_xlabel("weight")
        number_ticks(axes.xaxis, 5)
        _power_ticks(axes, top)

    exactly = f"{_percent(share)} exactly zero" if share else "none exactly zero"
    note = f"{exactly}, {_percent(small)} below 0.001 but not zero"
    text = f"Histogram of the weights on a logarithmic count axis: {note}."
    return Panel(f"weights-{slug(row['name'])}", short(row["title"]), text, draw, margins=(40, 10, 8, 38), note=note)


def _power_ticks(axes: Any, top: float) -> None:
    from matplotlib.ticker import NullLocator

    powers = range(math.floor(math.log10(top)) + 1)
    step = max(1, math.ceil(len(powers) / 4))
    places = [10.0**power for power in powers[::step]]
    axes.set_yticks(places, [_compact(place) for place in places])
    axes.yaxis.set_minor_locator(NullLocator())


def _compact(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return plain(number / size) + letter
    return plain(number)


def _percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1%"
    return f"{percent:.1f}%" if percent < 10 and percent != 0 else f"{percent:.0f}%"
