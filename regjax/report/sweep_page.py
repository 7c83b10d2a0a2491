"""The page about a sweep: the metric against each parameter, and a table of the points of the grid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regjax.core.extras import require
from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.panels import Panel, legend, number_ticks, save
from regjax.report.scale import Scale
from regjax.report.search_page import is_range, over_range, search_section
from regjax.report.search_words import at_the_end, cost, decisions
from regjax.report.style import Palette
from regjax.report.sweep_words import (
    confirmation,
    epoch_choice,
    headline,
    is_cross_validation,
    optimism,
    reading_of_confirmation,
    reference_sentence,
    second,
    simplest,
    unit_of,
)
from regjax.report.words import NONE, Measure, count, ends, finite, fixed, listing, plain, slug, span

SHOWN = 40  # rows of the table


@dataclasses.dataclass(frozen=True)
class SweepPoint:
    """A setting, over its seeds or folds; `mean` is NaN if one of its runs has no score.

    Attributes:
      above: its mean difference from its reference, with the interval; None for a reference, or if there is none.
      reference: whether every swept regularizer is off.
      in_grid: whether it is one of the combinations that were asked for; else it is a reference that was added.
    """

    values: tuple[Any, ...]
    mean: float
    ci95: tuple[float, float] | None
    train: float
    loss: float
    epochs: float
    lanes: int
    failed: int
    above: Mapping[str, Any] | None
    reference: bool
    in_grid: bool

    @classmethod
    def of(cls, setting: Mapping[str, Any], parameters: Mapping[str, Sequence[Any]]) -> SweepPoint:
        """A setting of `results.json`."""
        numbers = (setting["score"]["mean"], *(setting[name] for name in ("train_score", "val_loss", "epochs")))
        mean, train, loss, epochs = (float(value) if finite(value) else math.nan for value in numbers)
        values = tuple(setting["values"][name] for name in parameters)
        in_grid = all(value in parameters[name] for name, value in zip(parameters, values, strict=True))
        return cls(
            values, mean, ends(setting["score"]["ci95"]), train, loss, epochs, setting["runs"], setting["failed"],
            setting.get("over_reference"), setting["reference"], in_grid,
        )  # fmt: skip


def write_sweep_report(results: Mapping[str, Any], workdir: str | Path) -> Path:
    """Write `report.html` and `figures/` of a sweep.

    Args:
      results: the content of `results.json`: `{dataset, metric, seeds, validation_examples, parameters: {name:
        [values]}, settings, ranking, best, reference, confirm, reproduce}`.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.

    Raises:
      ValueError: there is no parameter or no setting.
    """
    require("jinja2", "matplotlib")
    results, workdir = clean(results), Path(workdir)
    parameters = results.get("parameters") or {}
    names = list(parameters)
    if not names or not results.get("settings"):
        raise ValueError("sweep results: needs at least one parameter and one setting")
    measure = Measure.of(results)
    points = [SweepPoint.of(setting, parameters) for setting in results["settings"]]
    ranked = [points[i] for i in results["ranking"]]
    best = ranked[0] if ranked else None
    asked_for = [point for point in ranked if point.in_grid]
    reference = _only_reference(points)
    level = None if reference is None else reference.mean
    panels = [
        over_range(name, results, level, measure)
        if is_range(results, name)
        else _against(name, i, asked_for, best, reference, measure)
        for i, name in enumerate(names)
    ]
    gridded = len(names) == 2 and not any(is_range(results, name) for name in names)
    heat = _heat(names, [point for point in points if point.in_grid], best, measure) if gridded else None
    search = search_section(results, level, measure)
    content = {
        "dataset": results["dataset"],
        "headline": headline(results),
        "sub": " ".join(
            [*cost(results), *optimism(results), *epoch_choice(results), second(results), simplest(results)]
        ),
        "panels": [figure(panel) for panel in panels],
        "panels_caption": _panels_caption(names, best, reference, results),
        "heat": figure(heat) if heat else None,
        "heat_caption": _heat_caption(best, results),
        "search": search and search | {"panels": [figure(panel) for panel in search["panels"]]},
        "table": _table(names, [*ranked, *_failed(points, results)], best, results),
        "confirm": {
            "text": confirmation(results),
            "commands": (results.get("confirm") or {}).get("commands") or [],
            "reading": reading_of_confirmation(results),
        },
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
    if search:
        save(search["panels"], folder / "search", title, columns=2)
    return write(workdir / "report.html", render("sweep.html", content))


def _failed(points: Sequence[SweepPoint], results: Mapping[str, Any]) -> list[SweepPoint]:
    """The points with a run without a score, but for halted ones, which have a table of their own."""
    halted = [not setting.get("finished", True) for setting in results["settings"]]
    return [point for point, out in zip(points, halted, strict=True) if point.failed and not out]


def _only_reference(points: Sequence[SweepPoint]) -> SweepPoint | None:
    """The reference with which all settings are compared; None if there are several, or none."""
    used = {point.above["setting"] for point in points if point.above}
    return points[used.pop()] if len(used) == 1 else None


def _against(
    name: str,
    index: int,
    ranked: Sequence[SweepPoint],
    best: SweepPoint | None,
    reference: SweepPoint | None,
    measure: Measure,
) -> Panel:
    scale = Scale.of([point.values[index] for point in ranked])
    best_by_value = []
    for value in scale.values:
        same_value = [point for point in ranked if scale.at(point.values[index]) == scale.at(value)]
        best_by_value.append(same_value[0])

    def draw(axes: Any, palette: Palette) -> None:
        if reference is not None:
            if reference.ci95:
                axes.axhspan(*reference.ci95, color=palette["muted"], alpha=0.13, linewidth=0)
            axes.axhline(reference.mean, color=palette["muted"], linewidth=1.0, linestyle=(0, (4, 3)))
        others = [point for point in ranked if point not in best_by_value]
        axes.plot(
            [scale.at(point.values[index]) for point in others], [point.mean for point in others], "o",
            color=palette["muted"], alpha=0.45, markersize=3.5, markeredgewidth=0,
        )  # fmt: skip
        x = [scale.at(point.values[index]) for point in best_by_value]
        if scale.kind != "category":
            axes.plot(x, [p.mean for p in best_by_value], color=palette["val"], linewidth=1.4, label="validation")
            axes.plot(x, [p.train for p in best_by_value], color=palette["train"], linewidth=1.1, label="training")
            legend(axes, palette)
        for place, point in zip(x, best_by_value, strict=True):
            is_best = point is best
            if point.ci95:
                axes.plot([place, place], point.ci95, color=palette["val"], linewidth=1.2)
            face = palette["val"] if is_best else palette["paper"]
            axes.plot(
                place, point.mean, "o", color=palette["val"], markersize=8 if is_best else 5, markerfacecolor=face
            )
        scale.label(axes, name)
        axes.margins(y=0.12)
        number_ticks(axes.yaxis, 5, scale=measure.scale)

    listed = ", ".join(f"{plain(point.values[index])}: {measure.value(point.mean)}" for point in best_by_value)
    text = f"Validation {measure.name}{measure.unit} by {name}: {listed}."
    trained = ", ".join(measure.value(point.train) for point in best_by_value)
    text += f" Training: {trained}." if scale.kind != "category" else ""
    text += f" Reference: {measure.value(reference.mean)}." if reference else ""
    return Panel(f"sweep-{slug(name)}", name, text, draw, width=360, height=240, margins=(46, 12, 26, 40))


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


def _panels_caption(
    names: Sequence[str], best: SweepPoint | None, reference: SweepPoint | None, results: Mapping[str, Any]
) -> str:
    several = int(results["seeds"]) > 1 or is_cross_validation(results)
    shown = f"{'mean and 95% interval' if several else 'one seed'}{_at_epoch(results)}"
    text = f"Validation and training {_named(Measure.of(results))}; of validation {shown}."
    if any(is_range(results, name) for name in names):
        bars = ", with its 95% interval" if several else ""
        text = f"Validation {_named(Measure.of(results))} of each trial that trained to the end{_at_epoch(results)}."
        if best and best.in_grid:
            text += f" Filled: the best{bars}."
        halted = any(not setting.get("finished", True) for setting in results["settings"])
        text += " Marks at the lower edge: halted trials." if halted else ""
        return text + (" Dashed: the reference." if reference else "")
    if best and best.in_grid:
        text += " Filled: the best."
    if reference:
        text += f" Dashed: the reference{', grey band: its interval' if reference.ci95 else ''}."
    if len(names) > 1:
        text += " Each point is the best setting with that value; the small dots are all others."
    return text


def _heat_caption(best: SweepPoint | None, results: Mapping[str, Any]) -> str:
    outlined = "; outlined: the best" if best and best.in_grid else ""
    return f"Mean validation {_named(Measure.of(results))} over {unit_of(results)}s{outlined}."


def _at_epoch(results: Mapping[str, Any]) -> str:
    return ", at the best epoch of each run" if results.get("epoch_chosen") == "best" else ""


def _table_caption(results: Mapping[str, Any], measure: Measure) -> str:
    """What the intervals cover."""
    scored = f"Scores are those{_at_epoch(results)[1:]}. " if _at_epoch(results) else ""
    if is_cross_validation(results):
        in_time = results["cross_validation"]["order"] == "time"
        return (
            f"{scored}Small numbers are 95% intervals for other examples of the same source, by Nadeau and Bengio's "
            f"correction for folds that share training examples; they {'' if in_time else 'err on the wide side, and '}"
            "are not corrected for the number of settings. Differences are paired fold by fold."
        )
    if int(results["seeds"]) < 2:
        return f"{scored}One seed has no intervals: how much another seed changes is not known."
    drawn = "seeds and of validation examples" if measure.unit else "seeds, on these validation examples"
    text = f"{scored}Small numbers are 95% intervals. That of {measure.name} covers another draw of {drawn}."
    if not results.get("reference"):
        return text
    return (
        f"{text} That of the difference from the reference, which is paired seed by seed, covers other seeds on these "
        "validation examples; it is not corrected for the number of settings."
    )


def _table(
    names: Sequence[str], ranked: Sequence[SweepPoint], best: SweepPoint | None, results: Mapping[str, Any]
) -> dict[str, Any]:
    measure = Measure.of(results)
    with_reference = any(point.reference for point in ranked)
    any_failed = any(point.failed for point in ranked)
    step, unit = measure.step.strip(), measure.unit.strip()
    heads = [
        *((name, "") for name in names[1:]),
        (f"validation {measure.name}", unit),
        *([("above the reference", step)] if with_reference else []),
        (f"train {measure.name}", unit),
        (f"validation {measure.loss}", ""),
        ("epochs", ""),
        *([("runs", "")] if any_failed else []),
    ]
    rows = []
    for point in ranked[:SHOWN]:
        failed = f"{point.failed} failed" if point.failed else ""
        values: list[dict[str, Any]] = [
            *({"text": plain(value)} for value in point.values[1:]),
            {"text": measure.value(point.mean), "small": span(point.ci95, measure.scale, measure.digits)},
            *([_above(point, measure, unit_of(results))] if with_reference else []),
            {"text": measure.value(point.train)},
            {"text": fixed(point.loss, 3)},
            {"text": fixed(point.epochs, 0) if math.isfinite(point.epochs) else NONE},
            *([{"text": plain(point.lanes), "small": failed, "flag": bool(failed)}] if any_failed else []),
        ]
        cells = [
            {"small": "", "flag": False, "label": head, **cell} for (head, _), cell in zip(heads, values, strict=True)
        ]
        rows.append(
            {
                "title": plain(point.values[0]),
                "heading": names[0],
                "text": "",
                "verdict": "",
                "label": "",
                "mark": "best" if point is best else "",
                "cells": cells,
            }
        )
    columns = [{"name": head, "unit": unit} for head, unit in ((names[0], ""), *heads)]
    return {
        "label": "Settings, best first",
        "columns": columns,
        "rows": rows,
        "caption": _table_caption(results, measure),
    }


def _above(point: SweepPoint, measure: Measure, unit: str) -> dict[str, Any]:
    if point.above is None:
        return {"text": NONE, "small": "reference" if point.reference else ""}
    interval = measure.changes(point.above["ci95"])
    same = "" if interval or point.lanes < 2 else f"in every {unit}"
    return {"text": measure.change(point.above["mean"]), "small": interval or same}


def _notes(
    results: Mapping[str, Any], points: Sequence[SweepPoint], best: SweepPoint | None, names: Sequence[str]
) -> list[str]:
    runs = sum(point.lanes for point in points)
    out = [
        f"{count(len(points), 'setting')}, {count(runs, 'run')}; no test example took part.",
        *decisions(results),
        reference_sentence(results),
    ]
    for i, name in enumerate(names):
        scale = Scale.of([s.values[i] for s in points if s.in_grid])
        if best and best.in_grid and at_the_end(results, name, best.values[i]):
            out.append(f"The best {name} is near the end of its range: a wider one might hold a better one.")
        if (
            best
            and best.in_grid
            and not is_range(results, name)
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
    if len(results["ranking"]) > SHOWN:
        out.append(f"The table shows the best {SHOWN}; all are in results.json.")
    return out
