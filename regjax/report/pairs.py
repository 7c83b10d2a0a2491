"""The figure of every row against every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.figures import clip
from regjax.report.panels import Panel
from regjax.report.style import Palette
from regjax.report.verdict import judge, short
from regjax.report.words import Measure, finite

MOST_ROWS = 12  # more do not fit on a phone


def pair_matrix(results: Mapping[str, Any]) -> Panel | None:
    """How much better each row is than those below it, best first; a filled cell is a difference that is shown."""
    order = list(results.get("groups") or {})
    if not 2 <= len(order) <= MOST_ROWS:
        return None
    measure = Measure.of(results)
    titles = {row["name"]: short(row["title"]) for row in (results["baseline"], *results["techniques"].values())}
    cells = {}
    for pair in results["pairs"]:
        a, b = order.index(pair["a"]), order.index(pair["b"])
        if finite(pair["mean"]):
            shown = judge(pair) in ("helped", "hurt")
            cells[min(a, b), max(a, b)] = (pair["mean"] if a < b else -pair["mean"], shown)

    def draw(axes: Any, palette: Palette) -> None:
        from matplotlib.patches import Rectangle

        for (y, x), (mean, shown) in cells.items():
            corner = (x - 0.47, y - 0.45)
            if shown:
                axes.add_patch(Rectangle(corner, 0.94, 0.9, color=palette["good"], alpha=0.22, linewidth=0))
            axes.text(
                x, y, measure.value(mean), ha="center", va="center", fontsize=9,
                color=palette["ink" if shown else "muted"], fontweight="bold" if shown else "normal",
            )  # fmt: skip
        for i in range(len(order)):
            axes.plot(i, i, ".", color=palette["rule"], markersize=4)
        places = range(len(order))
        axes.set_yticks(places, [f"{i + 1}  {clip(titles[name])}" for i, name in enumerate(order)])
        axes.set_xticks(places, [str(i + 1) for i in places])
        axes.xaxis.tick_top()
        axes.tick_params(axis="both", labelcolor=palette["ink"], length=0)
        axes.set_xlim(-0.5, len(order) - 0.5)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(visible=False)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)

    lines = [
        f"{titles[order[y]]} over {titles[order[x]]} {measure.change(mean)} ({'shown' if shown else 'not shown'})"
        for (y, x), (mean, shown) in sorted(cells.items())
    ]
    width = max(340, 136 + 27 * len(order))
    return Panel(
        "pairs", "", f"Differences of test {measure.name}, best row first: " + "; ".join(lines) + ".", draw,
        width=width, height=26 + 24 * len(order), margins=(126, 6, 22, 4),
    )  # fmt: skip
