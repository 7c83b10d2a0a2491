"""Measures one data set: the searches, the learners and the ablation, each kept as soon as it is done."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.cocktails.ablation import MOST_SUBSETS, ablated
from experiments.cocktails.learners import LEARNERS, learned, missing
from experiments.cocktails.parts import Program, on
from experiments.cocktails.problem import BATCH, EPOCHS, Problem
from experiments.cocktails.searching import (
    MIN_EPOCHS,
    PROGRAMS,
    REDUCTION,
    SEARCHES,
    TRIALS,
    Found,
    outcomes,
    searched,
)
from regjax.cli.workdirs import write_json
from regjax.core.errors import InputError
from regjax.data import Dataset
from regjax.sweeps import LaneStore
from regjax.training.compilations import CompilationCounter

SPLITS, SECONDS = 5, 20.0
"""Splits of a data set, and the processor time of a learner on a split."""
METRICS = ("accuracy", "balanced_accuracy", "log_loss")


class Kept:
    """Results by name in a file, which is written whenever one is added."""

    def __init__(self, path: Path, protocol: dict[str, Any]):
        self.path = path
        self.found: dict[str, Any] = {"protocol": protocol}
        if path.exists():
            self.found = json.loads(path.read_text())
            if self.found["protocol"] != protocol:
                raise InputError(f"{path}: of another protocol; remove it, or use another --workdir")

    def get(self, name: str, make: Callable[..., Any], *arguments: Any) -> Any:
        """What is kept under a name, or what `make` returns for the arguments, which is kept then."""
        if name not in self.found:
            self.found[name] = make(*arguments)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, self.found)
        return self.found[name]


def protocol() -> dict[str, Any]:
    """The numbers that all data sets have in common."""
    return {
        "splits": SPLITS,
        "epochs": EPOCHS,
        "min_epochs": MIN_EPOCHS,
        "reduction": REDUCTION,
        "batch_size": BATCH,
        "programs": PROGRAMS,
        "trials": PROGRAMS * TRIALS,
        "learner_seconds": SECONDS,
        "most_subsets": MOST_SUBSETS,
    }


def measure(
    name: str,
    data: Dataset,
    workdir: Path,
    *,
    splits: int = SPLITS,
    trials: int = TRIALS,
    seconds: float = SECONDS,
    epochs: int = EPOCHS,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return what was measured on a data set, from `workdir` where it was measured before.

    Args:
      name: of the data set.
      data: its examples.
      workdir: where the results are, `NAME.json` for each data set.
      splits: how many.
      trials: of each program of a search.
      seconds: of processor time, for each learner on each split.
      epochs: of a whole training.
      say: is told what is done.

    Raises:
      InputError: the results in `workdir` are of another protocol.
    """
    path = workdir / f"{name}.json"
    own = protocol() | {
        "splits": splits, "trials": PROGRAMS * trials, "learner_seconds": seconds, "epochs": epochs,
        # Rounded, because processors add in different orders.
        "examples": len(data), "sum": float(f"{np.nansum(data.x, dtype=np.float64):.12g}"),
    }  # fmt: skip
    if path.exists():
        return Kept(path, own).found
    directory = workdir / "unfinished" / name
    kept, problem = Kept(directory / "kept.json", own), Problem(data, splits, epochs)
    lacking = missing()
    out: dict[str, Any] = {
        "protocol": own,
        "name": name,
        "kind": data.kind,
        "columns": int(np.prod(data.x.shape[1:])),
        "classes": data.num_classes,
        "sizes": {part: len(rows) for part, rows in problem.rows[0].items()},
        "searches": {},
        "learners": {},
    }
    for search in SEARCHES:
        of_splits = [
            kept.get(f"{search} {number}", _searched, problem, search, number, trials) for number in range(splits)
        ]
        test = kept.get(f"{search} test", _tested, problem, of_splits)
        out["searches"][search] = {"test": test, "found": of_splits}
        accuracy = 100 * float(np.mean([one["accuracy"] for one in test]))
        say(f"{name}: {search}: {accuracy:.1f}%, {sum(one['seconds'] for one in of_splits):.0f} s")
    cocktails = [_found(one) for one in out["searches"]["cocktail"]["found"]]
    out["ablation"] = kept.get("ablation", ablated, problem, cocktails, LaneStore(directory / "ablation"))
    say(f"{name}: ablation")
    for learner, about in LEARNERS.items():
        if about.package in lacking:
            continue
        budgets = {f"{learner}, default": 0.0} | ({f"{learner}, searched": seconds} if about.space else {})
        for row, budget in budgets.items():
            out["learners"][row] = [
                kept.get(f"{row} {number}", _learned, problem, learner, number, budget) for number in range(splits)
            ]
            say(f"{name}: {row}: {100 * np.mean([one['test']['accuracy'] for one in out['learners'][row]]):.1f}%")
    write_json(path, out)
    shutil.rmtree(directory)
    return out


def _searched(problem: Problem, name: str, number: int, trials: int) -> dict[str, Any]:
    started = time.process_time()
    with CompilationCounter() as compilations:
        found = searched(problem, name, number, trials=trials)
    seconds = time.process_time() - started
    return {
        "program": found.program.parts,
        "point": {key: value for key, value in found.point.items() if value},
        "on": on(found.program, found.point),
        "validation": found.validation,
        "epochs": found.epochs,
        "trials": found.trials,
        "seconds": round(seconds, 2),
        "compile_seconds": round(compilations.seconds, 2),
    }


def _tested(problem: Problem, found: list[dict[str, Any]]) -> list[dict[str, float]]:
    return _picked(outcomes(problem, list(map(_found, found))))


def _found(kept: dict[str, Any]) -> Found:
    """What a search found, from what is kept of it."""
    return Found(Program(tuple(kept["program"])), kept["point"], kept["validation"], kept["epochs"], kept["trials"])


def _learned(problem: Problem, name: str, number: int, seconds: float) -> dict[str, Any]:
    found = learned(name, problem.examples(number), number, seconds)
    return found._asdict() | {"test": _picked([found.test])[0], "seconds": round(found.seconds, 2)}


def _picked(metrics: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: float(f"{one[name]:.6g}") for name in METRICS} for one in metrics]
