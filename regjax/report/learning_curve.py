"""Whether more data would help: the learning curve of the baseline, as a sentence and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from regjax.report.panels import Panel, number_ticks
from regjax.report.reach import with_so_few
from regjax.report.scale import Scale
from regjax.report.style import Palette
from regjax.report.verdict import judge, lost, metric_is_loss
from regjax.report.words import Measure, ends, finite, plain

OF_ANSWERS = ("accuracy", "balanced_accuracy", "f1")
"""Metrics of the class that is named: a probability that changes on one side of one half does not move them."""


def more_data_sentence(results: Mapping[str, Any]) -> str:
    """Say what the last doubling of the training examples changed, and what that means; empty without a curve.

    The error of a net falls about as a power of the number of examples (Hestness et al., Deep learning scaling is
    predictable, empirically, 2017), so that each doubling changes less than the one before. A last doubling that
    changes little therefore speaks against more data, and one that helps makes no promise of the size of the next.

    The metric is judged as that of a technique, and so is the loss. Where they disagree, both are said: an accuracy
    that does not rise is no reason against more data while the loss falls. Where a rare class is never predicted, so
    that at neither size the metric is better than that of a constant guess, it says nothing, and the loss decides.

    Args:
      results: the content of `results.json`.
    """
    curve = results.get("learning_curve")
    if not curve or not curve.get("doubling"):
        return ""
    measure, status = Measure.of(results), judge(curve["doubling"])
    gain = None if metric_is_loss(results) else curve.get("loss_doubling")
    of_loss = judge(gain) if gain else "untested"
    blind = gain is not None and status in ("same", "none") and _at_chance(results)
    verdict = f"{_disagreement(status, of_loss, blind, measure) or _verdict(of_loss if blind else status, results)}: "
    half, full = curve["sizes"][-2:]
    changes = [_change(f"test {measure.name}", curve["doubling"], measure.change, measure.changes, measure.step)]
    if gain and (blind or ({status, of_loss} & {"helped"} and status != of_loss and of_loss in ("helped", "hurt"))):
        changes.append(_change(f"test {measure.loss}", gain, measure.loss_change, measure.loss_changes))
        changes = changes[::-1] if blind or of_loss == "helped" else changes
    text = f"{verdict}from {plain(half)} to {plain(full)} training examples {' and '.join(changes)}."
    if not blind:
        return text
    constant = measure.value(results["chance"]["score"]) + measure.unit
    return (
        f"{text} At both sizes test {measure.name} is no better than that of a constant guess, {constant}, so it "
        "does not see better probabilities; --metric=log_loss does."
    )


_VERDICTS = {
    "helped": "More data would probably help",
    "same": "More data would probably change little",
    "hurt": "More data did not help so far",
    "none": "Whether more data would help is not shown",
}


def _verdict(status: str, results: Mapping[str, Any]) -> str:
    if status != "untested":
        return _VERDICTS[status]
    why = "as the training diverged" if lost(results["learning_curve"]["doubling"]) else f"with {with_so_few(results)}"
    return f"Whether more data would help cannot be tested {why}"


def _disagreement(status: str, of_loss: str, blind: bool, measure: Measure) -> str:
    """The answer where the loss says another thing than the metric; empty where it does not."""
    if of_loss == "hurt" and status == "helped":
        return f"More data would probably help {measure.name}, but not the test {measure.loss}"
    if of_loss != "helped" or status == "helped":
        return ""
    metric = {
        "same": f"but probably change {measure.name} little",
        "hurt": f"but did not help {measure.name} so far",
        "none": f"and is not shown to change {measure.name}",
        "untested": f"and {measure.name} could not be tested",
    }[status]
    return f"More data would probably lower the test {measure.loss}, " + (
        f"but {measure.name} cannot show it" if blind else metric
    )


def _at_chance(results: Mapping[str, Any]) -> bool:
    """Whether a metric of answers is at neither of the last two sizes better than that of a constant guess."""
    means = [spread["mean"] for spread in results["learning_curve"]["test"][-2:]]
    constant = (results.get("chance") or {}).get("score")
    if results.get("metric") not in OF_ANSWERS or not finite(constant):
        return False
    return all(finite(mean) and mean <= constant + 1e-9 for mean in means)


def _change(
    name: str, gain: Mapping[str, Any], size: Callable[[Any], str], ends_of: Callable[[Any], str], unit: str = ""
) -> str:
    interval = ends_of(gain.get("ci95"))
    return f"{name} changed by {size(gain['mean'])}{unit}" + (f" (95% interval {interval})" if interval else "")


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
