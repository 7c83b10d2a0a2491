"""How often the interval of a cross-validation covers the true difference of two settings, and how often it is fooled.

The study behind the intervals of `sweep --cv` (`regjax.analysis.folds`).

Command: `python -m experiments.studies.folds` (a minute on one core); it prints one JSON object, the record
`experiments/records/folds.json`.

Two settings are compared by their squared errors on the folds of simulated examples. In each case 1,000 draws of all
examples are cross-validated (standard error at most 0.007 for 0.95, 0.016 at the most), for each number of examples,
folds and repetitions. The truth is the mean difference over draws. Beside the corrected interval stands Student's,
which takes folds for independent experiments.

- `strengths`: ridge regressions on 15 columns, of strength 0.01 and 20. They differ.
- `columns`: linear regressions on the first and on the last 7 of 14 columns that matter alike. They do not differ.

`in_time` has the same for folds that run forward in time, where each column and the noise are autocorrelated by 0.8.

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
from regjax.data import Fold
from regjax.data import folds as data_folds

DRAWS, LEVEL, NOISE = 1_000, 0.05, 2.0
DESIGNS = ((60, 5, 1), (60, 5, 3), (60, 10, 1), (60, 10, 3), (200, 5, 1), (200, 5, 3))
"""Examples, folds, repetitions."""
IN_TIME, AUTOCORRELATION = ((60, 5, 1), (200, 5, 1), (200, 10, 1)), 0.8
CASES = {
    "strengths": ((slice(0, 15), 0.01), (slice(0, 15), 20.0)),
    "columns": ((slice(0, 7), 0.01), (slice(7, 14), 0.01)),
}


def error(x: np.ndarray, y: np.ndarray, fold: Fold, columns: slice, strength: float) -> float:
    """The mean squared error of a ridge regression without an intercept on a fold."""
    inside, outside = x[fold.train, columns], x[fold.validation, columns]
    w = np.linalg.solve(inside.T @ inside + strength * np.eye(inside.shape[1]), inside.T @ y[fold.train])
    return float(np.mean((y[fold.validation] - outside @ w) ** 2))


def series(rng: np.random.Generator, examples: int, columns: int) -> np.ndarray:
    """Columns of variance 1 in which neighbours are correlated, `[examples, columns]`."""
    out = rng.normal(size=(examples, columns))
    for t in range(1, examples):
        out[t] = AUTOCORRELATION * out[t - 1] + np.sqrt(1 - AUTOCORRELATION**2) * out[t]
    return out


def differences(
    rng: np.random.Generator, case: str, examples: int, folds: int, repeats: int, in_time: bool = False
) -> np.ndarray:
    """The first setting's error minus the second's on each fold of one draw, `[repeats * folds]`."""
    draw = series if in_time else lambda rng, *shape: rng.normal(size=shape)
    x, noise = draw(rng, examples, 15), draw(rng, examples, 1)[:, 0]
    y = 0.4 * x.sum(axis=1) + NOISE * noise
    found = []
    for _ in range(repeats):
        if in_time:
            made = data_folds(y, folds, task="regression", times=np.arange(examples))
        else:
            fold = rng.permutation(examples) % folds
            made = [Fold(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]
        for one in made:
            first, second = (error(x, y, one, *setting) for setting in CASES[case])
            found.append(first - second)
    return np.array(found)


def rates(
    case: str, examples: int, folds: int, repeats: int, draws: int = DRAWS, in_time: bool = False
) -> dict[str, Any]:
    """Coverage of both intervals, and where nothing differs the false alarms of both tests."""
    rng = np.random.default_rng([examples, folds, repeats])
    drawn = [differences(rng, case, examples, folds, repeats, in_time) for _ in range(draws)]
    truth, ratio = 0.0 if case == "columns" else float(np.mean(drawn)), 1 / (folds - 1)
    if in_time:
        made = data_folds(np.zeros(examples), folds, task="regression", times=np.arange(examples))
        ratio = float(np.mean([len(one.validation) / len(one.train) for one in made]))
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
        "in_time": {case: [rates(case, *design, in_time=True) for design in IN_TIME] for case in CASES},
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
