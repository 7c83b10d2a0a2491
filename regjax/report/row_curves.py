"""The learning curves of the rows of a comparison: a figure, a table of power laws, and what a technique is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.panels import Panel, number_ticks
from regjax.report.plain_table import cell, line, plain_table
from regjax.report.scale import Scale
from regjax.report.style import Palette
from regjax.report.words import NONE, Measure, count, ends, finite, fixed, plain

REACH = 2.0
"""Up to so many times the largest size, and down to the smallest by it, a number of examples is named."""
FEWEST_RUNS = 10  # for a misfit to be known
MISFIT = 3.0  # in standard errors; beyond, means do not lie on a power law
Results = Mapping[str, Any]


def row_curve_sentences(results: Results) -> list[str]:
    """Say for each technique how many examples the baseline needs for its test loss; empty without curves.

    Both power laws are fitted to the same runs, so the interval is paired. A number is named only near the sizes that
    were trained: from half of the smallest to twice the largest.

    Args:
      results: the content of `results.json`.
    """
    curves = results.get("row_curves")
    if not curves:
        return []
    rows, measure = [row for row in curves["rows"].values() if row["equivalent"]], Measure.of(results)
    misfit = curves["rows"]["baseline"]["law"]["misfit"] if rows else 0.0
    if int(results["seeds"]) >= FEWEST_RUNS and misfit > MISFIT:
        return [
            f"The test {measure.loss} of the baseline does not fall as a power law of the training examples (misfit "
            f"{fixed(misfit, 1)} standard errors), so what a technique is worth in examples is not said."
        ]
    return [_worth(row, curves["sizes"], measure) for row in rows]


def _worth(row: Mapping[str, Any], sizes: Sequence[int], measure: Measure) -> str:
    full, number = sizes[-1], row["equivalent"]["examples"]
    low, high = row["equivalent"]["ci95"]
    lowest, highest = sizes[0] / REACH, full * REACH
    subject = f"{row['title'][:1].upper()}{row['title'][1:]} with {count(full, 'training example')}"
    interval = f"95% interval {_example(low, lowest, highest)} to {_example(high, lowest, highest)}"
    shown = (low is None or low > full) or (high is not None and high < full)
    if not shown:
        return (
            f"{subject} is not shown to be worth more or fewer examples than the baseline has: its test {measure.loss} "
            f"is where the baseline is with {_example(number, lowest, highest, 'about ')} ({interval})."
        )
    return (
        f"{subject} has the test {measure.loss} of the baseline with {_example(number, lowest, highest, 'about ')} "
        f"({interval})."
    )


def _example(number: float | None, lowest: float, highest: float, about: str = "") -> str:
    """A number of examples to two digits; beyond what is named, that it is beyond.

    Example:
      >>> _example(914.0, 25, 800), _example(432.0, 25, 800, "about "), _example(None, 25, 800)
      ('more than 800', 'about 430', 'more than 800')
    """
    if number is None or number > highest:
        return f"more than {plain(highest)}"
    if number < lowest:
        return f"fewer than {plain(lowest)}"
    return about + plain(float(f"{number:.2g}") if number >= 10 else round(number))


def row_curve_section(results: Results) -> dict[str, Any] | None:
    """The panel, caption, sentences and table of the learning curves of the rows; None without them."""
    if not results.get("row_curves"):
        return None
    measure = Measure.of(results)
    law = "law" if any(row["law"] for row in results["row_curves"]["rows"].values()) else ""
    caption = (
        f"Test {measure.loss} against the number of training examples, both on log axes: each row with the setting "
        "that was chosen for all examples, and as many updates."
    )
    caption += " Lines: fitted power laws, floor + scale n^-rate; dots: means over runs." if law else ""
    return {
        "panel": curves_panel(results),
        "caption": caption,
        "sentences": row_curve_sentences(results),
        "table": _table(results, measure) if law else None,
        "table_caption": (
            "Small numbers are 95% intervals over resampled runs, for curves that go on as power laws; that of the "
            "loss is for other runs on other examples. The floor is the loss that more examples would not take away. "
            "The misfit is the largest distance of a mean from the curve, in standard errors: with ten runs, above "
            f"{plain(MISFIT)} it is no power law."
        ),
    }


def curves_panel(results: Results) -> Panel:
    """The test loss of each row against the number of training examples, with its fitted power law."""
    curves, measure = results["row_curves"], Measure.of(results)
    sizes, rows = curves["sizes"], curves["rows"]
    scale = Scale("log", tuple(float(size) for size in sizes))
    last = {name: row["test_loss"][-1]["mean"] for name, row in rows.items() if finite(row["test_loss"][-1]["mean"])}
    best = min(last, key=lambda name: last[name]) if last else None
    grid = [sizes[0] * (sizes[-1] / sizes[0]) ** (i / 40) for i in range(41)]

    def draw(axes: Any, palette: Palette) -> None:
        labels = []
        for name, row in rows.items():
            means = [one["mean"] if finite(one["mean"]) else math.nan for one in row["test_loss"]]
            color = palette["train"] if name == "baseline" else palette["val"] if name == best else palette["muted"]
            strong = name == "baseline" or name == best
            x = [scale.at(size) for size in sizes]
            if row["law"]:
                floor, height, rate = (row["law"][part]["value"] for part in ("floor", "scale", "rate"))
                fitted = [math.log10(floor + height * n**-rate) for n in grid]
                axes.plot([scale.at(n) for n in grid], fitted, color=color, linewidth=1.7 if strong else 1.0)
            logs = [math.log10(mean) if mean > 0 else math.nan for mean in means]
            axes.plot(x, logs, "o", color=color, markersize=5 if strong else 3.5)
            if math.isfinite(logs[-1]):
                labels.append((logs[-1], row["title"], color))
        low, high = axes.get_ylim()
        for y, title, color in _apart(labels, (high - low) / 15):
            axes.text(scale.at(sizes[-1]) + 0.03, y, title, color=color, size=8.5, va="center")
        axes.set_xlim(*scale.limits())
        axes.set_xticks([scale.at(size) for size in sizes], [plain(size) for size in sizes])
        axes.set_xlabel("training examples (log axis)")
        axes.set_ylabel(f"{measure.loss} (log axis)")
        from matplotlib.ticker import FuncFormatter

        number_ticks(axes.yaxis, 5)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{10.0**v:.2g}"))

    parts = []
    for row in rows.values():
        means = zip(sizes, row["test_loss"], strict=True)
        parts.append(f"{row['title']}: " + ", ".join(f"{plain(n)}: {fixed(one['mean'], 3)}" for n, one in means))
    text = f"Test {measure.loss} by number of training examples. {'. '.join(parts)}."
    return Panel("row-curves", "", text, draw, width=560, height=330, margins=(54, 150, 10, 40))


def _apart(labels: Sequence[tuple[float, str, str]], gap: float) -> list[tuple[float, str, str]]:
    """The labels from the lowest up, each moved up until it is clear of the one below, and then all of them centred.

    Example:
      >>> [round(y, 2) for y, *_ in _apart([(0.0, "a", ""), (0.1, "b", ""), (2.0, "c", "")], 0.5)]
      [-0.07, 0.43, 1.93]
    """
    placed: list[tuple[float, str, str]] = []
    for y, title, color in sorted(labels):
        placed.append((max(y, placed[-1][0] + gap) if placed else y, title, color))
    moved = sum(own[0] - y for own, (y, *_) in zip(placed, sorted(labels), strict=True)) / max(len(placed), 1)
    return [(y - moved / 2 if moved else y, title, color) for y, title, color in placed]


def _table(results: Results, measure: Measure) -> dict[str, Any]:
    curves = results["row_curves"]
    sizes = curves["sizes"]
    names = [
        f"{measure.loss}, {count(sizes[-1], 'example')}", "rate", "floor", "baseline needs, examples", "misfit"
    ]  # fmt: skip
    lines = []
    for row in curves["rows"].values():
        law, worth = row["law"], row["equivalent"]
        full = cell(names[0], fixed(row["test_loss"][-1]["mean"], 3), _span(row["test_loss"][-1]["ci95"], 3))
        if law is None:
            lines.append(line(row["title"], [full, *(cell(name, NONE) for name in names[1:])]))
            continue
        numbers = [cell(name, fixed(law[name]["value"], 3), _span(law[name]["ci95"], 3)) for name in ("rate", "floor")]
        lowest, highest = sizes[0] / REACH, sizes[-1] * REACH
        needs = cell(names[3], NONE)
        if worth:
            both = " to ".join(_example(end, lowest, highest) for end in worth["ci95"])
            needs = cell(names[3], _example(worth["examples"], lowest, highest), both)
        lines.append(line(row["title"], [full, *numbers, needs, cell(names[4], fixed(law["misfit"], 1))]))
    return plain_table("Fitted power laws of the test loss", [(name, "") for name in names], lines)


def _span(interval: Any, digits: int) -> str:
    pair = ends(interval)
    return f"{fixed(pair[0], digits)} to {fixed(pair[1], digits)}" if pair else ""
