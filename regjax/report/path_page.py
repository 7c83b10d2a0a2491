"""The page of regularization paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.extras import require
from regjax.report.figures import clip
from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.panels import Panel, legend, number_ticks, save
from regjax.report.path_words import (
    ORDERS,
    features,
    headline,
    longest_in_use,
    optimism,
    orders,
    over_control,
    percent,
    simplest,
)
from regjax.report.scale import Scale
from regjax.report.series import as_array
from regjax.report.style import Palette
from regjax.report.words import NONE, Measure, count, finite, fixed, plain

NAMED = 16
"""As many features are in the figure."""
LINES = {"up": "-", "down": (0, (4, 3))}


def write_path_report(results: Mapping[str, Any], workdir: str | Path) -> Path:
    """Write `report.html` and `figures/` of regularization paths.

    Args:
      results: the content of `results.json`: `{dataset, metric, seeds, parameter, values, orders, best, columns, ...}`.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.
    """
    require("jinja2", "matplotlib")
    results, workdir = clean(results), Path(workdir)
    measure = Measure.of(results)
    panels = [
        _lines("score", f"Validation and training {measure.name}", results, ("score", "train_score"), measure.scale),
        _lines("loss", f"Validation and training {measure.loss}", results, ("val_loss", "train_loss"), 1.0),
        _lines("zeros", "Weights that are exactly zero, %", results, ("zeros",), 100.0),
        _lines("norm", "Norm of all weights", results, ("norm",), 1.0),
    ]
    of_features = _features(results)
    content = {
        "dataset": results["dataset"],
        "parameter": results["parameter"],
        "headline": headline(results),
        "sub": " ".join(filter(None, (said(results) for said in (over_control, simplest, optimism, orders)))),
        "panels": [figure(panel) for panel in panels],
        "panels_caption": _caption(results),
        "features": figure(of_features) if of_features else None,
        "features_text": features(results),
        "features_caption": _features_caption(results),
        "table": _table(results, measure),
        "reproduce": reproduce(results),
        "footer": "Made by regjax from results.json; this page loads nothing from anywhere.",
    }
    folder = workdir / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    save(panels, folder / "path", f"{results['dataset']}: path of {results['parameter']}", columns=2)
    if of_features:
        save([of_features], folder / "features", f"{results['dataset']}: features along {results['parameter']}")
    return write(workdir / "report.html", render("path.html", content))


def _series(points: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return as_array([point[name]["mean"] if name == "score" else point[name] for point in points])


def _lines(name: str, title: str, results: Mapping[str, Any], series: Sequence[str], factor: float) -> Panel:
    """One number, or that of validation and training, against the strength; a line for each order and its control."""
    scale = Scale.of(results["values"])
    best = results.get("best")

    def draw(axes: Any, palette: Palette) -> None:
        x = [scale.at(value) for value in results["values"]]
        for order, points in results["orders"].items():
            control = results["control"] if order == "up" else results["control"][::-1]
            axes.plot(
                x, factor * _series(control, series[0]), color=palette["muted"], linewidth=1.0, linestyle=LINES[order],
                label=f"{'validation ' if len(series) > 1 else ''}without {results['parameter']}"
                if order == next(iter(results["orders"]))
                else None,
            )  # fmt: skip
            for one in series:
                training = one.startswith("train")
                role = palette["train"] if training or len(series) == 1 else palette["val"]
                label = ("training" if training else "validation") if order == next(iter(results["orders"])) else None
                axes.plot(
                    x, factor * _series(points, one), color=role, linewidth=1.5, linestyle=LINES[order],
                    label=label if len(series) > 1 else None,
                )  # fmt: skip
            if "score" in series and best and best["order"] == order:
                for place, point in zip(x, points, strict=True):
                    if all(map(finite, point["score"]["ci95"])):
                        ends = [factor * end for end in point["score"]["ci95"]]
                        axes.plot([place, place], ends, color=palette["val"], linewidth=1.0, alpha=0.5)
                at = best["position"]
                axes.plot(x[at], factor * _series(points, "score")[at], "o", color=palette["val"], markersize=7)
        scale.label(axes, results["parameter"])
        axes.margins(y=0.12)
        number_ticks(axes.yaxis, 5)
        legend(axes, palette)

    first = next(iter(results["orders"].values()))
    told = factor * _series(first, series[0])
    told = told[np.isfinite(told)]
    text = f"{title} against {results['parameter']}."
    if told.size:
        text += f" From {fixed(told[0], 3)} at the weakest to {fixed(told[-1], 3)} at the strongest."
    return Panel(f"path-{name}", title, text, draw, width=360, height=230, margins=(52, 12, 26, 40))


def _features(results: Mapping[str, Any]) -> Panel | None:
    """The strength up to which the net uses each input feature, from weak to strong; the longest in use."""
    longest = longest_in_use(results)[:NAMED]
    if not longest:
        return None
    scale, strongest = Scale.of(results["values"]), results["values"][-1]

    def draw(axes: Any, palette: Palette) -> None:
        start = scale.at(results["values"][0])
        for y, (_, value) in enumerate(longest):
            face = palette["train"] if value < strongest else palette["paper"]
            axes.plot([start, scale.at(value)], [y, y], color=palette["train"], linewidth=1.4)
            axes.plot(scale.at(value), y, "o", color=palette["train"], markersize=6, markerfacecolor=face)
        axes.set_yticks(range(len(longest)), [clip(name, 22) for name, _ in longest])
        axes.tick_params(axis="y", labelcolor=palette["ink"])
        axes.set_ylim(len(longest) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        scale.label(axes, results["parameter"])

    text = f"The largest {results['parameter']} at which a feature has a weight that is not zero: "
    text += "; ".join(f"{name} {plain(value)}" for name, value in longest) + "."
    return Panel(
        "path-features", "", text, draw, width=420, height=56 + 22 * len(longest), margins=(150, 14, 8, 40)
    )  # fmt: skip


def _features_caption(results: Mapping[str, Any]) -> str:
    in_use = len(longest_in_use(results))
    shown = f" The {NAMED} longest in use of {in_use}." if in_use > NAMED else ""
    seeds = " in more than half of the seeds" if int(results["seeds"]) > 1 else ""
    text = f"The largest {results['parameter']} at which a feature has a weight that is not zero{seeds}, from weak to "
    return f"{text}strong; open: at the strongest too.{shown}"


def _caption(results: Mapping[str, Any]) -> str:
    seeds = int(results["seeds"])
    text = f"Means over {count(seeds, 'seed')}." if seeds > 1 else "One seed."
    if len(results["orders"]) > 1:
        text += f" Solid: {ORDERS['up']}; dashed: {ORDERS['down']}."
    text += f" Grey: the same training without {results['parameter']}. Each point goes on from the one before and "
    text += "has trained longer, which the grey lines have too: only the regularizer differs from them."
    if results.get("best"):
        text += " The dot is the best point"
        drawn = "seeds and validation examples" if Measure.of(results).unit else "seeds on these validation examples"
        text += f", the thin lines are 95% intervals for other {drawn}." if seeds > 1 else "."
    return text


def _table(results: Mapping[str, Any], measure: Measure) -> dict[str, Any]:
    best = results.get("best")
    order = best["order"] if best else next(iter(results["orders"]))
    unit = measure.unit.strip()
    heads = [
        (f"validation {measure.name}", unit), (f"train {measure.name}", unit), (f"validation {measure.loss}", ""),
        ("weights exactly zero", "%"), ("norm", ""),
    ]  # fmt: skip
    rows = []
    for i, point in enumerate(results["orders"][order]):
        interval = measure.range(point["score"]["ci95"])
        numbers = [
            (measure.value(_number(point["score"]["mean"])), interval),
            (measure.value(_number(point["train_score"])), ""),
            (fixed(_number(point["val_loss"]), 3), ""),
            (percent(point["zeros"]) if finite(point["zeros"]) else NONE, ""),
            (fixed(_number(point["norm"]), 2), ""),
        ]
        failed = f"{point['failed']} failed" if point["failed"] else ""
        cells = [
            {"text": text, "small": small or (failed if j == 0 else ""), "flag": bool(failed and j == 0), "label": head}
            for j, ((text, small), (head, _)) in enumerate(zip(numbers, heads, strict=True))
        ]
        is_best = bool(best and best["position"] == i)
        rows.append(
            {
                "title": plain(point["value"]), "heading": results["parameter"], "text": "", "verdict": "", "label": "",
                "mark": "best" if is_best else "", "cells": cells,
            }
        )  # fmt: skip
    columns = [{"name": head, "unit": of} for head, of in ((results["parameter"], ""), *heads)]
    caption = f"The path {ORDERS[order]}. path.csv has every seed and order."
    return {"label": "Points, weakest first", "columns": columns, "rows": rows, "caption": caption}


def _number(value: Any) -> float:
    return float(value) if finite(value) else math.nan
