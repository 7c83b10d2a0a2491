"""The page about a sweep: the metric against each parameter, and a table of the points of the grid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.panels import Panel, number_ticks, save
from regjax.report.scale import Scale
from regjax.report.style import Palette
from regjax.report.words import NONE, Measure, count, finite, fixed, listing, plain, slug, span

SHOWN = 40  # rows of the table


@dataclasses.dataclass(frozen=True)
class SweepPoint:
    """One combination of parameter values, over its seeds; `mean` is NaN if one of its runs has no score."""

    values: tuple[Any, ...]
    mean: float
    ci95: tuple[float, float] | None
    train: float
    loss: float
    epochs: float
    lanes: int
    failed: int


def write_sweep_report(results: Mapping[str, Any], workdir: str | Path) -> Path:
    """Write `report.html` and `figures/` of a sweep.

    Args:
      results: `{dataset, metric, seeds, parameters: {name: [values]}, lanes: [{name: value, ..., seed,
        val_score, val_loss, train_score, epochs, status}], reproduce}`; lanes that diverged or have no finite
        score count as failed.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.

    Raises:
      ValueError: there is no parameter or no lane.
    """
    results, workdir = clean(results), Path(workdir)
    names = list(results.get("parameters") or {})
    if not names or not results.get("lanes"):
        raise ValueError("sweep results: needs at least one parameter and one lane")
    measure = Measure.of(results)
    lower = str(results.get("metric")) in ("mse", "loss")
    points = summarize(results["lanes"], names)
    ranked = rank(points, lower=lower)
    best = ranked[0] if math.isfinite(ranked[0].mean) else None
    panels = [_against(name, i, points, best, measure, lower) for i, name in enumerate(names)]
    heat = _heat(names, points, best, measure) if len(names) == 2 else None
    content = {
        "dataset": results["dataset"],
        "headline": _headline(results, names, best, measure),
        "panels": [figure(panel) for panel in panels],
        "panels_caption": _panels_caption(names, measure),
        "heat": figure(heat) if heat else None,
        "heat_caption": f"Mean validation {_named(measure)} over seeds; outlined: the best.",
        "table": _table(names, ranked, best, measure),
        "notes": _notes(results, points, best, names),
        "reproduce": reproduce(results),
        "footer": "Made by regjax from results.json; this page loads nothing from anywhere.",
    }
    folder = workdir / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{results['dataset']}: validation {measure.name}"
    save(panels, folder / "sweep", title, columns=3)
    if heat:
        save([heat], folder / "heatmap", title)
    return write(workdir / "report.html", render("sweep.html", content))


def summarize(lanes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[SweepPoint]:
    """The lanes grouped into points of the grid, in the order in which these first appear.

    Example:
      >>> lanes = [{"l2": 0.1, "seed": s, "val_score": v} for s, v in enumerate([0.5, 0.7])]
      >>> summarize(lanes, ["l2"])[0].mean
      0.6
    """
    grouped: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for lane in lanes:
        grouped.setdefault(tuple(lane.get(name) for name in names), []).append(lane)
    out = []
    for values, group in grouped.items():
        scores = [lane.get("val_score") for lane in group if lane.get("status") != "diverged"]
        good = [float(score) for score in scores if finite(score)]
        failed = len(group) - len(good)
        mean = math.nan if failed else float(np.mean(good))
        train, loss, epochs = (_mean(lane.get(key) for lane in group) for key in ("train_score", "val_loss", "epochs"))
        ci95 = None if failed else _interval(good)
        out.append(SweepPoint(values, mean, ci95, train, loss, epochs, len(group), failed))
    return out


def rank(points: Sequence[SweepPoint], *, lower: bool = False) -> list[SweepPoint]:
    """Best first: by mean score, ties by lower loss; points with failed runs last."""
    sign = 1.0 if lower else -1.0

    def key(point: SweepPoint) -> tuple[bool, float, float]:
        bad = not math.isfinite(point.mean)
        loss = point.loss if math.isfinite(point.loss) else math.inf
        return bad, 0.0 if bad else sign * point.mean, loss

    return sorted(points, key=key)


def _mean(values: Any) -> float:
    finite_values = [float(value) for value in values if finite(value)]
    return float(np.mean(finite_values)) if finite_values else math.nan


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    from scipy.special import stdtrit

    if len(values) < 2:
        return None
    half = float(stdtrit(len(values) - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def _against(
    name: str, index: int, points: Sequence[SweepPoint], best: SweepPoint | None, measure: Measure, lower: bool
) -> Panel:
    with_score = [point for point in points if math.isfinite(point.mean)]
    scale = Scale.of([point.values[index] for point in points])
    best_by_value = []
    for value in scale.values:
        same_value = [point for point in with_score if scale.at(point.values[index]) == scale.at(value)]
        if same_value:
            best_by_value.append(rank(same_value, lower=lower)[0])

    def draw(axes: Any, palette: Palette) -> None:
        others = [point for point in with_score if point not in best_by_value]
        axes.plot(
            [scale.at(point.values[index]) for point in others], [point.mean for point in others], "o",
            color=palette["muted"], alpha=0.45, markersize=3.5, markeredgewidth=0,
        )  # fmt: skip
        x = [scale.at(point.values[index]) for point in best_by_value]
        if scale.kind != "category":
            axes.plot(x, [point.mean for point in best_by_value], color=palette["train"], linewidth=1.4)
        for place, point in zip(x, best_by_value, strict=True):
            is_best = point is best
            if point.ci95:
                axes.plot([place, place], point.ci95, color=palette["train"], linewidth=1.2)
            face = palette["train"] if is_best else palette["paper"]
            axes.plot(
                place, point.mean, "o", color=palette["train"], markersize=8 if is_best else 5, markerfacecolor=face
            )
        axes.set_xlim(*scale.limits())
        ticks = scale.ticks()
        axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
        axes.set_xlabel(name + (" (log axis)" if scale.kind == "log" else ""))
        axes.margins(y=0.12)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    listed = ", ".join(f"{plain(point.values[index])}: {measure.value(point.mean)}" for point in best_by_value)
    text = f"Validation {measure.name}{measure.unit} by {name}: {listed}."
    return Panel(f"sweep-{slug(name)}", name, text, draw, width=360, height=230, margins=(46, 12, 10, 40))


def _heat(
    names: Sequence[str], points: Sequence[SweepPoint], best: SweepPoint | None, measure: Measure
) -> Panel | None:
    across, down = (Scale.of([s.values[i] for s in points]) for i in (0, 1))
    columns, rows = len(across.values), len(down.values)
    means = [s.mean for s in points if math.isfinite(s.mean)]
    if columns < 2 or rows < 2 or not means or columns * rows > 400:
        return None
    low, wide = min(means), (max(means) - min(means)) or 1.0

    def draw(axes: Any, palette: Palette) -> None:
        from matplotlib.patches import Rectangle

        for s in points:
            x = [across.at(v) for v in across.values].index(across.at(s.values[0]))
            y = [down.at(v) for v in down.values].index(down.at(s.values[1]))
            shade = 0.04 + 0.56 * (s.mean - low) / wide if math.isfinite(s.mean) else 0.0
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=palette["train"], alpha=shade, linewidth=0))
            if s is best:
                edge = palette["ink"]
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=edge, linewidth=1.8, zorder=3))
            if columns <= 12:
                size = 9.5 if columns <= 8 else 7.5
                label = measure.value(s.mean).removeprefix("0") if measure.scale == 1.0 else measure.value(s.mean)
                axes.text(x, y, label, ha="center", va="center", color=palette["ink"], size=size)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(-0.5, rows - 0.5)
        every = max(1, math.ceil(columns / 9))
        axes.set_xticks(range(0, columns, every), [_label(v) for v in across.values[::every]])
        axes.set_yticks(range(rows), [_label(v) for v in down.values])
        axes.grid(visible=False)
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])

    text = f"Heat map of mean validation {measure.name} over {listing(names)}; the table has its numbers."
    return Panel(
        "sweep-heat", f"{names[0]} and {names[1]}", text, draw, width=440, height=70 + max(24 * rows, 90),
        margins=(74, 10, 8, 40),
    )  # fmt: skip


def _named(measure: Measure) -> str:
    return f"{measure.name} in percent" if measure.unit else measure.name


def _label(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) and value < 100 else plain(value)


def _headline(results: Mapping[str, Any], names: Sequence[str], best: SweepPoint | None, measure: Measure) -> str:
    swept = listing(names)
    if best is None:
        return f"Every setting of {swept} had a run without a result, so none can be called best."
    where = listing([f"{name} = {plain(value)}" for name, value in zip(names, best.values, strict=True)])
    interval = measure.range(best.ci95)
    tail = f" (95% interval {interval})" if interval else ""
    runs = f"mean of {count(best.lanes, 'seed')}" if best.lanes > 1 else "one seed"
    value = measure.value(best.mean) + measure.unit
    return f"Best on validation: {where}, with {measure.name} {value}{tail}, {runs}."


def _panels_caption(names: Sequence[str], measure: Measure) -> str:
    text = f"Validation {_named(measure)}, mean and 95% interval over seeds; filled: the best."
    if len(names) > 1:
        text += " Each point is the best setting with that value; the small dots are all others."
    return text


def _table(
    names: Sequence[str], ranked: Sequence[SweepPoint], best: SweepPoint | None, measure: Measure
) -> dict[str, Any]:
    heads = [
        *names[1:],
        f"validation {measure.name}",
        f"train {measure.name}",
        f"validation {measure.loss}",
        "epochs",
        "runs",
    ]
    rows = []
    for point in ranked[:SHOWN]:
        failed = f"{point.failed} failed" if point.failed else ""
        values: list[dict[str, Any]] = [
            *({"text": plain(value)} for value in point.values[1:]),
            {"text": measure.value(point.mean), "small": span(point.ci95, measure.scale, measure.digits)},
            {"text": measure.value(point.train)},
            {"text": fixed(point.loss, 3)},
            {"text": fixed(point.epochs, 0) if math.isfinite(point.epochs) else NONE},
            {"text": plain(point.lanes), "small": failed, "flag": bool(failed)},
        ]
        cells = [{"small": "", "flag": False, "label": head, **cell} for head, cell in zip(heads, values, strict=True)]
        mark = "best" if point is best else ""
        rows.append(
            {"title": plain(point.values[0]), "text": "", "verdict": "", "label": "", "mark": mark, "cells": cells}
        )
    columns = [{"name": head, "unit": ""} for head in (names[0], *heads)]
    return {"label": "Settings, best first", "columns": columns, "rows": rows, "caption": ""}


def _notes(
    results: Mapping[str, Any], points: Sequence[SweepPoint], best: SweepPoint | None, names: Sequence[str]
) -> list[str]:
    out = [
        f"{count(len(points), 'setting')}, {count(len(results['lanes']), 'run')}. All numbers are on "
        "validation; the best of many settings looks better there than it will on new data, so confirm "
        "it on examples that took no part."
    ]
    for i, name in enumerate(names):
        scale = Scale.of([s.values[i] for s in points])
        if (
            best
            and scale.kind != "category"
            and len(scale.values) > 2
            and float(best.values[i]) in (scale.values[0], scale.values[-1])
        ):
            out.append(f"The best {name} is at the end of what was tried: a wider range might hold a better one.")
    failed = sum(s.failed for s in points)
    if failed:
        out.append(
            f"{count(failed, 'run')} ended without a finite score; their settings stand last and are never the best."
        )
    if len(points) > SHOWN:
        out.append(f"The table shows the best {SHOWN}; all are in results.json.")
    return out
