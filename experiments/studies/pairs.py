"""How often equal rows are said to differ, and how many true differences are found, among all pairs of rows.

The study behind the groups of a comparison (`regjax.analysis.all_pairs`).

Command: `python -m experiments.studies.pairs` (half a minute on one core); it prints one JSON object, the record
`experiments/records/pairs.json`.

Six rows have the same runs, which are independent; the values of two rows in a run are correlated by 0.5. For each
number of runs, by Holm's correction of the 15 pairs and by step-down maxT, are given, with 10,000 simulated comparisons
(standard error at most 0.0022 for an error of 0.05),

- the family-wise error where all rows are equal, and where three rows are better than the three others, so that nine of
  the 15 pairs differ;
- the same error where all rows are equal and the noise is skewed (exponential), so that the pairs are symmetric one by
  one and not jointly, as the test assumes;
- the share of these nine differences that is found, where they are 1.5 standard deviations of a difference in one run.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from absl import app

from regjax.analysis import all_pairs, holm

ROWS, COMPARISONS, LEVEL, EFFECT = 6, 10_000, 0.05, 1.5
RUNS = (5, 6, 8, 10)
BETTER = 3  # number of rows that are better, where not all are equal


def scores(rng: np.random.Generator, runs: int, effect: float, skewed: bool = False) -> np.ndarray:
    """`[runs, rows]`: differences of two equal rows have standard deviation 1."""
    draw = rng.exponential if skewed else rng.normal
    own, shared = draw(size=(runs, ROWS)), draw(size=(runs, 1))
    found: np.ndarray = (own + shared) / np.sqrt(2) + effect * (np.arange(ROWS) < BETTER)
    return found


def counts(table: np.ndarray, effect: float) -> dict[str, tuple[bool, int]]:
    """By correction: whether there is a false alarm, and how many true differences are found."""
    pairs = all_pairs({str(row): table[:, row] for row in range(ROWS)})
    true = np.array([effect > 0 and (int(pair.a) < BETTER) != (int(pair.b) < BETTER) for pair in pairs])
    adjusted = {"holm": holm([pair.p for pair in pairs]), "step_down": [pair.p_adjusted for pair in pairs]}
    found = {name: np.array(p, np.float64) <= LEVEL for name, p in adjusted.items()}
    return {name: (bool(shown[~true].any()), int(shown[true].sum())) for name, shown in found.items()}


def rates(runs: int, comparisons: int = COMPARISONS) -> dict[str, Any]:
    """Errors and power of both corrections for a number of runs."""
    cases = {
        "family_wise_error": (0.0, False),
        "family_wise_error_beside_true_differences": (EFFECT, False),
        "family_wise_error_with_skewed_noise": (0.0, True),
    }
    out: dict[str, Any] = {}
    rng = np.random.default_rng(runs)
    for case, (effect, skewed) in cases.items():
        seen = [counts(scores(rng, runs, effect, skewed), effect) for _ in range(comparisons)]
        out[case] = {name: round(float(np.mean([one[name][0] for one in seen])), 4) for name in seen[0]}
        if effect:
            most = BETTER * (ROWS - BETTER)
            out["found"] = {name: round(float(np.mean([one[name][1] for one in seen])) / most, 4) for name in seen[0]}
    return out


def run() -> dict[str, Any]:
    """Everything."""
    return {
        "rows": ROWS,
        "pairs": ROWS * (ROWS - 1) // 2,
        "correlation": 0.5,
        "effect": EFFECT,
        "level": LEVEL,
        "comparisons": COMPARISONS,
        "runs": {str(runs): rates(runs) for runs in RUNS},
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
