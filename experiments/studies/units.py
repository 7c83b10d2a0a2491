"""How often intervals and verdicts are right where few examples decide: those of a rare class, or whole groups.

The study behind `regjax.analysis.metrics.reaches`, and behind groups as the units of intervals.

Command: `python -m experiments.studies.units` (about five minutes on one core); it prints one JSON object, the record
`experiments/records/units.json`. Each comparison has a new data set and ten runs.

- `rare`: the technique loses answers on the rare class alone, so that balanced accuracy and F1 change by a known number
  of points. `same` is how often it is called practically the same although it changes by the smallest change that
  matters, 1 point, or by more (2.5% is nominal); of 6,000 examples also by a quarter of it, and not at all.
- `scores`: two fixed functions whose scores are normal around their class. How often the interval of the level and that
  of the change cover the true ones, and how wide it is.
- `groups`: a technique without an effect on average, which changes all answers of a group alike. How often it is called
  better or worse, by groups as the units and, `by_row`, by rows.
"""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

import numpy as np
from absl import app

from regjax.analysis import joint_flips
from regjax.analysis.metrics import contributions, reaches
from regjax.comparison.layout import Layout
from regjax.report.verdict import judge

COMPARISONS, RUNS, PRACTICAL = 1_000, 10, 0.01
METRICS = ("balanced_accuracy", "f1", "roc_auc", "average_precision")
RIGHT = (0.97, 0.7)  # of the answers on the common and on the rare class
RARE = (
    (300, 0.1, 0.01), (300, 0.1, 0.03), (600, 0.05, 0.01), (1000, 0.05, 0.01), (1500, 0.05, 0.01), (6000, 0.1, 0.01),
    (6000, 0.1, 0.0025), (6000, 0.1, 0.0),
)  # fmt: skip
"""The number of examples, the share of the rare class, and by how much balanced accuracy falls."""
SCORES = ((300, 0.1, 2.0), (300, 0.05, 3.0), (1000, 0.05, 2.0))
"""The number of examples, the share of the rare class, and the distance of the classes in standard deviations."""
GROUPS = ((40, 1), (40, 10), (100, 10), (100, 4))
"""The number of groups, and of the rows of each."""


class Compared(NamedTuple):
    """What the test examples contribute with and without the technique, how far one answer moves that, and the runs."""

    technique: np.ndarray
    baseline: np.ndarray
    reaches: np.ndarray
    layout: Layout

    @property
    def changes(self) -> np.ndarray:
        """What each example contributes to the change, `[runs, N]`."""
        return self.technique - self.baseline

    def verdict(self) -> str:
        """The verdict on this technique alone."""
        layout, d = self.layout, self.changes
        interval = layout.interval(d, self.reaches)
        gain = {
            "mean": interval.mean,
            "ci95": interval[1:],
            "p_adjusted": joint_flips(layout.grouped(d.mean(axis=1))[:, None])[0].p_adjusted,
            "practical": PRACTICAL,
            "observations": layout.groups,
            "resolution": layout.resolution(d, self.reaches),
        }
        return judge(gain)


def test_sets(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    """A stratified fifth for each run, `[runs, N]`."""
    members = [np.flatnonzero(y == label) for label in (0, 1)]
    return np.stack(
        [np.concatenate([rng.permutation(own)[: max(1, round(len(own) / 5))] for own in members]) for _ in range(RUNS)]
    )


def compared(metric: str, y: np.ndarray, technique: np.ndarray, baseline: np.ndarray, rows: np.ndarray) -> Compared:
    """Evaluate probabilities `[N, 2]` on the test sets."""
    of_technique, of_baseline = (
        np.stack([contributions(metric, p[own], y[own]) for own in rows]) for p in (technique, baseline)
    )
    reach = [np.stack([reaches(metric, p[own], y[own]) for own in rows]) for p in (technique, baseline)]
    return Compared(of_technique, of_baseline, np.maximum(*reach), Layout(np.arange(RUNS), rows, len(y)))


def losing(rng: np.random.Generator, metric: str, size: int, share: float, fall: float) -> Compared:
    """A technique that loses answers on the rare class, so that balanced accuracy falls by this much."""
    y = (np.arange(size) < round(share * size)).astype(int)
    base = rng.random(size) < np.array(RIGHT)[y]
    lost = (y == 1) & (rng.random(size) < 2 * fall / RIGHT[1])
    fewer, all_of_base = (np.eye(2)[np.where(right, y, 1 - y)] * 0.8 + 0.1 for right in (base & ~lost, base))
    return compared(metric, y, fewer, all_of_base, test_sets(rng, y))


def change_of_f1(share: float, fall: float) -> float:
    """By how much F1 falls in `losing`."""

    def f1(right: float) -> float:
        hit, false = share * right, (1 - share) * (1 - RIGHT[0])
        return 2 * hit / (hit + false + share)

    return f1(RIGHT[1]) - f1(RIGHT[1] - 2 * fall)


def scored(
    rng: np.random.Generator, size: int, share: float, distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the probabilities of two fixed functions."""
    y = (np.arange(size) < round(share * size)).astype(int)
    first, second = rng.normal(size=(2, size))
    scores = (first + distance * y, 0.8 * first + 0.6 * second + 0.9 * distance * y)
    p = [1 / (1 + np.exp(-2 * (score - 0.6 * distance - 0.3))) for score in scores]
    return y, np.stack([1 - p[0], p[0]], axis=1), np.stack([1 - p[1], p[1]], axis=1)


@functools.cache
def truths(metric: str, share: float, distance: float) -> tuple[float, float]:
    """The true levels of both functions, from 500,000 examples."""
    y, first, second = scored(np.random.default_rng(0), 500_000, share, distance)
    return float(contributions(metric, first, y).mean()), float(contributions(metric, second, y).mean())


def grouped(rng: np.random.Generator, groups: int, rows: int, several: bool, by_row: bool) -> Compared:
    """A technique that changes all answers of a tenth of the groups for the better, and of a tenth for the worse."""
    of_group = rng.choice([-1, 0, 1], p=[0.1, 0.8, 0.1], size=groups)
    tested = [rng.permutation(groups)[: groups // 5] for _ in range(RUNS if several else 1)]
    ids = np.stack([tested[run if several else 0] for run in range(RUNS)]).repeat(rows, axis=1)
    noise = rng.choice([-1, 0, 1], p=[0.05, 0.9, 0.05], size=ids.shape)
    d = np.where(rng.random(ids.shape) < 0.9, of_group[ids], noise).astype(float)
    unit = ids * rows + np.arange(ids.shape[1]) % rows if by_row else ids
    layout = Layout(np.arange(RUNS) if several else np.zeros(RUNS, int), unit, groups)
    return Compared(d, np.zeros(d.shape), np.ones(d.shape), layout)


def rare(metric: str, size: int, share: float, fall: float, comparisons: int = COMPARISONS) -> dict[str, Any]:
    """How often `losing` gets each verdict."""
    rng = np.random.default_rng([size, round(1000 * share), round(1000 * fall)])
    found = [losing(rng, metric, size, share, fall).verdict() for _ in range(comparisons)]
    return {"same": found.count("same") / comparisons, "hurt": found.count("hurt") / comparisons}


def covered(metric: str, size: int, share: float, distance: float, comparisons: int = COMPARISONS) -> dict[str, float]:
    """How often the intervals cover the true level and the true change, and their mean widths."""
    rng, levels = np.random.default_rng([size, round(1000 * share)]), truths(metric, share, distance)
    hits = []
    for _ in range(comparisons):
        y, first, second = scored(rng, size, share, distance)
        one = compared(metric, y, second, first, test_sets(rng, y))
        level, change = (one.layout.interval(v, one.reaches) for v in (one.baseline, one.changes))
        true = levels[1] - levels[0]
        hits.append(
            (level.low <= levels[0] <= level.high, change.low <= true <= change.high,
             min(level.high, 1.0) - max(level.low, 0.0), change.high - change.low)
        )  # fmt: skip
    names = ("level", "change", "width_of_level", "width_of_change")
    return {name: round(float(value), 3) for name, value in zip(names, np.mean(hits, axis=0), strict=True)}


def alarms(groups: int, rows: int, several: bool, comparisons: int = COMPARISONS) -> dict[str, float]:
    """How often a technique without an effect is called better or worse."""
    out = {}
    for name, by_row in (("by_group", False), ("by_row", True)):
        rng = np.random.default_rng([groups, rows, several])
        found = [grouped(rng, groups, rows, several, by_row).verdict() for _ in range(comparisons)]
        out[name] = (found.count("helped") + found.count("hurt")) / comparisons
    return out


def run(comparisons: int = COMPARISONS) -> dict[str, Any]:
    """Everything."""
    return {
        "comparisons": comparisons,
        "rare": [
            {"metric": metric, "examples": case[0], "share": case[1]}
            | {"change": 0.0 - round(case[2] if metric == "balanced_accuracy" else change_of_f1(*case[1:]), 4)}
            | rare(metric, *case, comparisons)
            for metric in METRICS[:2]
            for case in RARE
        ],
        "scores": [
            {"metric": metric, "examples": case[0], "share": case[1], "distance": case[2]}
            | covered(metric, *case, comparisons)
            for metric in METRICS
            for case in SCORES
        ],
        "groups": [
            {"groups": groups, "rows": rows, "splits": RUNS if several else 1}
            | alarms(groups, rows, several, comparisons)
            for groups, rows in GROUPS
            for several in (True, False)
        ],
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    app.run(main)
