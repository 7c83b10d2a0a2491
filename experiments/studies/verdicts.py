"""How often a verdict "practically the same" is wrong, and what power a detectable effect has.

The study behind the smallest change that matters and the power of a comparison (`regjax.analysis.VerdictPower`).

Command: `python -m experiments.studies.verdicts` (about four minutes on one core); it prints one JSON object, the
record `experiments/records/verdicts.json`.

Each comparison has a new data set, of which every run tests a fifth. A share of the answers differs between a technique
and the baseline; half of the examples answer alike in all runs, the others anew in each. The true difference is known.

- `same`: the share of comparisons that call a technique practically the same whose true difference is as large as the
  smallest change that matters, 1 point (at most 2.5% is nominal), and whose true difference is 0. `without` leaves out
  what so few examples cannot resolve. Standard error of 2.5% in 4,000 comparisons: 0.25%.
- `power`: three techniques. A first comparison without any effect prints the detectable effect of one. New comparisons
  in which that one has this effect show it with a true power: its mean over 100 first comparisons (60 new ones for
  each) and its lowest tenth, and how often nothing is printed because too few answers differ.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from absl import app

from regjax.analysis import joint_flips, run_interval
from regjax.comparison.improvements import improvements
from regjax.comparison.layout import Layout
from regjax.report.verdict import judge

COMPARISONS, DESIGNS, FRESH = 4_000, 100, 60
PRACTICAL, LEVEL = 0.01, 0.05
RUNS = (6, 10)
SIZES = (150, 600, 2400, 10_000)  # of a data set
MOST_OF_POWER = 600
SHARES = (0.01, 0.05, 0.2)  # of answers that differ


def ternary(rng: np.random.Generator, shape: tuple[int, ...], share: float, effect: float) -> np.ndarray:
    """Differences of answers, -1, 0 or 1, of which this share is not 0 and whose mean is the effect."""
    share, u = max(share, abs(effect)), rng.random(shape)
    better, worse = (share + effect) / 2, (share - effect) / 2
    return np.where(u < better, 1, np.where(u < better + worse, -1, 0))


def comparison(
    rng: np.random.Generator, runs: int, size: int, share: float, effects: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of each technique `[techniques, runs, N]`, and the examples that they are of `[runs, N]`."""
    ids = np.stack([rng.permutation(size)[: size // 5] for _ in range(runs)])
    alike = rng.random(size) < 0.5
    rows = []
    for effect in effects:
        shared, own = ternary(rng, (size,), share, effect), ternary(rng, ids.shape, share, effect)
        rows.append(np.where(alike[ids], shared[ids], own))
    return np.stack(rows), ids


def called_same(rng: np.random.Generator, runs: int, size: int, share: float, effect: float) -> tuple[bool, bool]:
    """Whether a technique is called practically the same, with and without what the examples cannot resolve."""
    (d,), ids = comparison(rng, runs, size, share, (effect,))
    interval = run_interval(d, splits=range(runs), examples=ids, counted=True)
    gain = {
        "mean": interval.mean,
        "ci95": interval[1:],
        "p_adjusted": 1.0,
        "practical": PRACTICAL,
        "resolution": math.log(40) / len(np.unique(ids)),
    }
    return judge(gain) == "same", judge({**gain, "resolution": None}) == "same"


def same(runs: int, size: int, share: float, comparisons: int = COMPARISONS) -> dict[str, float]:
    """The shares of comparisons that call a technique practically the same."""
    rng = np.random.default_rng([runs, size, round(1000 * share)])
    at_margin = np.array([called_same(rng, runs, size, share, PRACTICAL) for _ in range(comparisons)])
    at_zero = np.array([called_same(rng, runs, size, share, 0.0)[0] for _ in range(comparisons // 4)])
    wrong, without = at_margin.mean(axis=0)
    return {
        "wrong": round(float(wrong), 4),
        "without": round(float(without), 4),
        "found": round(float(at_zero.mean()), 3),
    }


def shown(rng: np.random.Generator, runs: int, size: int, share: float, effect: float) -> bool:
    """Whether the first of three techniques gets its verdict."""
    d, ids = comparison(rng, runs, size, share, (effect, 0.0, 0.0))
    low = run_interval(d[0], splits=range(runs), examples=ids, counted=True).low
    return low > 0 and joint_flips(d.sum(axis=2).T)[0].p_adjusted <= LEVEL


def power(runs: int, size: int, share: float, designs: int = DESIGNS, fresh: int = FRESH) -> dict[str, Any]:
    """The true power at what first comparisons print."""
    rng = np.random.default_rng([runs, size, round(1000 * share), 1])
    effects: list[float | None] = []
    for _ in range(designs):
        d, ids = comparison(rng, runs, size, share, (0.0, 0.0, 0.0))
        rows = dict(zip("abc", d, strict=True))
        layout = Layout(np.arange(runs), ids, size)
        ones = {n: np.ones(row.shape) for n, row in rows.items()}
        found = improvements(rows, {n: row.sum(axis=1) for n, row in rows.items()}, layout, 5 / size, ones)["a"]
        effects.append(found.minimum_detectable_effect)
    at_effect = [np.mean([shown(rng, runs, size, share, e) for _ in range(fresh)]) for e in effects if e is not None]
    out: dict[str, Any] = {"nothing_printed": round(effects.count(None) / designs, 3)}
    if at_effect:
        known = [effect for effect in effects if effect is not None]
        out |= {"effect": round(float(np.median(known)), 4), "power": round(float(np.mean(at_effect)), 3)}
        out["lowest_tenth"] = round(float(np.quantile(at_effect, 0.1)), 3)
    return out


def run() -> dict[str, Any]:
    """Everything."""
    cases = [(runs, size, share) for runs in RUNS for size in SIZES for share in SHARES]
    return {
        "comparisons": COMPARISONS,
        "designs": DESIGNS,
        "fresh": FRESH,
        "practical": PRACTICAL,
        "cases": [
            {"runs": runs, "examples": size, "share": share, "same": same(runs, size, share)}
            | ({"power": power(runs, size, share)} if size <= MOST_OF_POWER else {})
            for runs, size, share in cases
        ],
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    app.run(main)
