"""Which search finds the better setting for the same number of epochs? Seven of them on eight data sets.

Command: `python -m experiments.studies.search` (27 minutes for the record, on two cores that other
work shared); it prints one JSON object, the record `experiments/records/search.json`. With names of data sets it
runs those alone.

On twelve splits of each data set, a net with 64 hidden units is trained on at most 200 examples by Adam. Its learning
rate (1e-4 to 1e-1, log), L2 (1e-6 to 1e-1, log) and dropout (0 to 0.8) are searched with a budget of 27 trainings of 27
epochs, 729 epochs in all:

- `grid`: 3 x 3 x 3 settings, in the middles of the thirds of each range;
- `random` and `sobol`: 27 points;
- `halving`: as many trials as fit into the budget, of which the best third goes on after 3, 9 and 27 epochs;
- `asha`: the same rungs, asynchronously on 8 places, until the budget is spent;
- `tpe`: Optuna's sampler, 27 trials, two at a time; left out where Optuna is not installed;
- `one`: the first point of `random`, for what any search gains.

A search chooses by the score on the validation examples (accuracy or R2, ties by the loss), at the best epoch of each
run. The chosen setting is then followed on the test examples: the same net again, at the epoch that validation chose.

For each data set and method the record has the mean test score, the score on validation by which it was chosen, and the
difference of the test score from that of `random` over the same splits, with the interval and p-value of Nadeau and
Bengio for splits that share examples; `holm` is that p-value corrected for all comparisons of the record. `overall` is
the mean of the differences over data sets with Student's interval over these.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from absl import app

import regjax as rj
from experiments.studies.early_stopping import dataset
from regjax.analysis import fold_interval, fold_p, holm, mean_interval
from regjax.cli.optuna_sampler import OptunaSampler
from regjax.core.rng import run_key
from regjax.data import Preprocessor, nested_order, split
from regjax.models import make_model
from regjax.sweeps import (
    Asha,
    AskTell,
    Halving,
    Range,
    Rung,
    Schedule,
    Score,
    Task,
    halving_rungs,
    halving_trials,
    random_points,
    search,
    sobol_points,
)
from regjax.training.run import RunResult

SPLITS, EPOCHS, MIN_EPOCHS, REDUCTION, TRIALS = 12, 27, 3, 3, 27
BUDGET = TRIALS * EPOCHS
MOST_EXAMPLES, BATCH, WIDTH, PLACES = 200, 32, 64, 8
SPACE = {
    "learning_rate": Range(1e-4, 1e-1, log=True),
    "l2": Range(1e-6, 1e-1, log=True),
    "dropout": Range(0.0, 0.8),
}
BASE = "random"
METHODS = ("grid", "random", "sobol", "halving", "asha", "tpe", "one")
DATA = ("digits", "breast_cancer", "wine", "diabetes", "spirals", "sparse_regression", "iris", "friedman")


class Found(NamedTuple):
    """What a search found on a split."""

    point: dict[str, float]
    validation: float
    epoch: int  # of the best weights
    epochs: int  # that it trained in all
    trials: int


class BudgetedAsha(Asha):
    """ASHA that begins no task for which the budget has no epochs left."""

    def __init__(self, rungs: Sequence[Rung], reduction: int, budget: int):
        super().__init__(rungs, reduction)
        self._left = budget

    def choose(self) -> Task | None:
        """The next task, if there are epochs for it."""
        task = super().choose() if self._left > 0 else None
        if task is None or task.until - task.start > self._left:
            self._left = 0
            return None
        self._left -= task.until - task.start
        return task


class Problem:
    """A data set, its splits, and the lanes of points on them: rows 2 i of the arrays validate, rows 2 i + 1 test."""

    def __init__(self, name: str, splits: int):
        data = dataset(name)
        parts = [split(data, seed=number) for number in range(splits)]
        self.n_train = min(MOST_EXAMPLES, parts[0].sizes["train"])
        validation = [np.concatenate([part.indices["stop"], part.indices["select"]]) for part in parts]
        self.sizes = len(validation[0]), parts[0].sizes["test"]
        order, rows = [], []
        self.fitted = []
        for number, part in enumerate(parts):
            own = part.indices["train"][nested_order(part.y_train, [number], data.task)[0]]
            self.fitted.append(Preprocessor.for_splits(part))
            for outside in (validation[number], part.indices["test"]):
                order.append(own)
                rows.append(np.pad(outside, (0, max(self.sizes) - len(outside)), constant_values=-1))
        x, y = jnp.asarray(data.x), jnp.asarray(data.y)
        self.arrays = rj.TrainData(
            x, jnp.stack([y] * len(order)), jnp.asarray(np.array(order)), x[:0], y[:0], val_rows=jnp.asarray(rows)
        )
        self.metric = "val/accuracy" if data.task == "classification" else "val/r2"
        spec = rj.Spec(
            make_model("mlp", num_outputs=parts[0].num_outputs, widths=(WIDTH,), task=data.task),
            task=data.task,
            num_classes=data.num_classes,
            batch_size=BATCH,
            steps_per_epoch=math.ceil(self.n_train / BATCH),
            epochs=EPOCHS,
        )
        self.run = rj.make_run(spec)

    def lane(self, point: dict[str, float], number: int, test: bool = False) -> rj.Lane:
        """The run of a point on a split, followed on the validation or the test examples."""
        hparams = rj.make_hparams(
            learning_rate=point["learning_rate"],
            penalties={"loss": rj.l2(point["l2"])},
            rates={"dropout": point["dropout"]},
            n_train=self.n_train,
            standardization=self.fitted[number].standardization,
            restore_best=True,
        )
        return rj.Lane(self.run, hparams, run_key(number), 2 * number + test)

    def score(self, task: Task, results: Sequence[RunResult]) -> Score:
        """The validation score of the best epoch."""
        del task
        [result] = results
        values, end = result.history.values, int(result.end_epoch)
        return Score(float(values[self.metric][end]), -float(values["val/loss"][end]))

    def test(self, found: Sequence[Found]) -> list[float]:
        """The test scores of what was found on the splits, at the epochs that validation chose."""
        lanes = [self.lane(one.point, number, test=True) for number, one in enumerate(found)]
        results = rj.run_lanes(lanes, self.arrays, keep_weights=False)
        return [float(r.history.values[self.metric][one.epoch]) for r, one in zip(results, found, strict=True)]


def grid() -> list[dict[str, float]]:
    """The settings of the grid."""
    shares = [1 / 6, 1 / 2, 5 / 6]
    columns = [[own.at(share) for share in shares] for own in SPACE.values()]
    return [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*columns)]


def searched(problem: Problem, method: str, number: int) -> Found:
    """Search on one split."""
    whole = [Rung(EPOCHS, TRIALS)]
    count = halving_trials(BUDGET, EPOCHS, min_epochs=MIN_EPOCHS, reduction=REDUCTION)
    rungs = halving_rungs(count, EPOCHS, min_epochs=MIN_EPOCHS, reduction=REDUCTION)
    drawn: list[dict[str, float]]
    if method == "tpe":
        sampler = OptunaSampler(SPACE, number)
        drawn = sampler.points
        schedule = Schedule(AskTell(sampler.ask, sampler.tell, TRIALS, EPOCHS), 2)
    elif method == "halving":
        drawn, schedule = random_points(SPACE, count, number), Schedule(Halving(rungs))
    elif method == "asha":
        most = BUDGET // MIN_EPOCHS
        drawn = random_points(SPACE, most, number)
        opened = [rung._replace(trials=most) for rung in rungs]
        schedule = Schedule(BudgetedAsha(opened, REDUCTION, BUDGET), PLACES)
    else:
        makers: dict[str, Callable[[], list[dict[str, float]]]] = {
            "grid": grid,
            "random": lambda: random_points(SPACE, TRIALS, number),
            "sobol": lambda: sobol_points(SPACE, TRIALS, number),
            "one": lambda: random_points(SPACE, 1, number),
        }
        drawn = makers[method]()
        schedule = Schedule(Halving([whole[0]._replace(trials=len(drawn))]))
    found = search(schedule, lambda trial: [problem.lane(drawn[trial], number)], problem.arrays, score=problem.score)
    ended = [step for step in found.steps if step.task.until == EPOCHS and math.isfinite(step.score.value)]
    best = max(ended, key=lambda step: step.score)
    return Found(
        drawn[best.task.trial], best.score.value, int(best.results[0].end_epoch), found.epochs, len(found.last())
    )


def of_dataset(name: str, methods: Sequence[str], splits: int = SPLITS) -> dict[str, Any]:
    """The entry of a data set: the scores of each method on each split, in percent, and what the search took."""
    problem = Problem(name, splits)
    out: dict[str, Any] = {
        "metric": problem.metric.removeprefix("val/"),
        "examples": {"train": problem.n_train, "validation": problem.sizes[0], "test": problem.sizes[1]},
        "methods": {},
    }
    for method in methods:
        started = time.perf_counter()
        found = [searched(problem, method, number) for number in range(splits)]
        seconds = time.perf_counter() - started
        out["methods"][method] = {
            "test": [100 * value for value in problem.test(found)],
            "validation": [100 * one.validation for one in found],
            "epochs": float(np.mean([one.epochs for one in found])),
            "trials": float(np.mean([one.trials for one in found])),
            "seconds": seconds / splits,
        }
    return out


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The record of the data sets: means, differences from the base with intervals, and corrected p-values."""
    data: dict[str, Any] = {}
    compared: list[tuple[str, str, float | None]] = []
    gains: dict[str, list[float]] = {}
    for name, own in found.items():
        sizes = own["examples"]
        ratio = sizes["test"] / (sizes["train"] + sizes["validation"])
        base = np.array(own["methods"][BASE]["test"])
        rows = {}
        for method, of in own["methods"].items():
            row: dict[str, Any] = {
                "test": _round(np.mean(of["test"])),
                "validation": _round(np.mean(of["validation"])),
                "epochs": _round(of["epochs"], 1),
                "trials": _round(of["trials"], 1),
                "seconds": _round(of["seconds"]),
            }
            if method != BASE:
                difference = np.array(of["test"]) - base
                mean, low, high = fold_interval(difference, ratio)
                row |= {"over_random": _round(mean), "ci95": [_round(low), _round(high)]}
                compared.append((name, method, fold_p(difference, ratio)))
                gains.setdefault(method, []).append(float(mean))
            rows[method] = row
        data[name] = {"metric": own["metric"], "examples": sizes, "methods": rows}
    for (name, method, p), corrected in zip(compared, holm([p for *_, p in compared]), strict=True):
        data[name]["methods"][method] |= {"p": _round(p, 4), "holm": _round(corrected, 4)}
    overall = {}
    for method, values in gains.items():
        mean, low, high = mean_interval(values)
        overall[method] = {"over_random": _round(mean), "ci95": [_round(low), _round(high)], "data_sets": len(values)}
    return {"overall": overall, "data": data}


def run(names: Sequence[str] = DATA, splits: int = SPLITS) -> dict[str, Any]:
    """Everything."""
    methods = [name for name in METHODS if name != "tpe" or importlib.util.find_spec("optuna")]
    started = time.perf_counter()
    found = {name: of_dataset(name, methods, splits) for name in names}
    return {
        "splits": splits,
        "budget_epochs": BUDGET,
        "epochs": EPOCHS,
        "places": {"asha": PLACES, "tpe": 2},
        **summary(found),
        "seconds": round(time.perf_counter() - started),
    }


def _round(value: Any, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def main(argv: list[str]) -> None:
    """Print the record."""
    print(json.dumps(run(argv[1:] or DATA), indent=2))


if __name__ == "__main__":
    app.run(main)
