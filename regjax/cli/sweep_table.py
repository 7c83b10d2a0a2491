"""The table of a sweep: one row for each run, and what its scores are."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import SCORE, default_metric
from regjax.cli import app
from regjax.cli.grid import Point
from regjax.cli.options import RunOptions

if TYPE_CHECKING:
    import numpy as np

    from regjax.cli.sweep_runs import FoldRuns, SeedRuns, SweepRun
    from regjax.training.run import RunResult
    from regjax.training.spec import Spec


Score = Callable[[str, dict[str, float], float], float]
"""From a part, the metrics of an epoch and the loss there to the metric of the sweep."""


def scores_of(config: RunOptions, spec: Spec, runs: SeedRuns | FoldRuns) -> list[Score]:
    """Return the score of each run."""
    from regjax.comparison.explained import least_loss
    from regjax.losses import ChosenLoss

    if default_metric(spec.task, spec.loss) == SCORE[spec.task]:
        return [lambda part, row, loss: row[f"{part}/{SCORE[spec.task]}"]] * len(runs.runs)
    chosen = ChosenLoss(spec.loss, next(iter(config.loss_arguments().values()), None))
    pre = runs.loaded.preprocessor

    def score(y_val: np.ndarray) -> Score:
        targets = {"val": y_val, "train": runs.loaded.splits.y_train}
        least = {part: least_loss(chosen, pre.target_transform(y)) for part, y in targets.items()}
        return lambda part, row, loss: 1.0 - loss / least[part]

    return [score(one.y_val) for one in runs.runs]


def rows_of(
    results: Sequence[RunResult],
    points: Sequence[Point],
    runs: Sequence[SweepRun],
    scores: Sequence[Score],
    units: Sequence[float],
) -> list[dict[str, Any]]:
    """Return one row for each lane.

    Args:
      results: the results of the lanes, the runs of a point one after another.
      points: the points of the sweep.
      runs: the runs of each point.
      scores: the score of each run.
      units: the factor of each lane that gives all losses one unit.
    """
    from regjax.stopping import REASONS

    table = []
    for result, unit, (point, (one, score_of)) in zip(
        results, units, itertools.product(points, list(zip(runs, scores, strict=True))), strict=True
    ):
        end = int(result.end_epoch)
        row, last = (
            {name: float(column[epoch]) for name, column in result.history.values.items()}
            for epoch in (end, max(int(result.epochs) - 1, 0))
        )
        table.append(
            app.without_nan(
                {
                    **point.values,
                    **one.columns,
                    "reference": point.reference,
                    "val_score": score_of("val", row, row["val/loss"] * unit),
                    "val_loss": row["val/loss"] * unit,
                    "train_score": score_of("train", row, row["train/data_loss"] * unit),
                    "train_loss": row["train/data_loss"] * unit,
                    "epochs": int(result.epochs),
                    "best_epoch": int(result.best_epoch),
                    "val_score_last": score_of("val", last, last["val/loss"] * unit),
                    "status": "diverged" if REASONS[int(result.reason)] == "diverged" else "completed",
                }
            )
        )
    return table


def epoch_choice(table: Sequence[dict[str, Any]], *, epochs: int, restore_best: bool) -> dict[str, Any]:
    """Return whether validation chose the epoch that is scored (`"best"`), or decided the last one (`"stopped"`).

    With it goes by how much the scores are above those of the last epochs, a mean over runs; None if nothing is known.
    """
    if not restore_best:
        stopped = any(row["epochs"] < epochs and row["status"] == "completed" for row in table)
        return {"epoch_chosen": "stopped" if stopped else None, "over_last_epoch": None}
    pairs = [(row["val_score"], row["val_score_last"]) for row in table]
    gains = [best - last for best, last in pairs if best is not None and last is not None]
    return {"epoch_chosen": "best", "over_last_epoch": mean_of(gains)}


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table whose rows have the same columns."""
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def loss_entry(config: RunOptions, spec: Spec) -> dict[str, Any]:
    """The data loss and its parameter, None if it has none, as in `results.json`."""
    return {"name": spec.loss, "parameter": next(iter(config.loss_arguments().values()), None)}


def score_in(row: Mapping[str, Any]) -> float:
    """The validation score of a row; NaN if it diverged."""
    return math.nan if row["status"] == "diverged" else number_in(row, "val_score")


def number_in(row: Mapping[str, Any], name: str) -> float:
    """A number of a row; NaN if it is not known."""
    value = row[name]
    return math.nan if value is None else float(value)


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are known; None if none is.

    Example:
      >>> mean_of([1.0, None, 2.0]), mean_of([None])
      (1.5, None)
    """
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def or_none(value: float) -> float | None:
    """The number; None, as JSON has it, if it is not finite."""
    return value if math.isfinite(value) else None
