"""From outcomes to the rows of the table and of the JSON file."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

from cases.base import Case
from cases.harness import Outcome

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "keras",
    "celer",
    "pillow",
    "kornia",
)


def busy_share(period: float = 0.5) -> float | None:
    """Share of the machine that other processes use just now; None where that cannot be read."""

    def ticks() -> tuple[int, int]:
        counts = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(counts), counts[3] + counts[4]

    try:
        total, idle = ticks()
        time.sleep(period)
        later, later_idle = ticks()
    except (OSError, ValueError):
        return None
    return 1.0 - (later_idle - idle) / max(later - total, 1)


def versions() -> dict[str, str | int | float | None]:
    """Versions of everything that takes part, the machine and the date."""
    found: dict[str, str | int | float | None] = {"regjax": _version("regjax")} if _version("regjax") else {}
    found |= {name: _version(name) for name in PACKAGES if _version(name)}
    found["python"] = platform.python_version()
    found["platform"] = f"{platform.system()} {platform.machine()}"
    found["cpu"] = _cpu()
    found["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found["date"] = time.strftime("%Y-%m-%d", time.gmtime())
    return found


def row(case: Case, outcomes: dict[str, Outcome], busy: float | None = None) -> dict[str, Any]:
    """One entry of the JSON list; `busy` is the `busy_share` before the case."""
    ours, floor = outcomes["ours"], outcomes.get("floor")
    peers = {name: outcome for name, outcome in outcomes.items() if name not in ("ours", "floor")}
    measured = [outcome.value for outcome in peers.values() if outcome.value is not None]
    least = case.floor_value if floor is None else floor.value
    return {
        "case": case.name,
        "unit": case.unit,
        "ours": _rounded(ours.value),
        "variants": {name: _rounded(value) for name, value in ours.variants.items()},
        "peers": {name: _rounded(outcome.value) for name, outcome in peers.items()},
        "rounds": {name: [_rounded(value) for value in outcome.rounds] for name, outcome in outcomes.items()},
        "ratio_to_best_peer": _ratio(min(measured, default=None), ours.value),
        "fraction_of_floor": _ratio(least, ours.value),
        "quality": {
            "ours": _rounded(ours.quality),
            "peers": {name: _rounded(outcome.quality) for name, outcome in peers.items()},
        },
        "compile_seconds": _rounded(ours.compile_seconds),
        "versions": versions() | {"used_by_others": _rounded(busy)},
    }


HEADER = (
    f"{'case':<19} {'unit':<17} {'ours':>9} {'best peer':>9} {'ratio':>6} {'floor':>6} {'quality':>9} {'compile':>8}"
)


def lines(case: Case, entry: dict[str, Any], outcomes: dict[str, Outcome]) -> list[str]:
    """The row of the table, and below it every contender with its variants and its quality."""
    measured = [value for value in entry["peers"].values() if value is not None]
    best = min(measured) if measured else None
    cells = [
        f"{case.name:<19} {case.unit:<17}",
        f"{_shown(entry['ours']):>9} {_shown(best):>9} {_shown(entry['ratio_to_best_peer'], 3):>6}",
        f"{_shown(entry['fraction_of_floor'], 2):>6} {_shown(entry['quality']['ours']):>9}",
        f"{_shown(entry['compile_seconds'], 2):>8}",
    ]
    shown = [" ".join(cells)]
    if case.compilation_counts and best is not None and entry["compile_seconds"] is not None:
        ratio = _ratio(best, entry["ours"] + entry["compile_seconds"])
        shown.append(f"    ratio with the compilation of ours included: {_shown(ratio, 3)}")
    for name, outcome in outcomes.items():
        if outcome.missing is not None:
            shown.append(f"    missing: {name} ({outcome.missing})")
            continue
        text = f"    {name} {_shown(outcome.value)}"
        if outcome.quality is not None:
            text += f", {case.quality} {_shown(outcome.quality)}"
        if len(outcome.variants) > 1:
            text += "; " + ", ".join(f"{variant} {_shown(value)}" for variant, value in outcome.variants.items())
        elif name not in ("ours", "floor"):
            text += f" ({next(iter(outcome.variants))})"
        shown.append(text)
    return shown


def _ratio(other: float | None, ours: float | None) -> float | None:
    """`other / ours`; an overhead below zero is noise, and a ratio with it means nothing."""
    return _rounded(other / ours) if other is not None and ours is not None and min(other, ours) > 0 else None


def _shown(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None or value != value else float(f"{value:.5g}")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
