"""What every data set of the atlas goes through: the techniques with their grids, and one budget."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from regjax.averaging import ema
from regjax.catalog import COMBINATION, TECHNIQUES
from regjax.comparison.data_defaults import batch_size_of
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.comparison.techniques import Technique
from regjax.penalties import group_lasso
from regjax.penalties.constraints import max_norm

UPDATES = 400
"""Updates of every run, rounded up to whole passes over the training examples."""
SEED = 1_000
"""The first seed of splits and runs; the splits that earlier measurements have seen begin at 0."""
RUNS = 10
"""Runs of each setting, each on a split of its own."""
METRICS = {"classification": "log_loss", "regression": "rmse"}
"""By which settings are chosen on validation: that of the outcome, so that what is chosen is what is judged."""
AUGMENTATIONS = {"image": None, "table": "noise=0.4"}
"""At strength 1; None is the default of images, shifts, rotations and noise."""

GRIDS: dict[str, tuple[float, ...]] = {
    "early_stopping": (),
    "l2": (1e-4, 1e-3, 1e-2, 1e-1),
    "decoupled": (0.1, 0.5, 2.0, 8.0),
    "l1": (5e-4, 2e-3, 1e-2, 5e-2),
    "dropout": (0.2, 0.4, 0.6, 0.8),
    "augmentation": (0.25, 0.5, 1.0, 2.0),
    "mixup": (0.1, 0.3, 1.0, 3.0),
    "sam": (0.02, 0.05, 0.1, 0.2),
    "label_smoothing": (0.05, 0.1, 0.2, 0.4),
}
"""Techniques of the catalogue: four strengths each, but for early stopping, which has none."""
COMBINED = ("early_stopping", "decoupled", "dropout", "augmentation")
"""What the combination may consist of: one of each kind, so that its parts do not do the same thing twice."""


def own_techniques() -> list[Technique]:
    """The techniques that are not in the catalogue: a group lasso, a constraint and an average of weights."""
    return [
        Technique(
            "group_lasso", "group lasso of inputs", "strength", (2e-3, 1e-2, 5e-2, 2e-1),
            lambda s: {"penalties": {"proximal": group_lasso(s, axis="in")}}, combines=False,
        ),
        Technique(
            "max_norm", "max norm", "inverse norm", (0.5, 1.0, 2.0, 4.0),
            lambda c: {"constraint": max_norm(1.0 / c)}, combines=False,
        ),
        Technique(
            "ema", "average of weights (EMA)", "decay", (0.9, 0.97, 0.99, 0.997),
            lambda decay: {"average": ema(decay)}, combines=False,
        ),
    ]  # fmt: skip


def techniques(task: str) -> list[str | Technique]:
    """The techniques for a task, with the grids above; label smoothing is for classes only."""
    names = {name: grid for name, grid in GRIDS.items() if name != "label_smoothing" or task == "classification"}
    made, _ = resolve(names, TechniqueContext(1, 1, task=task))
    known = [dataclasses.replace(one, combines=one.name in COMBINED) for one in made]
    return [*known, *own_techniques(), COMBINATION]


def options(task: str, kind: str, train_examples: int, updates: int, runs: int) -> dict[str, Any]:
    """Options of the comparison on a data set with so many training examples."""
    batch = 16 if train_examples < 256 else batch_size_of(None, train_examples)
    return {
        "batch_size": batch,
        "epochs": math.ceil(updates / math.ceil(train_examples / batch)),
        "seeds": runs,
        "splits": runs,
        "seed": SEED,
        "split_seed": SEED,
        "metric": METRICS[task],
        "augmentation": AUGMENTATIONS[kind],
    }


def strongest_settings() -> dict[str, float]:
    """The last value of each grid; early stopping has none."""
    last = {one.name: one.values[-1] for one in techniques("classification") if isinstance(one, Technique)}
    return {name: value for name, value in last.items() if name != "early_stopping"} | {
        COMBINATION: TECHNIQUES[COMBINATION].grid[-1]
    }


def described() -> dict[str, Any]:
    """The protocol in the record: budget, and the grid of each technique."""
    made = [one for one in techniques("classification") if isinstance(one, Technique)]
    return {
        "updates": UPDATES,
        "runs": RUNS,
        "seed": SEED,
        "metrics": METRICS,
        "combined": list(COMBINED),
        "grids": {one.name: {"title": one.title, "parameter": one.parameter, "values": one.values} for one in made},
    }
