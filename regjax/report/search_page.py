"""The part of the page of a sweep about its search: the best so far, rungs, halted trials, scores over ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.panels import Panel, number_ticks
from regjax.report.search_words import METHODS, trained_on
from regjax.report.style import Palette
from regjax.report.words import NONE, Measure, count, ends, finite, plain, slug

SHOWN = 40  # rows of the table of halted trials
Results = Mapping[str, Any]


def is_range(results: Results, name: str) -> bool:
    """Whether a name was searched over a range, and not over a list of values."""
    return isinstance((results.get("search") or {}).get("space", {}).get(name), Mapping)


def over_range(name: str, results: Results, reference: float | None, measure: Measure) -> Panel:
    """The scores of the trials that trained to the end over the range of a parameter; halted ones are marks below."""
    own, settings = results["search"]["space"][name], results["settings"][: results["search"]["trials"]]
    ended = [one for one in settings if one["finished"] and finite(one["score"]["mean"])]
    halted = [one for one in settings if not one["finished"]]
    best = results["settings"][results["best"]["setting"]] if results.get("best") else None

    def at(value: float) -> float:
        if value == 0 and own.get("off"):
            return left_out
        return math.log10(value) if own["log"] else float(value)

    def number_at(place: float) -> str:
        return plain(float(f"{10.0**place if own['log'] else place:.3g}"))

    low, high = (math.log10(end) if own["log"] else float(end) for end in (own["low"], own["high"]))
    left_out = low - 0.14 * (high - low)  # where trials without the regularizer stand, beside the range

    def draw(axes: Any, palette: Palette) -> None:
        if reference is not None:
            axes.axhline(reference, color=palette["muted"], linewidth=1.0, linestyle=(0, (4, 3)))
        for one in ended:
            x, interval = at(one["values"][name]), ends(one["score"]["ci95"])
            if one is best and interval:
                axes.plot([x, x], interval, color=palette["val"], linewidth=1.2)
            axes.plot(
                x, one["score"]["mean"], "o", color=palette["val"], markersize=8 if one is best else 5,
                markerfacecolor=palette["val"] if one is best else palette["paper"],
            )  # fmt: skip
        axes.plot(
            [at(one["values"][name]) for one in halted], [0.02] * len(halted), "|", color=palette["muted"],
            markersize=7, transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        first = left_out if own.get("off") else low
        axes.set_xlim(first - 0.04 * (high - low), high + 0.04 * (high - low))
        if own["log"]:
            decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
            places = [float(d) for d in decades][:: max(1, math.ceil(len(decades) / 6))]
            places = places if len(places) > 1 else [low, high]
            axes.set_xticks(places, [number_at(place) for place in places])
        else:
            number_ticks(axes.xaxis, 5)
        if own.get("off"):
            places = [place for place in axes.get_xticks() if low <= place <= high]
            axes.set_xticks([left_out, *places], ["off", *map(number_at, places)])
        axes.set_xlabel(f"{name}{' (log axis)' if own['log'] else ''}")
        axes.margins(y=0.14)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    by_value = sorted(ended, key=lambda one: one["values"][name])
    listed = ", ".join(f"{plain(one['values'][name])}: {measure.value(one['score']['mean'])}" for one in by_value)
    text = f"Validation {measure.name}{measure.unit} by {name}, of trials that trained to the end: {listed}."
    text += f" Halted trials: {plain(len(halted))}." if halted else ""
    text += "" if reference is None else f" Reference: {measure.value(reference)}."
    return Panel(f"sweep-{slug(name)}", name, text, draw, width=360, height=240, margins=(46, 12, 26, 40))


def search_section(results: Results, reference: float | None, measure: Measure) -> dict[str, Any] | None:
    """The panels of the section about the search, their caption, and the table of halted trials.

    None without a search, or of one with fewer than three trials.

    Args:
      results: the content of `results.json`.
      reference: the score of the only reference; None if there is not just one.
      measure: of the scores.
    """
    search = results.get("search")
    if not search or search["trials"] < 3:
        return None
    panels = [best_so_far(results, reference, measure)]
    halts = len(trained_on(results)) > 1
    named = f"{measure.name} in percent" if measure.unit else measure.name
    caption = f"Validation {named} of the best trial so far, by the epochs of all runs"
    caption += ", in the order of the grid" if search["method"] == "grid" else ""
    caption += "; dots: trials when they have trained to the end."
    if halts:
        panels.append(over_rungs(results, measure))
        caption += " Over the rungs, each line is a trial and ends where it was halted; filled: those that trained to"
        caption += " the end."
    caption += " Dashed: the reference." if reference is not None else ""
    return {"panels": panels, "caption": caption, "halted": _halted(results, measure) if halts else None}


def best_so_far(results: Results, reference: float | None, measure: Measure) -> Panel:
    """The best score of a trial that has trained to the end, against the epochs that were spent by then."""
    spent, at, scores = 0, [], []
    last = max(until for _, until, *_ in results["search"]["steps"])
    for _, until, epochs, score in results["search"]["steps"]:
        spent += epochs
        if until == last and finite(score):
            at.append(spent)
            scores.append(score)
    best = [max(scores[: i + 1]) for i in range(len(scores))]

    def draw(axes: Any, palette: Palette) -> None:
        if reference is not None:
            axes.axhline(reference, color=palette["muted"], linewidth=1.0, linestyle=(0, (4, 3)))
        if best:
            axes.plot(at, scores, "o", color=palette["muted"], alpha=0.5, markersize=3.5, markeredgewidth=0)
            axes.step([*at, spent], [*best, best[-1]], where="post", color=palette["val"], linewidth=1.6)
        axes.set_xlim(0, spent * 1.03)
        axes.set_xlabel("epochs of all runs")
        axes.margins(y=0.12)
        number_ticks(axes.xaxis, 5, integer=True)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    rises = [(e, s) for i, (e, s) in enumerate(zip(at, best, strict=True)) if i == 0 or s > best[i - 1]]
    listed = ", ".join(f"{measure.value(score)} after {count(epochs, 'epoch')}" for epochs, score in rises)
    title = f"{METHODS[results['search']['method']]}: best so far"
    text = f"Best validation {measure.name}{measure.unit} so far: {listed or NONE}; {count(spent, 'epoch')} in all."
    return Panel("search-best", title, text, draw, width=360, height=230, margins=(46, 14, 12, 40))


def over_rungs(results: Results, measure: Measure) -> Panel:
    """The scores of each trial at its rungs."""
    lines: dict[int, list[tuple[int, float]]] = {}
    for trial, until, _, score in results["search"]["steps"]:
        lines.setdefault(trial, []).append((until, score if finite(score) else math.nan))
    rungs = trained_on(results)
    last = max(rungs)

    def draw(axes: Any, palette: Palette) -> None:
        for line in sorted(lines.values(), key=lambda line: line[-1][0]):
            x, y = [math.log(until) for until, _ in line], [score for _, score in line]
            ended = line[-1][0] == last
            color = palette["val"] if ended else palette["muted"]
            axes.plot(x, y, color=color, linewidth=1.5 if ended else 0.9, alpha=1.0 if ended else 0.55)
            axes.plot(
                x[-1], y[-1], "o", color=color, markersize=5 if ended else 3.5, alpha=1.0 if ended else 0.7,
                markerfacecolor=color if ended else palette["paper"],
            )  # fmt: skip
        axes.set_xticks([math.log(epochs) for epochs in rungs], [plain(epochs) for epochs in rungs])
        axes.set_xlabel("epochs of a trial (log axis)")
        axes.margins(x=0.05, y=0.1)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    parts = []
    for epochs, number in rungs.items():
        known = [score for line in lines.values() for until, score in line if until == epochs and finite(score)]
        span = f", {measure.value(min(known))} to {measure.value(max(known))}" if known else ""
        parts.append(f"{count(number, 'trial')} until epoch {plain(epochs)}{span}")
    text = f"Validation {measure.name}{measure.unit} of trials at their rungs: {'; '.join(parts)}."
    return Panel("search-rungs", "Rungs", text, draw, width=360, height=230, margins=(46, 14, 12, 40))


def _halted(results: Results, measure: Measure) -> dict[str, Any] | None:
    """The table of halted trials: those with the most epochs first, then by their score there."""
    names = list(results["parameters"])
    last = {
        trial: (until, score if finite(score) else math.nan) for trial, until, _, score in results["search"]["steps"]
    }
    halted = [i for i, one in enumerate(results["settings"][: results["search"]["trials"]]) if not one["finished"]]
    if not halted:
        return None

    def order(i: int) -> tuple[int, bool, float]:
        until, score = last[i]
        return -until, not finite(score), -score

    unit = measure.unit.strip()
    heads = [*((name, "") for name in names[1:]), ("epochs", ""), (f"{measure.name} there", unit)]
    rows = []
    for i in sorted(halted, key=order)[:SHOWN]:
        values, (until, score) = results["settings"][i]["values"], last[i]
        texts = [
            *(plain(values[name]) for name in names[1:]),
            plain(until),
            measure.value(score) if finite(score) else NONE,
        ]
        cells = [{"text": t, "small": "", "flag": False, "label": h} for t, (h, _) in zip(texts, heads, strict=True)]
        words = {"text": "", "verdict": "", "label": "", "mark": ""}
        rows.append({"title": plain(values[names[0]]), "heading": names[0], "cells": cells, **words})
    more = f" The first {SHOWN} of {plain(len(halted))} are shown." if len(halted) > SHOWN else ""
    columns: Sequence[tuple[str, str]] = ((names[0], ""), *heads)
    return {
        "label": "Halted trials",
        "summary": f"{count(len(halted), 'trial')} and the epochs they had",
        "columns": [{"name": head, "unit": own} for head, own in columns],
        "rows": rows,
        "caption": "Scores after different numbers of epochs cannot be compared with each other." + more,
    }
