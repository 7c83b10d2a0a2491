"""Figures of a comparison: losses over epochs, and the change that each technique made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regjax.report.baseline import median_onset
from regjax.report.panels import Panel, legend, number_ticks
from regjax.report.series import EPOCH, Band, band, draw_band, epochs
from regjax.report.style import MARKS, Palette
from regjax.report.verdict import LABELS, judge, short
from regjax.report.words import Measure, ends, finite, fixed, plain, slug

Row = Mapping[str, Any]


def overfitting(results: Mapping[str, Any], *, narrow: bool = False) -> Panel | None:
    """Training and validation loss of the baseline against epochs, with the onset of overfitting marked."""
    curves = results["baseline"].get("curves") or {}
    train, val = band(curves, "train_loss"), band(curves, "val_loss")
    if train is None or val is None:
        return None
    measure, diagnosis = Measure.of(results), results.get("diagnosis") or {}
    onset = median_onset(diagnosis)
    seed_onsets = [e for e in diagnosis.get("onset_epochs") or [] if finite(e)]

    def draw(axes: Any, palette: Palette) -> None:
        for shown, role, label in ((train, "train", "training"), (val, "val", "validation")):
            draw_band(axes, epochs(curves, shown.mean.size), shown, palette[role], label=f"{label} {measure.loss}")
        top = 1.06 * np.nanmax([shown.high if np.isfinite(shown.high).any() else shown.mean for shown in (train, val)])
        last = max(epochs(curves, val.mean.size)[-1], 1)
        axes.set_ylim(0, top if top > 0 else 1)
        axes.set_xlim(0, last + 1 if last >= 10 else last)
        if onset is not None:
            mark_onset(axes, palette, onset, last, seed_onsets)
        axes.set_xlabel(EPOCH)
        axes.set_ylabel(measure.loss)
        number_ticks(axes.yaxis)
        number_ticks(axes.xaxis, 4 if narrow else 8, integer=True)
        legend(axes, palette)

    best = float(np.nanmin(val.mean))
    ending = val.mean[np.isfinite(val.mean)][-1]
    text = (
        f"Line chart over epochs, mean over runs with 95% interval. Training {measure.loss} ends at "
        f"{fixed(train.mean[np.isfinite(train.mean)][-1], 3)}. Validation {measure.loss} is lowest at "
        f"{fixed(best, 3)} and ends at {fixed(ending, 3)}."
    )
    if onset is not None:
        text += f" The beginning of a rise is marked at epoch {plain(onset)}."
    width, height = (320, 250) if narrow else (760, 340)
    name = "overfitting-narrow" if narrow else "overfitting"
    title = "Training and validation loss" if measure.loss == "loss" else f"Training and validation {measure.loss}"
    return Panel(name, title, text, draw, width=width, height=height, margins=(44, 12, 26, 38))


def mark_onset(axes: Any, palette: Palette, onset: float, last: float, each: Sequence[float] = ()) -> None:
    """Draw a labelled line where overfitting starts, a tint after it, and a tick for each run."""
    axes.axvspan(onset, last + 1, color=palette["val"], alpha=0.05, linewidth=0)
    axes.axvline(onset, color=palette["ink"], linewidth=1.1, linestyle=(0, (4, 3)))
    right = onset > 0.55 * last
    axes.annotate(
        f"the rise begins\nepoch {plain(onset)}" + " (median)" * (len(each) > 1),
        (onset, 0.98),
        xycoords=("data", "axes fraction"),
        xytext=(-7 if right else 7, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=palette["ink"],
    )
    if len(each) > 1:
        axes.plot(
            each, [0.02] * len(each), "|", color=palette["ink"], markersize=7, markeredgewidth=1.1,
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip


def forest(results: Mapping[str, Any], key: str) -> Panel | None:
    """Paired improvement of each technique, marked by verdict, with its interval and that of these runs alone."""
    rows = [row for row in results["techniques"].values() if finite((row.get(key) or {}).get("mean"))]
    if not rows:
        return None
    measure = Measure.of(results)
    by_score = key == "improvement"
    factor = measure.scale if by_score else 1.0
    practical = next((row[key]["practical"] for row in rows if finite(row[key].get("practical"))), 0.0)

    def draw(axes: Any, palette: Palette) -> None:
        axes.axvline(0, color=palette["ink"], linewidth=1.0)
        if practical:
            axes.axvspan(-practical * factor, practical * factor, color=palette["ink"], alpha=0.07, linewidth=0)
        for y, row in enumerate(rows):
            gain = row[key]
            marker, role, filled = MARKS[judge(gain)]
            for interval, width, alpha in (
                (gain.get("ci95_runs"), 5.0, 0.25),
                (gain.get("ci95"), 1.8, 1.0),
            ):
                pair = ends(interval)
                if pair is not None:
                    x = [end * factor for end in pair]
                    axes.plot(x, [y, y], color=palette[role], linewidth=width, alpha=alpha, solid_capstyle="butt")
            face = palette[role] if filled else palette["paper"]
            axes.plot(
                gain["mean"] * factor, y, marker, color=palette[role], markersize=7.5, markerfacecolor=face,
                markeredgewidth=1.6,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [clip(short(row["title"])) for row in rows])
        axes.tick_params(axis="y", labelcolor=palette["ink"])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=palette["rule"], linewidth=0.6)
        axes.spines["left"].set_visible(False)
        number_ticks(axes.xaxis, 5)
        unit = " (points)" if measure.step else ""
        what = "change" if measure.higher else "reduction"
        axes.set_xlabel(f"{what} of test {measure.name}{unit}" if by_score else f"reduction of test {measure.loss}")

    lines = []
    for row in rows:
        gain = row[key]
        value = measure.change(gain["mean"]) if by_score else measure.loss_value(gain["mean"], signed=True)
        lines.append(f"{short(row['title'])} {value} ({LABELS[judge(gain)]})")
    what = f"Test {measure.name}" if by_score else f"Test {measure.loss}"
    text = "Dot and interval for each technique, right of zero is better: " + "; ".join(lines) + "."
    if practical:
        size = measure.value(practical) + measure.step if by_score else measure.loss_value(practical)
        text += f" Changes of less than {size} are shaded as practically the same."
    return Panel(
        "forest-score" if by_score else "forest-loss", what, text, draw,
        width=340, height=50 + 26 * len(rows), margins=(104, 12, 6, 40),
    )  # fmt: skip


def technique_curves(results: Mapping[str, Any]) -> list[Panel]:
    """Losses of each technique beside the validation loss of the baseline, on shared axes."""
    base_curves = results["baseline"].get("curves") or {}
    base = band(base_curves, "val_loss")
    rows = [row for row in results["techniques"].values() if band(row.get("curves") or {}, "val_loss")]
    if base is None or not rows:
        return []
    curves = [base, *(curve for row in rows if (curve := band(row["curves"], "val_loss")))]
    chance = (results.get("chance") or {}).get("loss")
    top = max(curve.top for curve in curves)
    top = min(top, 1.3 * max(base.top, chance if finite(chance) else 0.0))
    last = max(epochs(base_curves, base.mean.size)[-1], 1)
    measure = Measure.of(results)
    return [_curve(row, base, epochs(base_curves, base.mean.size), top, last, measure) for row in rows]


def _curve(row: Row, base: Band, base_x: np.ndarray, top: float, last: float, measure: Measure) -> Panel:
    curves = row["curves"]
    val, train = band(curves, "val_loss"), band(curves, "train_loss")
    assert val is not None  # rows without are left out

    def draw(axes: Any, palette: Palette) -> None:
        axes.plot(base_x, base.mean, color=palette["muted"], linewidth=1.2, linestyle=(0, (4, 2)))
        if train is not None:
            axes.plot(epochs(curves, train.mean.size), train.mean, color=palette["train"], linewidth=1.3)
        draw_band(axes, epochs(curves, val.mean.size), val, palette["val"])
        axes.set_xlim(0, last + 1 if last >= 10 else last)
        axes.set_ylim(0, top * 1.04 if top > 0 else 1)
        axes.set_xlabel(EPOCH)
        number_ticks(axes.yaxis, 4)
        number_ticks(axes.xaxis, 4, integer=True)

    ending = val.mean[np.isfinite(val.mean)][-1]
    other = base.mean[np.isfinite(base.mean)][-1]
    text = f"Validation {measure.loss} ends at {measure.loss_value(ending)}; baseline {measure.loss_value(other)}."
    return Panel(f"curve-{slug(row['name'])}", short(row["title"]), text, draw, height=180, margins=(36, 10, 8, 36))


def clip(text: str, length: int = 18) -> str:
    """The text, shortened to the length of a label."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
