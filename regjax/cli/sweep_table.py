"""The table of a sweep: one row for each run, and what its scores are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from regjax.catalog import SCORE, default_metric
from regjax.cli import app
from regjax.cli.grid import Point
from regjax.cli.options import RunOptions

if TYPE_CHECKING:
    from regjax.cli.setup import Loaded
    from regjax.training.run import RunResult
    from regjax.training.spec import Spec
    from regjax.training.state import TrainData


def score_of(
    config: RunOptions, spec: Spec, loaded: Loaded, arrays: TrainData
) -> Callable[[str, dict[str, float], float], float]:
    """Return the function from a part, the metrics of an epoch and the loss there to the metric of the sweep."""
    import numpy as np

    from regjax.comparison.explained import least_loss
    from regjax.losses import ChosenLoss

    pre = loaded.preprocessor
    if default_metric(spec.task, spec.loss) == SCORE[spec.task]:
        return lambda part, row, loss: row[f"{part}/{SCORE[spec.task]}"]
    chosen = ChosenLoss(spec.loss, next(iter(config.loss_arguments().values()), None))
    targets = {"val": np.asarray(arrays.y_val), "train": loaded.splits.y_train}
    least = {part: least_loss(chosen, pre.target_transform(y)) for part, y in targets.items()}
    return lambda part, row, loss: 1.0 - loss / least[part]


def rows_of(
    results: Sequence[RunResult],
    points: Sequence[Point],
    seeds: list[int],
    score_of: Callable[[str, dict[str, float], float], float],
    units: Sequence[float],
) -> list[dict[str, Any]]:
    """Return one row for each lane; `units` are the factors that give all losses one unit, `score_of` is of a part."""
    from regjax.stopping import REASONS

    table = []
    for result, unit, (point, seed) in zip(results, units, itertools.product(points, seeds), strict=True):
        end = int(result.end_epoch)
        row, last = (
            {name: float(column[epoch]) for name, column in result.history.values.items()}
            for epoch in (end, max(int(result.epochs) - 1, 0))
        )
        table.append(
            app.without_nan(
                {
                    **point.values,
                    "seed": seed,
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
    return {"epoch_chosen": "best", "over_last_epoch": sum(gains) / len(gains) if gains else None}
