"""How often the intervals of fitted learning curves hold the truth, by the number of runs.

The study behind `rj.analysis.fit_power_law` and `rj.analysis.equivalent_examples`.

Command: `python -m experiments.studies.learning_curves` (about five minutes); it prints one JSON object, the
record `experiments/records/learning_curves.json`.

The error of a baseline is `floor + 2 n^-0.5`, that of a technique is the baseline's with twice the examples. Both are
measured at 50, 100, 200 and 400 examples; a run varies by 10%, and the part of this variance that its sizes and both
rows share is given. For each number of runs the record has the share of fits whose 95% intervals hold the rate, the
floor, the error at 800 examples and the number of examples that the technique is worth, with and without the stretch.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from absl import app

from regjax.analysis import equivalent_examples, fit_power_law

FITS, RATE, SCALE, SIZES, NOISE = 500, 0.5, 2.0, (50, 100, 200, 400), 0.1
RUNS = (3, 6, 10, 20)
CASES = ((0.0, 0.0), (0.0, 0.5), (0.05, 0.0), (0.05, 0.5))
"""The floor, and the part of the variance that is shared; a floor is fitted where there is one."""


def coverage(runs: int, floor: float, shared: float, fits: int = FITS) -> dict[str, float]:
    """Shares of fits whose intervals hold the truth."""
    rng, n = np.random.default_rng([runs, round(100 * floor), round(100 * shared)]), np.array(SIZES, float)
    truth = {"rate": RATE, "floor": floor, "at": floor + SCALE * (2 * n[-1]) ** -RATE, "worth": 2 * n[-2]}
    held: dict[str, int] = {name: 0 for name in truth if floor or name != "floor"} | {"worth, not stretched": 0}
    for _ in range(fits):
        common = rng.normal(0, np.sqrt(shared), (runs, 1))
        laws = []
        for worth in (1.0, 2.0):
            noise = common + rng.normal(0, np.sqrt(1 - shared), (runs, len(n)))
            errors = (floor + SCALE * (worth * n) ** -RATE) * np.exp(NOISE * noise)
            laws.append(fit_power_law(SIZES, errors, floor=floor > 0))
        base, technique = laws
        found = {
            "rate": base.interval("rate"),
            "floor": base.interval("floor"),
            "at": base.at(2 * n[-1]),
            "worth": equivalent_examples(base, technique, n[-2]),
        }
        for name in held.keys() & truth.keys():
            held[name] += found[name].low <= truth[name] <= found[name].high
        # With as many runs as there are, Student's and the normal quantiles are the same.
        plain = equivalent_examples(base._replace(runs=10**9), technique, n[-2])
        held["worth, not stretched"] += plain.low <= truth["worth"] <= plain.high
    return {name: round(count / fits, 4) for name, count in held.items()}


def run() -> dict[str, Any]:
    """Everything."""
    cases = [
        {"floor": floor, "shared": shared, "runs": runs, "held": coverage(runs, floor, shared)}
        for floor, shared in CASES
        for runs in RUNS
    ]
    return {"fits": FITS, "rate": RATE, "scale": SCALE, "sizes": list(SIZES), "noise": NOISE, "cases": cases}


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    app.run(main)
