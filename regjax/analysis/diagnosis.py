"""Diagnosis of a training history as underfit, correct fit or overfit, with the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError

VERDICTS = ("underfit", "correct_fit", "overfit")


class Diagnosis(NamedTuple):
    """The verdict on a run, with the numbers behind it.

    Attributes:
      verdict: `"underfit"`, `"correct_fit"` or `"overfit"`.
      generalization_gap: validation loss minus training data loss at the last epoch.
      metric_gap: training minus validation accuracy (or R2) at the last epoch; None without such a metric.
      metric_gap_interval: 95% interval of `metric_gap`; None unless the size of the validation set is given.
      onset_epoch: the epoch of lowest validation loss, at which overfitting begins; None if it does not.
      generalization_loss: `GL = 100 (last / lowest validation loss - 1)`, in percent.
      evidence: the numbers, in sentences.
    """

    verdict: str
    generalization_gap: float
    metric_gap: float | None
    metric_gap_interval: tuple[float, float] | None
    onset_epoch: int | None
    generalization_loss: float
    evidence: tuple[str, ...]


def diagnose(
    history: Mapping[str, Sequence[float]] | Any,
    *,
    chance_loss: float | None = None,
    n_val: int | None = None,
    max_gap: float = 0.05,
    max_rise: float = 10.0,
    underfit_share: float = 0.5,
) -> Diagnosis:
    """Diagnose a run as underfit, correct fit or overfit.

    `E_tr` is the training data loss and `E_va` the validation loss of each epoch (evaluation mode, clean data, no
    penalties):

    - overfit: `E_va` rose by more than `max_rise` percent above its minimum while `E_tr` went on falling; or training
      accuracy (R2) exceeds validation accuracy by more than `max_gap` while `E_va > E_tr`.
    - underfit: otherwise, and the last `E_tr` is above `underfit_share` of what a constant guess achieves.
    - correct fit: otherwise.

    Args:
      history: columns by name, as in `metrics.jsonl`: `train/data_loss`, `val/loss` and, optionally, `train/accuracy`
        with `val/accuracy` (or `r2`); or a `rj.History`.
      chance_loss: loss of a constant guess: `log K` for K balanced classes, the variance of y for mse. None uses
        the training loss of the first epoch.
      n_val: number of validation examples; needed for the interval of the accuracy gap.
      max_gap: largest accuracy gap that is still a correct fit.
      max_rise: how far above its minimum the validation loss may end, in percent.
      underfit_share: a training loss above this share of `chance_loss` counts as underfit.

    Returns:
      A `Diagnosis`.

    Raises:
      InputError: a column is missing, the lengths differ, or no epoch is finite.

    Example:
      >>> train = [2.0, 1.0, 0.5, 0.2, 0.1, 0.05]
      >>> val = [2.1, 1.2, 0.9, 0.8, 0.95, 1.2]
      >>> result = diagnose({"train/data_loss": train, "val/loss": val})
      >>> result.verdict, result.onset_epoch, round(result.generalization_loss)
      ('overfit', 3, 50)

    Reference:
      Prechelt, Early stopping - but when?, 1998 (GL).
    """
    check_range("diagnose: max_gap", max_gap, 0.0)
    check_range("diagnose: max_rise", max_rise, 0.0)
    if n_val is not None:
        check_range("diagnose: n_val", n_val, 1)
    columns = _columns(history)
    train, val = _column(columns, "train/data_loss"), _column(columns, "val/loss")
    if len(train) != len(val):
        raise InputError(f"history: train/data_loss has {len(train)} epochs and val/loss {len(val)}")
    finite = np.isfinite(train) & np.isfinite(val)
    if not finite.any():
        raise InputError("history: no epoch has a finite training and validation loss")
    epochs = np.flatnonzero(finite)
    train, val = train[finite], val[finite]

    lowest = int(np.argmin(val))
    rise = 100.0 * (val[-1] / max(val[lowest], np.finfo(np.float64).tiny) - 1.0)
    fell = train[-1] < train[lowest]
    gap = float(val[-1] - train[-1])
    metric_gap, interval, metric = _metric_gap(columns, int(epochs[-1]), n_val)
    chance = float(train[0]) if chance_loss is None else chance_loss

    evidence = [
        f"training loss {train[-1]:.3f} and validation loss {val[-1]:.3f} at epoch {epochs[-1]}",
        f"validation loss was lowest, {val[lowest]:.3f}, at epoch {epochs[lowest]} and ended {rise:.0f}% above that",
    ]
    if metric_gap is not None:
        evidence.append(f"training {metric} exceeds validation {metric} by {metric_gap:.3f}")
    rises = rise > max_rise and fell
    gapes = metric_gap is not None and metric_gap > max_gap and gap > 0
    if rises or gapes:
        verdict = "overfit"
    elif train[-1] > underfit_share * chance:
        verdict = "underfit"
        evidence.append(f"training loss is above {underfit_share:g} of a constant guess ({chance:.3f})")
    else:
        verdict = "correct_fit"
    onset = int(epochs[lowest]) if rises else None
    return Diagnosis(verdict, gap, metric_gap, interval, onset, float(rise), tuple(evidence))


def _columns(history: Any) -> Mapping[str, Any]:
    if isinstance(history, Mapping):
        return history
    valid = np.asarray(history.valid)
    return {name: np.asarray(column)[valid] for name, column in history.values.items()}


def _column(columns: Mapping[str, Any], name: str) -> np.ndarray:
    if name not in columns:
        raise InputError(f"history: no column {name!r}; there are {', '.join(sorted(columns)) or 'none'}")
    return np.asarray(columns[name], np.float64)


def _metric_gap(
    columns: Mapping[str, Any], epoch: int, n_val: int | None
) -> tuple[float | None, tuple[float, float] | None, str]:
    for name in ("accuracy", "r2"):
        if f"train/{name}" in columns and f"val/{name}" in columns:
            train, val = (float(columns[f"{part}/{name}"][epoch]) for part in ("train", "val"))
            interval = None
            if n_val is not None and name == "accuracy":
                half = 1.96 * math.sqrt(max(val * (1 - val), 0.0) / n_val)
                interval = (train - val - half, train - val + half)
            return train - val, interval, name
    return None, None, ""
