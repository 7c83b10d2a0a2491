"""Figures of the predictions of the baseline and of the best row on validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from regjax.report.panels import Panel, number_ticks
from regjax.report.style import Palette
from regjax.report.verdict import short
from regjax.report.words import finite, fixed, plain, slug, span

Details = Mapping[str, Any]


def detail_rows(results: Mapping[str, Any]) -> list[tuple[str, Details]]:
    """The titles and details of the rows that have them, the baseline first."""
    details = results.get("details") or {}
    rows = (results["baseline"], *results["techniques"].values())
    return [(short(row["title"]), details[row["name"]]) for row in rows if row["name"] in details]


def confusions(results: Mapping[str, Any]) -> list[Panel]:
    """One matrix for each row: which share of each class is predicted as which."""
    return [_confusion(title, of) for title, of in detail_rows(results) if of.get("confusion")]


def _confusion(title: str, of: Details) -> Panel:
    counts, names = np.asarray(of["confusion"], float), [str(name) for name in of["classes"]]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals > 0, totals, 1.0)
    few = len(names) <= 12

    def draw(axes: Any, palette: Palette) -> None:
        from matplotlib.patches import Rectangle

        for i, row in enumerate(shares):
            for j, share in enumerate(row):
                role = "good" if i == j else "bad"
                axes.add_patch(
                    Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, color=palette[role], alpha=0.55 * share, linewidth=0)
                )
                if counts[i, j] and (few or i == j):
                    text = fixed(100 * share, 0) if share >= 0.005 else "<1"
                    axes.text(j, i, text, ha="center", va="center", fontsize=9, color=palette["ink"])
        places = range(len(names))
        axes.set_xticks(places, [_clip(name) for name in names], rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(places, [_clip(name) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel("predicted")
        axes.set_ylabel("label")
        axes.grid(visible=False)

    worst = [
        f"{names[i]} as {names[j]} {fixed(100 * shares[i, j], 0)}%"
        for i, j in sorted(np.ndindex(*shares.shape), key=lambda at: -shares[at])
        if i != j and counts[i, j]
    ]
    text = f"Confusion matrix of {title}, rows are labels: " + ("; ".join(worst[:6]) or "no mistake") + "."
    room = 8.0 * min(max(map(len, names)), 10) + 26
    side = max(190, min(24 * len(names), 300))
    return Panel(
        f"confusion-{slug(title)}", title, text, draw, width=int(side + room + 8), height=int(side + room),
        margins=(room, 6, 6, room if max(map(len, names)) > 3 else 36),
    )  # fmt: skip


def _clip(name: str) -> str:
    return name if len(name) <= 11 else name[:10] + "…"


def ranking_curves(results: Mapping[str, Any]) -> list[Panel]:
    """The ROC and precision-recall curves: the best row against the baseline (dashed)."""
    rows = detail_rows(results)
    out = []
    for name, title, metric, labels in (
        ("roc", "ROC", "roc_auc", ("false positive rate (%)", "true positive rate (%)")),
        ("precision_recall", "Precision and recall", "average_precision", ("recall (%)", "precision (%)")),
    ):
        known = [(row, of) for row, of in rows if of.get(name)]
        if known:
            out.append(_curve(name, title, metric, labels, known))
    return out


def _curve(name: str, title: str, metric: str, labels: tuple[str, str], rows: list[tuple[str, Details]]) -> Panel:
    def draw(axes: Any, palette: Palette) -> None:
        if name == "roc":
            axes.plot([0, 1], [0, 1], color=palette["rule"], linewidth=0.8)
        for i, (_, of) in enumerate(rows):
            curve, last = of[name], i == len(rows) - 1
            role = "accent" if last else "muted"
            low, high = (np.array([v if finite(v) else np.nan for v in curve[end]]) for end in ("low", "high"))
            if last and np.isfinite(low).all():
                axes.fill_between(curve["x"], low, high, color=palette[role], alpha=0.18, linewidth=0)
            style = "-" if last else (0, (4, 2))
            axes.plot(curve["x"], curve["mean"], color=palette[role], linewidth=1.5, linestyle=style)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        number_ticks(axes.xaxis, 5, scale=100)
        number_ticks(axes.yaxis, 5, scale=100)

    sizes = []
    for row, of in rows:
        found = of[metric]
        interval = span(found["ci95"], 100, 1)
        sizes.append(f"{row} {fixed(100 * found['mean'], 1)}%" + (f" ({interval})" if interval else ""))
    area = "AUC" if metric == "roc_auc" else "average precision"
    note = f"{area}: {', '.join(sizes)}"
    return Panel(
        f"detail-{name}", title, f"{title}, {note}.", draw, width=260, height=220, margins=(46, 8, 8, 40), note=note
    )


def residual_panels(results: Mapping[str, Any]) -> list[Panel]:
    """Predicted against true targets, one panel for each row; of several targets, one for each row and target."""
    by_target: dict[str, list[tuple[str, Details]]] = {}
    for title, of in detail_rows(results):
        for one in of.get("targets") or [{"name": "", **of}]:
            if one.get("points"):
                by_target.setdefault(str(one["name"]), []).append((title, one))
    return [panel for target, rows in by_target.items() for panel in _of_target(target, rows)]


def _of_target(target: str, rows: list[tuple[str, Details]]) -> list[Panel]:
    values = [value for _, of in rows for pair in of["points"] for value in pair if finite(value)]
    if not values:
        return []
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or 0.5
    titles = [f"{target}, {title}" if target else title for title, _ in rows]
    return [_residuals(title, of, (low - room, high + room)) for title, (_, of) in zip(titles, rows, strict=True)]


def _residuals(title: str, of: Details, limits: tuple[float, float]) -> Panel:
    points, quantiles = np.asarray(of["points"], float), of["residuals"]

    def draw(axes: Any, palette: Palette) -> None:
        axes.plot(limits, limits, color=palette["muted"], linewidth=0.8)
        axes.plot(points[:, 1], points[:, 0], ".", color=palette["train"], markersize=4, alpha=0.5)
        axes.set_xlim(*limits)
        axes.set_ylim(*limits)
        axes.set_xlabel("predicted")
        axes.set_ylabel("target")
        number_ticks(axes.xaxis, 4)
        number_ticks(axes.yaxis, 4)

    note = f"middle half of the residuals: {plain(quantiles['25'])} to {plain(quantiles['75'])}"
    text = (
        f"Target against prediction of {title}, {len(points)} test examples. Residuals, target minus prediction: "
        f"median {plain(quantiles['50'])}, 90% from {plain(quantiles['5'])} to {plain(quantiles['95'])}."
    )
    return Panel(
        f"residuals-{slug(title)}", title, text, draw, width=260, height=230, margins=(56, 8, 8, 40), note=note
    )
