"""The page of claims about regularization."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regjax.core.extras import require
from regjax.report import style
from regjax.report.claims_words import effect, finding, headline, how_sure, in_words, margin, verdict_line
from regjax.report.figures import clip
from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.panels import Panel, legend, number_ticks, save
from regjax.report.series import as_array
from regjax.report.style import Palette
from regjax.report.words import finite, plain

MARKS = {
    "supported": "helped",
    "below the margin": "same",
    "contradicted": "hurt",
    "depends on": "depends",
    "not shown": "none",
}
LINES = ("train", "val", "accent", "muted")


def write_claims_report(results: Mapping[str, Any], workdir: str | Path) -> Path:
    """Write `report.html` and `figures/` of measured claims.

    Args:
      results: the content of `claims.json`: `{claims, seeds, tests, level, reproduce}`.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.
    """
    require("jinja2", "matplotlib")
    results, workdir = clean(results), Path(workdir)
    folder = workdir / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    chapters = []
    for number, (title, claims) in enumerate(itertools.groupby(results["claims"], key=lambda claim: claim["chapter"])):
        chapters.append({"title": title, "slug": f"chapter-{number}", "claims": [_claim(c, folder) for c in claims]})
    content = {
        "headline": headline(results),
        "sub": how_sure(results),
        "chapters": chapters,
        "reproduce": reproduce(results),
        "footer": "Made by regjax from claims.json; this page loads nothing from anywhere.",
    }
    return write(workdir / "report.html", render("claims.html", content))


def _claim(claim: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the template shows of a claim; its figure is also saved as a file."""
    effects = _effects(claim)
    pictures = [_picture(claim["name"], number, picture) for number, picture in enumerate(claim["pictures"])]
    save([effects], folder / claim["name"], claim["statement"], svg=False)
    if pictures:
        save(pictures, folder / f"{claim['name']}_curves", claim["statement"], columns=2, svg=False)
    return {
        "name": claim["name"],
        "statement": claim["statement"],
        "mark": MARKS[claim["verdict"]],
        "label": verdict_line(claim),
        "finding": finding(claim),
        "hypothesis": claim["hypothesis"],
        "design": f"{claim['design']} {claim['runs']} runs.",
        "literature": claim["literature"],
        "command": claim["command"],
        "effects": figure(effects),
        "cases": [
            {
                "label": case["label"],
                "mark": _mark(case),
                "verdict": in_words(case),
                "text": effect(case, claim),
            }
            for case in claim["circumstances"]
        ],
        "pictures": [figure(picture) for picture in pictures],
    }


def _mark(case: Mapping[str, Any]) -> str:
    """How a circumstance is marked; a control neither supports nor contradicts."""
    return "untested" if case.get("control") else MARKS[case["verdict"]]


def _effects(claim: Mapping[str, Any]) -> Panel:
    """The median in each circumstance with its interval, every run as a point, and the margin."""
    cases = claim["circumstances"]

    def draw(axes: Any, palette: Palette) -> None:
        ends = (-claim["margin"], claim["margin"]) if claim["relation"] == "within" else (claim["margin"],)
        for end in ends:
            axes.axvline(end, color=palette["ink"], linewidth=1.0, linestyle=(0, (3, 2)))
        if claim["relation"] == "above" and claim["margin"]:
            axes.axvline(0, color=palette["rule"], linewidth=1.0)
        for y, case in enumerate(cases):
            values = as_array(case["values"])
            offsets = [0.18 * math.sin(2.4 * i) for i in range(len(values))]
            axes.plot(values, [y + off for off in offsets], ".", color=palette["muted"], markersize=3, alpha=0.5)
            if not finite(case["median"]):
                continue
            marker, role, filled = style.MARKS[_mark(case)]
            if all(map(finite, case["ci95"])):
                axes.plot(case["ci95"], [y, y], color=palette[role], linewidth=1.8)
            face = palette[role] if filled else palette["paper"]
            axes.plot(
                case["median"], y, marker, color=palette[role], markersize=7, markerfacecolor=face, markeredgewidth=1.6
            )
        axes.set_yticks(range(len(cases)), [clip(case["label"], 34) for case in cases])
        axes.tick_params(axis="y", labelcolor=palette["ink"])
        axes.set_ylim(len(cases) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=palette["rule"], linewidth=0.6)
        axes.spines["left"].set_visible(False)
        number_ticks(axes.xaxis, 5)
        axes.set_xlabel(f"median effect, {claim['unit']} (dashed: the margin)")

    text = "; ".join(f"{case['label']}: {effect(case, claim)}, {in_words(case)}" for case in cases)
    description = f"Effect in each circumstance, with 95% intervals and every run; to be {margin(claim)}: {text}."
    return Panel(
        f"effects-{claim['name']}", "", description, draw,
        width=420, height=52 + 24 * len(cases), margins=(196, 12, 8, 40),
    )  # fmt: skip


def _picture(name: str, number: int, picture: Mapping[str, Any]) -> Panel:
    """Curves that a claim is about."""

    def draw(axes: Any, palette: Palette) -> None:
        for (label, values), role in zip(picture["lines"].items(), LINES, strict=False):
            axes.plot(picture["x"], as_array(values), color=palette[role], linewidth=1.5, label=label)
        if finite(picture["mark"]):
            axes.axvline(picture["mark"], color=palette["muted"], linewidth=1.0, linestyle=(0, (1, 2)))
        axes.set_xscale("log" if picture["log_x"] else "linear")
        axes.set_yscale("log" if picture["log_y"] else "linear")
        if not picture["log_y"]:
            number_ticks(axes.yaxis, 4)
        if not picture["log_x"]:
            number_ticks(axes.xaxis, 4)
        axes.set_xlabel(picture["x_label"])
        axes.set_ylabel(picture["y_label"])
        legend(axes, palette)

    ends = ", ".join(
        f"{label} {plain(round(values[-1], 4))}" for label, values in picture["lines"].items() if finite(values[-1])
    )
    description = f"{picture['y_label']} against {picture['x_label']}; at the right end: {ends}."
    return Panel(
        f"curves-{name}-{number}", picture["title"], description, draw, width=300, height=200, margins=(52, 10, 26, 38)
    )
