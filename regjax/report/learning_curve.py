"""Whether more data would help: the learning curve of the baseline, as a sentence and a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regjax.report.panels import Panel, number_ticks
from regjax.report.scale import Scale
from regjax.report.style import Palette
from regjax.report.verdict import judge
from regjax.report.words import Measure, ends, finite, plain


def more_data_sentence(results: Mapping[str, Any]) -> str:
    """Say what the last doubling of the training examples changed, and what that means; empty without a curve.

    The error of a net falls about as a power of the number of examples (Hestness et al., Deep learning scaling is
    predictable, empirically, 2017), so that each doubling changes less than the one before. A last doubling that
    changes little therefore speaks against more data, and one that helps makes no promise of the size of the next.

    Args:
      results: the content of `results.json`.
    """
    curve = results.get("learning_curve")
    if not curve or not curve.get("doubling"):
        return ""
    measure, gain, (half, full) = Measure.of(results), curve["doubling"], curve["sizes"][-2:]
    size = measure.change(gain["mean"]) + measure.step
    interval = measure.changes(gain.get("ci95"))
    changed = f"from {plain(half)} to {plain(full)} training examples test {measure.name} changed by {size}"
    changed += f" (95% interval {interval})" if interval else ""
    verdict = {
        "helped": "More data would probably help",
        "same": "More data would probably change little",
        "hurt": "More data did not help so far",
        "none": "Whether more data would help is not shown",
        "untested": "Whether more data would help cannot be tested with so few runs",
    }[judge(gain)]
    return f"{verdict}: {changed}."


def curve_panel(results: Mapping[str, Any]) -> Panel | None:
    """The test metric of the baseline against the number of training examples; None without a curve."""
    curve = results.get("learning_curve")
    if not curve:
        return None
    measure, sizes, spreads = Measure.of(results), curve["sizes"], curve["test"]
    scale = Scale("log", tuple(float(size) for size in sizes))

    def draw(axes: Any, palette: Palette) -> None:
        x = [scale.at(size) for size in sizes]
        y = [spread["mean"] if finite(spread["mean"]) else math.nan for spread in spreads]
        axes.plot(x, y, "o-", color=palette["train"], linewidth=1.4, markersize=5)
        for place, spread in zip(x, spreads, strict=True):
            pair = ends(spread["ci95"])
            if pair:
                axes.plot([place, place], pair, color=palette["train"], linewidth=1.2)
        axes.set_xlim(*scale.limits())
        axes.set_xticks(x, [plain(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("training examples (log axis)")
        axes.set_ylabel(f"{measure.name} in percent" if measure.unit else measure.name)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    points = ", ".join(f"{plain(size)}: {measure.value(s['mean'])}" for size, s in zip(sizes, spreads, strict=True))
    text = f"Test {measure.name}{measure.unit} of the baseline by number of training examples: {points}."
    return Panel("learning-curve", "", text, draw, width=340, height=190, margins=(52, 12, 8, 40))
