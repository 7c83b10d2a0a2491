"""How often a page of claims has a false verdict, by the test that judges it.

The study behind the sign test of `regjax.claims.judge`.

Command: `python -m experiments.studies.claims` (15 seconds on two cores); it prints one JSON object, the record
`experiments/records/claims_errors.json`.

Pages are made from the runs of `experiments/records/claims`. In each circumstance as many effects as there were runs
are drawn from them with replacement and with some noise (a smooth bootstrap), and shifted so that their true median is
the margin; for Student's test, their true mean. Any verdict of one direction is then false, if the truth lies a hair's
breadth on the other side. The record has the share of the pages with at least one false verdict, for each direction of
all circumstances and for both tests, at 5% divided by the number of circumstances.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from absl import app
from scipy import stats

from regjax.claims.judge import LEVEL

RECORD = Path(__file__).resolve().parents[1] / "records/claims/claims.json"
PAGES, NOISE, BLOCK = 20_000, 0.3, 2000


def exceeded(values: np.ndarray, tests: int, pages: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """For each test and direction, on which pages a circumstance at the margin is judged, `bool[pages]`."""
    runs, spread = len(values), values.std(ddof=1)
    # The median of what is drawn has no closed form; half a million draws give it.
    many = rng.choice(values, 500_000) + NOISE * spread * rng.normal(size=500_000)
    median, mean = np.median(many), values.mean()
    limit = LEVEL / tests
    student = stats.t.isf(limit, runs - 1)
    needed = int(stats.binom.isf(limit, runs, 0.5)) + 1
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("student up", "student down", "sign up", "sign down")}
    for start in range(0, pages, BLOCK):
        shape = (min(BLOCK, pages - start), runs)
        drawn = rng.choice(values, shape) + NOISE * spread * rng.normal(size=shape)
        t = (drawn.mean(axis=1) - mean) / (drawn.std(axis=1, ddof=1) / np.sqrt(runs))
        above = np.sum(drawn > median, axis=1)
        for name, one in zip(found, (t > student, t < -student, above >= needed, runs - above >= needed), strict=True):
            found[name].append(one)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def run(record: dict[str, Any], pages: int = PAGES) -> dict[str, Any]:
    """The shares of pages with a false verdict."""
    rng, tests = np.random.default_rng(0), record["tests"]
    any_of: dict[str, np.ndarray] = {}
    circumstances = 0
    for claim in record["claims"]:
        for case in claim["circumstances"]:
            values = np.array([value for value in case["values"] if value is not None])
            if len(values) < 2 or np.ptp(values) == 0:  # runs that all agree have no distribution to draw from
                continue
            circumstances += 1
            for name, one in exceeded(values, tests, pages, rng).items():
                any_of[name] = any_of.get(name, np.zeros(pages, bool)) | one
    shares = {name.replace(" ", "_"): round(float(found.mean()), 4) for name, found in any_of.items()}
    return {"pages": pages, "tests": tests, "circumstances": circumstances, **shares}


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(json.loads(RECORD.read_text())), indent=2))


if __name__ == "__main__":
    app.run(main)
