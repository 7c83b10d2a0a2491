"""The picture of the cocktails: against each other learner, and what each part contributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regjax.report.style import LIGHT, drawing


def draw(summary: Mapping[str, Any], path: Path) -> None:
    """Draw the summary of `experiments.cocktails.summarize` as a PNG; dots are data sets, lines intervals of means."""
    from matplotlib.figure import Figure

    learners = summary["over_data_sets"]["learners"]
    over = {name: row["accuracy"] | {"p_adjusted": row.get("p_adjusted")} for name, row in learners.items()}
    gains = sorted(over.items(), key=lambda item: -item[1]["cocktail_over"])
    contributed = [row for row in summary["parts"].values() if row["contribution"] is not None]
    contributed.sort(key=lambda row: -row["contribution"])
    with drawing():
        figure = Figure(figsize=(9.6, 5.6), layout="constrained", facecolor=LIGHT["paper"])
        left, right = figure.subplots(1, 2)
        _rows(left, [(name, row["cocktail_over"], row) for name, row in gains])
        left.set_title("The cocktail over", loc="left")
        _rows(right, [(row["title"], row["contribution"], row) for row in contributed])
        right.set_title("What each part contributes", loc="left")
        for axes in (left, right):
            axes.set_xlabel("test accuracy, points")
        figure.savefig(path, dpi=110, metadata={"Software": None})


def _rows(axes: Any, rows: Sequence[tuple[str, float, Mapping[str, Any]]]) -> None:
    """For each row a dot for each data set, and their mean with its interval, filled where a difference is shown."""
    axes.set_facecolor(LIGHT["paper"])
    axes.axvline(0, color=LIGHT["ink"], linewidth=1.0)
    for y, (_, mean, row) in enumerate(rows):
        for place, value in enumerate(row["each"]):
            shift = 0.22 * math.sin(2.4 * place)  # apart, so that dots do not hide each other
            axes.plot(value, y + shift, "o", color=LIGHT["muted"], markersize=3.5, alpha=0.6, markeredgewidth=0)
        shown = row.get("p_adjusted") is not None and row["p_adjusted"] <= 0.05
        colour = LIGHT["ink"] if not shown else LIGHT["good"] if mean > 0 else LIGHT["bad"]
        if "ci95" in row and None not in row["ci95"]:
            axes.plot(row["ci95"], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(mean, y, "o", color=colour, markersize=6.5, markerfacecolor=colour if shown else LIGHT["paper"])
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
