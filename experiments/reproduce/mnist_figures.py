"""The pictures of the repetitions on MNIST, from their records: budgets and sizes, and errors by epoch.

Command: `python -m experiments.reproduce.mnist_figures`; it writes `srivastava_2014.png` and `label_noise.png` beside
the records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reproduce.srivastava_2014 import BOTH, DROPOUT, MILLION, STANDARD
from regjax.report.style import LIGHT, drawing

RECORDS = Path(__file__).resolve().parents[1] / "records/reproduce"
COLOURS = {STANDARD: LIGHT["train"], BOTH: LIGHT["val"]}
METHODS = {"plain": LIGHT["train"], "dropout": LIGHT["val"], "mixup": LIGHT["good"]}


def budgets(axes: Any, record: Mapping[str, Any]) -> None:
    """Errors against updates, their power laws, later runs, and at a million updates what was published."""
    published = {row["row"]: row["published"] for row in record["rows"]}
    for curve in record["curves"]:
        colour, law = COLOURS[curve["method"]], curve["power_law"]
        errors = np.array(curve["errors"])
        for run in errors:
            axes.plot(curve["updates"], run, ".", color=colour, markersize=4, alpha=0.6)
        grid = np.geomspace(curve["updates"][0], MILLION, 100)
        line = law["floor"] + law["scale"] * grid ** -law["rate"]
        seen = grid <= curve["updates"][-1]
        axes.plot(grid[seen], line[seen], color=colour, label=curve["method"])
        axes.plot(grid[~seen], line[~seen], "--", color=colour, linewidth=1)
        [further] = [entry for entry in record["longer"] if entry["method"] == curve["method"]]
        marks = [further["updates"]] * len(further["errors"])
        axes.plot(marks, further["errors"], "x", color=colour, markersize=5)
        _, low, high = curve["at_a_million_updates"]
        axes.plot([MILLION] * 2, [low, high], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt")
        axes.plot(MILLION * 1.6, published[curve["method"]], "*", color=colour, markersize=8)
    axes.set(xscale="log", yscale="log", xlabel="updates", ylabel="test error, %")
    axes.set_title("Power laws; x: later runs, stars: the paper", fontsize=10, loc="left")
    ticks = [0.3, 0.5, 1, 1.5, 2, 3, 4]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    counts(axes, (500, 4000, 16_000, 100_000, MILLION))
    axes.legend(frameon=False, fontsize=8)


def sizes(axes: Any, record: Mapping[str, Any]) -> None:
    """The gain of dropout by the number of training examples, with simultaneous intervals."""
    axes.axhline(0, color=LIGHT["ink"], linewidth=1)
    for entry in record["sizes"]:
        low, high = entry["simultaneous_ci95"]
        axes.plot([entry["examples"]] * 2, [low, high], color=LIGHT["accent"], linewidth=2, alpha=0.5)
        axes.plot([entry["examples"]] * len(entry["runs"]), entry["runs"], ".", color=LIGHT["muted"], markersize=4)
        axes.plot(entry["examples"], entry["difference"], "o", color=LIGHT["accent"], markersize=5)
    axes.set(xscale="log", xlabel="training examples", ylabel="gain, points")
    axes.set_title(f"Gain of {DROPOUT}", fontsize=10, loc="left")
    counts(axes, tuple(entry["examples"] for entry in record["sizes"]))


def counts(axes: Any, ticks: Sequence[float]) -> None:
    """Label a logarithmic axis with numbers in thousands, because mathematical text is off."""
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{tick / 1000:g}k" if tick >= 1000 else f"{tick:g}" for tick in ticks], fontsize=8)


def by_epoch(axes: Any, record: Mapping[str, Any]) -> None:
    """The test error of each method in the course of training on labels of which half are random."""
    half = record["half_random"]
    for method, colour in METHODS.items():
        errors = half["curves"][method]
        axes.plot(np.linspace(100 / len(errors), 100, len(errors)), errors, color=colour, label=method)
    axes.set(xlabel="updates, % of all", ylabel="test error, %", ylim=(0, None))
    axes.set_title("Half of the labels are random", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)


def draw(record: Mapping[str, Any], panels: tuple[Callable[[Any, Mapping[str, Any]], None], ...], path: Path) -> None:
    """Draw panels of a record side by side as a PNG."""
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(4.4 * len(panels), 3.4), layout="constrained", facecolor=LIGHT["paper"])
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            axes.set_facecolor(LIGHT["paper"])
            axes.spines[["top", "right"]].set_visible(False)
            panel(axes, record)
        figure.savefig(path, dpi=90, metadata={"Software": None})


def main() -> None:
    """Draw both pictures."""
    for name, panels in {"srivastava_2014": (budgets, sizes), "label_noise": (by_epoch,)}.items():
        record = json.loads((RECORDS / f"{name}.json").read_text())
        draw(record, panels, RECORDS / f"{name}.png")


if __name__ == "__main__":
    main()
