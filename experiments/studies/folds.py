"""How often the interval of a cross-validation covers the true difference of two settings, and how often it is fooled.

The study behind the intervals of `sweep --cv` (`regjax.analysis.folds`).

Command: `python -m experiments.studies.folds` (two minutes on one core); it prints one JSON object, the record
`experiments/records/folds.json`.

Two settings are compared by their squared errors on the folds of simulated examples. In each case 1,000 draws of all
examples are cross-validated (standard error at most 0.007 for 0.95, 0.016 at the most), for each number of examples,
folds and repetitions. The truth is the mean difference over draws. Beside the corrected interval stands Student's,
which takes folds for independent experiments.

- `strengths`: ridge regressions on 15 columns, of strength 0.01 and 20. They differ.
- `columns`: linear regressions on the first and on the last 7 of 14 columns that matter alike. They do not differ.

Given are the coverage of both intervals, and for `columns` how often both tests say that there is a difference.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from absl import app
from scipy import stats

from regjax.analysis import mean_interval
from regjax.analysis.folds import fold_interval, fold_p

DRAWS, LEVEL, NOISE = 1_000, 0.05, 2.0
DESIGNS = ((60, 5, 1), (60, 5, 3), (60, 10, 1), (60, 10, 3), (200, 5, 1), (200, 5, 3))
"""Examples, folds, repetitions."""
CASES = {
    "strengths": ((slice(0, 15), 0.01), (slice(0, 15), 20.0)),
    "columns": ((slice(0, 7), 0.01), (slice(7, 14), 0.01)),
}


def error(x: np.ndarray, y: np.ndarray, test: np.ndarray, columns: slice, strength: float) -> float:
    """The mean squared error of a ridge regression without an intercept on the examples `test`."""
    inside, outside = x[~test, columns], x[test, columns]
    w = np.linalg.solve(inside.T @ inside + strength * np.eye(inside.shape[1]), inside.T @ y[~test])
    return float(np.mean((y[test] - outside @ w) ** 2))


def differences(rng: np.random.Generator, case: str, examples: int, folds: int, repeats: int) -> np.ndarray:
    """The first setting's error minus the second's on each fold of one draw, `[repeats * folds]`."""
    x = rng.normal(size=(examples, 15))
    y = 0.4 * x.sum(axis=1) + NOISE * rng.normal(size=examples)
    found = []
    for _ in range(repeats):
        fold = rng.permutation(examples) % folds
        for k in range(folds):
            one, other = (error(x, y, fold == k, *setting) for setting in CASES[case])
            found.append(one - other)
    return np.array(found)


def rates(case: str, examples: int, folds: int, repeats: int, draws: int = DRAWS) -> dict[str, Any]:
    """Coverage of both intervals, and where nothing differs the false alarms of both tests."""
    rng = np.random.default_rng([examples, folds, repeats])
    drawn = [differences(rng, case, examples, folds, repeats) for _ in range(draws)]
    truth, ratio = 0.0 if case == "columns" else float(np.mean(drawn)), 1 / (folds - 1)
    intervals = {
        "corrected": [fold_interval(one, ratio) for one in drawn],
        "student": [mean_interval(one.tolist()) for one in drawn],
    }
    out: dict[str, Any] = {"examples": examples, "folds": folds, "repeats": repeats}
    out["covered"] = {
        name: round(float(np.mean([low <= truth <= high for _, low, high in made])), 3)
        for name, made in intervals.items()
    }
    if case == "columns":
        p = {
            "corrected": [fold_p(one, ratio) or 0.0 for one in drawn],
            "student": [stats.ttest_1samp(one, 0.0).pvalue for one in drawn],
        }
        out["false_alarms"] = {name: round(float(np.mean(np.array(own) <= LEVEL)), 3) for name, own in p.items()}
    return out


def run() -> dict[str, Any]:
    """Everything."""
    return {
        "draws": DRAWS,
        "level": LEVEL,
        "cases": {case: [rates(case, *design) for design in DESIGNS] for case in CASES},
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
