"""Results of comparisons made by hand."""

import math

from regjax.comparison.result import CompareResult
from regjax.comparison.row import GridPoint, Improvement, Spread, TechniqueResult

NAN = math.nan


def spread(mean, half=0.01):
    return Spread(mean, (mean - half, mean + half), (mean - half, mean + half))


GAIN = Improvement(0.05, (0.02, 0.08), (0.0, 0.1), {}, 0.0004, 0.03, 0.028, 0.0, 0.02)


def row(name, gain=None, **fields):
    given = {
        "name": name, "title": name, "chosen": {"parameter": "strength", "value": 0.1, "edge": None},
        "grid": (GridPoint(0.1, spread(0.7), 0.5, 0),), "test": spread(0.8), "test_loss": spread(0.5), "test_mse": None,
        "train": spread(0.9), "train_loss": spread(0.1), "generalization_gap": spread(0.1), "improvement": gain,
        "loss_improvement": gain, "zero_fraction": 0.25, "epochs": spread(20.0), "diverged": 0, "lanes": 2,
        "seconds": 1.0, "curves": {}, "weights": {},
    }  # fmt: skip
    return TechniqueResult(**{**given, **fields})


def result(*rows, seeds=10, splits=1, task="classification", **settings):
    given = {"train_examples": 40, "pool": 240, "updates": 100, "select_examples": 30, "test_examples": 60}
    return CompareResult(
        dataset="table", task=task, metric="accuracy" if task == "classification" else "r2", seeds=seeds, splits=splits,
        runs=tuple((0, i) for i in range(seeds)), select="best", settings={**given, **settings},
        baseline=row("baseline", chosen={"value": 0.0}), techniques={one.name: one for one in rows}, diagnosis={},
        chance={}, seconds=1.0, versions={},
    )  # fmt: skip
