"""The picture of the atlas: effects with their spread between data sets, and mean ranks with groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regjax.report.style import LIGHT, drawing

EDGE = 0.6
"""Effects beyond this are drawn at the edge, as a triangle."""


def draw(summary: Mapping[str, Any], path: Path) -> None:
    """Draw the summary of the atlas as a PNG.

    Args:
      summary: from `experiments.atlas.summarize.summarized`.
      path: of the file.
    """
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(9.6, 5.2), layout="constrained", facecolor=LIGHT["paper"])
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _effects(left, summary)
        _ranks(right, summary)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def _effects(axes: Any, summary: Mapping[str, Any]) -> None:
    """One dot for each data set, the mean with its interval, and behind it the range of the means of families."""
    rows = sorted(summary["techniques"].items(), key=lambda item: -item[1]["mean"])
    margin = -math.log1p(-summary["margin"])
    axes.set_facecolor(LIGHT["paper"])
    axes.axvspan(-margin, margin, color=LIGHT["ink"], alpha=0.07, linewidth=0)
    axes.axvline(0, color=LIGHT["ink"], linewidth=1.0)
    for y, (_, row) in enumerate(rows):
        low, high = (min(max(end, -EDGE), EDGE) for end in row["range"])
        axes.plot([low, high], [y, y], color=LIGHT["train"], linewidth=7, alpha=0.2, solid_capstyle="butt")
        for place, effect in enumerate(row["each"].values()):
            shift = 0.26 * math.sin(2.4 * place)  # apart, so that dots do not hide each other
            beyond = abs(effect) > EDGE
            marker = (">" if effect > 0 else "<") if beyond else "o"
            at = math.copysign(EDGE, effect) if beyond else effect
            axes.plot(at, y + shift, marker, color=LIGHT["muted"], markersize=3, alpha=0.55, markeredgewidth=0)
        shown = row["p_holm"] <= 0.05
        colour = LIGHT["good"] if shown and row["mean"] > 0 else LIGHT["bad"] if shown else LIGHT["ink"]
        axes.plot(row["ci95"], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(
            row["mean"], y, "o", color=colour, markersize=6.5, markerfacecolor=colour if shown else LIGHT["paper"]
        )
    changes = (60, 30, 0, -20, -40)  # percent
    ticks = [-math.log1p(change / 100) for change in changes]
    axes.set_xticks(ticks, [f"{change:+}%".replace("-", "−") if change else "0" for change in changes])
    axes.set_yticks(range(len(rows)), [summary["titles"][name] for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-EDGE - 0.03, EDGE + 0.03)
    axes.set_xlabel("change of the test loss (to the right: lower)")
    axes.set_title("Effect on data sets, average over families", loc="left")


def _ranks(axes: Any, summary: Mapping[str, Any]) -> None:
    """Mean ranks, and a line for each group of rows that are not shown to differ."""
    made, titles = summary["ranks"], summary["titles"]
    names = list(made["ranks"])
    axes.set_facecolor(LIGHT["paper"])
    for y, name in enumerate(names):
        axes.plot(made["ranks"][name], y, "o", color=LIGHT["train"], markersize=6.5)
    letters = sorted(set("".join(made["groups"].values())))
    right = max(made["ranks"].values())
    for place, letter in enumerate(letters):
        rows = [y for y, name in enumerate(names) if letter in made["groups"][name]]
        x = right + 0.7 + 0.45 * place
        axes.plot([x, x], [min(rows) - 0.3, max(rows) + 0.3], color=LIGHT["rule"], linewidth=1.2)
        axes.plot([x] * len(rows), rows, "s", color=LIGHT["accent"], markersize=4)
    axes.set_xticks(range(2, math.ceil(right) + 1, 2))
    axes.set_yticks(range(len(names)), [titles.get(name, name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("mean rank, 1 is best; each column\nof squares is a group")
    axes.set_title(f"Ranks on {made['data_sets']} families", loc="left")
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.4)
