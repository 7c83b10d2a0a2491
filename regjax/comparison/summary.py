"""Summarizes the runs of one row of a comparison: spreads over seeds, diagnosis, curves, calibration and weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from regjax.analysis import (
    Interval,
    brier_score,
    diagnose,
    expected_calibration_error,
    log_loss,
    mean_interval,
    reliability_curve,
)
from regjax.analysis.weights import params_sha256, share_of_zeros, zero_fraction
from regjax.catalog import METRICS
from regjax.comparison.layout import Layout
from regjax.comparison.row import Calibration, GridPoint, Spread, TechniqueResult, spread
from regjax.comparison.scoring import Chance, Evaluation
from regjax.comparison.techniques import Technique
from regjax.comparison.train import diverged as lost
from regjax.core.tree import weight_leaves
from regjax.core.typing import Json, PyTree, Value
from regjax.training.evaluate import SCORE
from regjax.training.run import RunResult

LOSS_RANGE = (0.0, math.inf)  # of both data losses
SMALL = 1e-3  # a weight below this is "small" in the histogram


def calibration_of(probabilities: np.ndarray, y: np.ndarray) -> Calibration:
    """Summarize the calibration of several runs.

    Args:
      probabilities: of the test examples of each run, `[runs, N, K]`.
      y: their labels, `int[runs, N]`.
    """
    runs = list(zip(probabilities, y, strict=True))
    curve = reliability_curve(np.concatenate(probabilities), np.concatenate(y))
    return Calibration(
        ece=spread_of([expected_calibration_error(*run) for run in runs], (0.0, 1.0)),
        brier=spread_of([brier_score(*run) for run in runs], (0.0, 2.0)),
        log_loss=spread_of([log_loss(*run) for run in runs], LOSS_RANGE),
        reliability={name: column.round(6).tolist() for name, column in curve._asdict().items()},
    )


def spread_of(values: Sequence[float], limits: tuple[float, float] = (-math.inf, math.inf)) -> Spread:
    """Make a `Spread` with the mean and confidence interval of values over seeds, within what is possible."""
    return spread(values, within(mean_interval(values), limits))


def within(interval: Interval, limits: tuple[float, float]) -> Interval:
    """Return the interval with its ends clipped: Student's t does not know that an accuracy ends at 0 and 1."""
    low, high = (min(max(end, limits[0]), limits[1]) if math.isfinite(end) else end for end in interval[1:])
    return Interval(interval.mean, low, high)


def diagnose_all(
    results: Sequence[RunResult], chance_loss: float, n_val: Sequence[int], n_train: int | None = None
) -> dict[str, Json]:
    """Return the diagnosis of most of the baseline runs, and the diagnosis of each run.

    The verdict is that of more than half of the runs, and without one `"undecided"`. The median onset is the lower one
    of the runs that show a rise, an epoch of one of them; None if they are fewer than half. `generalization_losses` has
    how far validation rose in each of these runs, and None of the others; `generalization_loss` is their lower median.
    The gaps are means over all runs, and so is the last training loss as a share of that of a constant guess. `n_val`
    has the number of independent validation examples of each run, and `n_train` is that of training examples.
    """
    each = [
        diagnose(result.history, chance_loss=chance_loss, n_val=own, n_train=n_train)
        for result, own in zip(results, n_val, strict=True)
    ]
    names = [d.verdict for d in each]
    verdicts = {name: names.count(name) for name in sorted(set(names))}
    most = max(verdicts, key=lambda name: verdicts[name])
    verdict = most if 2 * verdicts[most] > len(each) else "undecided"
    onsets = [d.onset_epoch for d in each]
    losses = [None if d.onset_epoch is None else d.generalization_loss for d in each]
    shown = len(each) - onsets.count(None)
    ends = [at_end(result, "train/data_loss", math.nan) for result in results]
    shares = [end / chance_loss for end in ends] if chance_loss > 0 else []
    typical = next((d for d in each if d.verdict == verdict), each[0])
    return {
        "verdict": verdict,
        "verdicts": verdicts,
        "onset_epochs": onsets,
        "median_onset": _lower_median(onsets) if 2 * shown >= len(each) else None,
        "generalization_loss": _lower_median(losses),
        "generalization_losses": losses,
        "generalization_gap": _mean_of([d.generalization_gap for d in each]),
        "metric_gap": _mean_of([d.metric_gap for d in each]),
        "training_loss_share": _mean_of(shares),
        "evidence": [f"run {each.index(typical) + 1} of {len(each)}: {text}" for text in typical.evidence],
    }


def _lower_median(values: Sequence[float | None]) -> float | None:
    """The lower median of the values that are not None, one of them; None if there are none."""
    known = sorted(value for value in values if value is not None)
    return known[(len(known) - 1) // 2] if known else None


def _mean_of(values: Sequence[float | None]) -> float:
    """The mean of those that there are; NaN if there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def summarize_row(
    technique: Technique,
    chosen: dict[str, Json],
    grid: tuple[GridPoint, ...],
    results: Sequence[RunResult],
    tests: Sequence[Evaluation],
    layout: Layout,
    task: str,
    metric: str,
    *,
    train: Sequence[float],
    chance: Chance,
    mse_unit: float | None,
    diverged: int,
    lanes: int,
    seconds: float,
    flags: Sequence[Mapping[str, Value]] | None,
) -> TechniqueResult:
    """Summarize one row of the comparison, without its paired statistics."""
    sign, limits = METRICS[metric].sign, METRICS[metric].limits
    reaches = [run.reach for run in tests]
    of_score = within(layout.interval([sign * run.scores for run in tests], reaches), limits)
    of_loss = within(layout.interval([run.losses for run in tests]), LOSS_RANGE)
    test = [sign * evaluation.score for evaluation in tests]
    loss = [evaluation.loss for evaluation in tests]
    return TechniqueResult(
        name=technique.name,
        title=technique.title,
        chosen=chosen,
        grid=grid,
        test=spread(test, of_score),
        test_loss=spread(loss, of_loss),
        test_mse=None if mse_unit is None or task != "regression" else _own_unit(tests, layout, mse_unit),
        train=spread_of(train, limits),
        train_loss=spread_of(
            [chance.loss if lost(result) else at_end(result, "train/data_loss", chance.loss) for result in results],
            LOSS_RANGE,
        ),
        generalization_gap=spread_of([sign * (a - b) for a, b in zip(train, test, strict=True)]),
        improvement=None,
        loss_improvement=None,
        zero_fraction=float(np.mean([zero_fraction(result.weights.params) for result in results])),
        epochs=spread_of([float(result.epochs) for result in results]),
        diverged=diverged,
        lanes=lanes,
        seconds=seconds,
        curves=_curves(results, SCORE[task]),
        weights=_histogram(results),
        kept_epochs=tuple(int(result.end_epoch) + 1 for result in results),
        params_sha256=tuple(params_sha256(result.weights.params) for result in results),
        flags=None if flags is None else tuple(dict(of_run) for of_run in flags),
    )


def _own_unit(tests: Sequence[Evaluation], layout: Layout, unit: float) -> Spread:
    """The mean squared error over runs; `unit` converts it to the units of the target."""
    interval = within(layout.interval([run.squares for run in tests]), LOSS_RANGE)
    return spread([float(run.squares.mean()) * unit for run in tests], Interval(*(end * unit for end in interval)))


def at_end(result: RunResult, column: str, otherwise: float) -> float:
    """Return a column of the history at the epoch of the final weights; `otherwise` if it is not finite."""
    values = result.history.values[column]
    rows = np.flatnonzero(result.history.valid)
    value = float(values[int(result.end_epoch)]) if rows.size else math.nan
    return value if math.isfinite(value) else otherwise


def in_unit(result: RunResult, unit: float) -> RunResult:
    """Return the result with the losses of its history times `unit`, so that the losses of all runs have one unit."""
    if unit == 1.0:
        return result
    names = result.history.names
    factors = np.where(np.isin(names, ("train/data_loss", "val/loss")), unit, 1.0)
    return result._replace(history=dataclasses.replace(result.history, table=result.history.table * factors))


def _weight_values(params: PyTree) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in weight_leaves(params)])


def _histogram(results: Sequence[RunResult], bins: int = 60) -> dict[str, Json]:
    """Return a histogram of the penalizable weights of all seeds; exact zeros are counted separately."""
    values = np.concatenate([_weight_values(result.weights.params) for result in results]).astype(np.float64)
    values = values[np.isfinite(values)]
    nonzero = values[values != 0]
    reach = float(np.quantile(np.abs(nonzero), 0.999)) if nonzero.size else 1.0
    counts, edges = np.histogram(np.clip(nonzero, -reach, reach), bins=bins, range=(-reach, reach))
    total = max(values.size, 1)
    return {
        "edges": [round(float(edge), 6) for edge in edges],
        "counts": counts.tolist(),
        "zero_fraction": share_of_zeros(values),
        "small_fraction": float((np.abs(nonzero) < SMALL).sum() / total),
    }


def _curves(results: Sequence[RunResult], metric: str, points: int = 200) -> dict[str, Json]:
    """Return means and 95% intervals over the runs, for at most `points` epochs.

    A run that has stopped counts on with its last values: a mean over those that still run would change with which they
    are, and stopping takes those whose loss rises first.
    """
    columns = {
        "train_loss": "train/data_loss",
        "val_loss": "val/loss",
        "train_score": f"train/{metric}",
        "val_score": f"val/{metric}",
    }
    valid = np.stack([result.history.valid for result in results])
    last = int(valid.any(axis=0).sum())
    epochs = np.unique(np.linspace(0, last - 1, min(points, last)).round().astype(int)) if last else np.array([], int)
    # The row of the history that a run has at each epoch: its own, or its last.
    rows = np.minimum(epochs, np.maximum(valid.sum(axis=1, keepdims=True) - 1, 0))
    started = valid.any(axis=1)
    out: dict[str, Json] = {"epoch": epochs.tolist(), "runs": valid[:, epochs].sum(axis=0).tolist()}
    for name, column in columns.items():
        table = np.take_along_axis(np.stack([result.history.values[column] for result in results]), rows, axis=1)
        counted = [values[started & np.isfinite(values)] for values in table.T]
        limits = LOSS_RANGE if name.endswith("loss") else METRICS[metric].limits
        intervals = [within(mean_interval(values), limits) if values.size else None for values in counted]
        out[name] = {
            part: [None if i is None else float(f"{getattr(i, part):.5g}") for i in intervals]
            for part in ("mean", "low", "high")
        }
    return out
