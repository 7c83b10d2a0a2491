"""Diagnosis of a training history: how well it fits, how well that carries over, and what its course was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from regjax.analysis.curves import FEWEST_EPOCHS, Rise, level_at_end, relative_noise, rise_at_end, without_spikes
from regjax.analysis.gaps import gap_interval, highest_loss, least_rise, lowest_loss
from regjax.core.checks import check_range
from regjax.core.errors import InputError
from regjax.core.typing import ArrayLike

Columns = Mapping[str, Sequence[float]] | Mapping[str, np.ndarray]

VERDICTS = ("underfit", "correct_fit", "overfit", "diverged", "undecided")
NOISY = 0.05
"""Relative noise of the validation loss from which a course is called noisy."""
_STEP = 0.02  # a loss that falls by less than this share from one tenth of the run to the last has stopped falling


class Diagnosis(NamedTuple):
    """The verdict on a run, on three axes, with the numbers behind it.

    Attributes:
      verdict: one of `VERDICTS`: `"diverged"` if the course is; else `"overfit"` if generalization is; else
        `"underfit"` if the fit is; else `"undecided"` if generalization is; else `"correct_fit"`.
      fit: `"underfit"`, `"adequate"`, or `"undecided"` for fewer than 5 epochs without a `chance_loss`.
      generalization: `"overfit"`, `"none_shown"` or `"undecided"`.
      course: `"stable"`, `"noisy"`, `"too_short"` (few epochs, or losses still falling) or `"diverged"`.
      generalization_gap: validation loss minus training data loss over the last tenth of the run.
      metric_gap: training minus validation accuracy (or R2) there; None without such a metric.
      metric_gap_interval: 95% interval of `metric_gap`, for another draw of the examples; None unless the size of the
        validation set is given.
      onset_epoch: the epoch from which on the validation loss rose; None if no rise is shown.
      onset_interval: the first and the last epoch that may be that one, at 95%.
      generalization_loss: how far validation ended above its lowest loss, in percent of that loss; None for fewer than
        5 epochs. If that loss is near 0 or below, in percent of a quarter of what validation had gained.
      rise_interval: 95% interval of `generalization_loss`.
      noise: of the validation loss from epoch to epoch, as a share of its level; None for fewer than 5 epochs.
      evidence: the numbers, in sentences.
    """

    verdict: str
    fit: str
    generalization: str
    course: str
    generalization_gap: float
    metric_gap: float | None
    metric_gap_interval: tuple[float, float] | None
    onset_epoch: int | None
    onset_interval: tuple[int, int] | None
    generalization_loss: float | None
    rise_interval: tuple[float, float] | None
    noise: float | None
    evidence: tuple[str, ...]


class HasHistory(Protocol):
    """What `diagnose` reads of a `rj.History`."""

    @property
    def values(self) -> Mapping[str, ArrayLike]:
        """Each column by its name, `[epochs]`."""

    @property
    def valid(self) -> ArrayLike:
        """Which epochs took place, `bool[epochs]`."""


def diagnose(
    history: Columns | HasHistory,
    *,
    chance_loss: float | None = None,
    n_val: int | None = None,
    n_train: int | None = None,
    max_gap: float = 0.05,
    max_rise: float = 10.0,
    underfit_share: float = 0.5,
) -> Diagnosis:
    """Diagnose a run by how well it fits, how well that carries over, and what its course was.

    `E_tr` is the training data loss and `E_va` the validation loss of each epoch (evaluation mode, clean data, no
    penalties). Levels at the end are medians of the last tenth; single spikes are cut.

    - diverged: losses that stop being finite, or a training loss that ends above 1.5 times both its start and what a
      constant guess achieves.
    - overfit, if any of these is shown and large enough to matter:
      `E_va` rose above its lowest point (`regjax.analysis.curves.rise_at_end`: the 95% interval of the rise excludes 0,
      the rise is more than `max_rise` percent and more than `n_val` examples can explain) while `E_tr` did not rise;
      training accuracy (R2) exceeds validation accuracy by more than `max_gap` and its interval excludes 0, while
      `E_va > E_tr`; without `n_val` a gap has no interval, and shows nothing;
      less than half of what training gained over a constant guess carries over to validation, beyond what noise and
      `n_val` examples can explain; with neither `chance_loss` nor a metric, less than a quarter of what training gained
      since the first epoch, if it more than halved its loss.
    - undecided: a rise, gap or share that would matter and is not shown; or too little to go by: a single epoch, or
      fewer than 5 and no accuracy.
    - underfit: the training loss ends above `underfit_share` of what a constant guess achieves; where that is not
      positive, not below it.
    - correct fit: none of these.

    Args:
      history: columns by name, as in `metrics.jsonl`: `train/data_loss`, `val/loss` and, optionally, `train/accuracy`
        with `val/accuracy` (or `r2`); or a `rj.History`. Means over seeds are fine, and losses may be negative.
      chance_loss: loss of a constant guess: `log K` for K balanced classes, the variance of y for mse. Give it if you
        can: None takes the training loss of the first epochs, where a fast model has learned much already.
      n_val: number of validation examples; of groups that belong together, the number of groups. None leaves out what
        another draw of them could change, and takes no gap of the metric as shown.
      n_train: number of training examples of the training columns; None is at least as many as `n_val`.
      max_gap: largest accuracy gap that is still a correct fit.
      max_rise: how far above its lowest point the validation loss may end, in percent.
      underfit_share: a training loss above this share of `chance_loss` counts as underfit.

    Returns:
      A `Diagnosis`. How often it is right is in `experiments/records/diagnosis.json`.

    Raises:
      InputError: a column is missing, or the lengths differ.

    Example:
      >>> t = np.arange(40)
      >>> train, val = np.exp(-t / 8), 0.6 + np.exp(-t / 4) + 0.02 * np.maximum(t - 15, 0)
      >>> result = diagnose({"train/data_loss": train, "val/loss": val})
      >>> result.verdict, result.course, 10 < result.onset_epoch < 20
      ('overfit', 'stable', True)

    Reference:
      Prechelt, Early stopping - but when?, 1998 (GL).
    """
    check_range("diagnose: max_gap", max_gap, 0.0)
    check_range("diagnose: max_rise", max_rise, 0.0)
    if n_val is not None:
        check_range("diagnose: n_val", n_val, 1)
    if n_train is not None:
        check_range("diagnose: n_train", n_train, 1)
    columns = _columns(history)
    train, val = _column(columns, "train/data_loss"), _column(columns, "val/loss")
    if len(train) != len(val):
        raise InputError(f"history: train/data_loss has {len(train)} epochs and val/loss {len(val)}")
    finite = np.isfinite(train) & np.isfinite(val)
    epochs = np.flatnonzero(finite)
    if not epochs.size or not finite[-1]:
        return _not_finite(len(train), epochs)
    train, val = without_spikes(train[finite]), without_spikes(val[finite])

    rise, chance = rise_at_end(val), float(np.median(train[:3])) if chance_loss is None else chance_loss
    end, val_end = level_at_end(train)[0], level_at_end(val)[0]
    gap = _metric_gap(columns, epochs, n_val, n_train or n_val)
    evidence = [f"training loss {end:.3g} and validation loss {val_end:.3g} at the end of {len(train)} epochs"]
    unit = _unit(val, rise)
    squares = gap is None or gap.name == "r2"
    least = least_rise(rise.lowest, n_val, squares) if rise else 0.0
    rising = _rise_sign(train, rise, unit, max_rise, epochs, least)
    # Without a constant guess to compare with, a metric says more than where the losses began.
    shared = (
        _share_sign(train, val, chance_loss, n_val, n_train) if chance_loss is not None or (rise and not gap) else None
    )
    signs = [sign for sign in (rising, _gap_sign(gap, val_end - end, max_gap), shared) if sign is not None]
    evidence += [sign.text for sign in signs if sign.text]
    risen = rising is not None and rising.matters and rising.shown
    if any(sign.matters and sign.shown for sign in signs):
        generalization = "overfit"
    elif any(sign.matters for sign in signs) or (rise is None and gap is None) or len(train) == 1:
        generalization = "undecided"
    else:
        generalization = "none_shown"
    fit_known = chance_loss is not None or len(train) >= FEWEST_EPOCHS
    underfit = fit_known and end > (underfit_share * chance if chance > 0 else chance)
    if underfit:
        evidence.append(f"training loss is above {underfit_share:g} of a constant guess ({chance:.3g})")
    noise = relative_noise(val)
    course = _course(train, val, noise, chance)
    if course == "diverged":
        evidence.append(f"training loss rose from {train[0]:.3g} to {end:.3g}")
    return Diagnosis(
        verdict=_verdict(course, generalization, underfit),
        fit="underfit" if underfit else "adequate" if fit_known else "undecided",
        generalization=generalization,
        course=course,
        generalization_gap=val_end - end,
        metric_gap=None if gap is None else gap.size,
        metric_gap_interval=None if gap is None else gap.interval,
        onset_epoch=int(epochs[rise.onset]) if risen and rise else None,
        onset_interval=(int(epochs[rise.onset_low]), int(epochs[rise.onset_high])) if risen and rise else None,
        generalization_loss=None if rise is None else 100.0 * rise.size / unit,
        rise_interval=None if rise is None else (100.0 * rise.low / unit, 100.0 * rise.high / unit),
        noise=None if math.isnan(noise) else noise,
        evidence=tuple(evidence),
    )


class _Sign(NamedTuple):
    """A sign of overfitting: whether it is large enough to matter, and whether it is more than noise."""

    matters: bool
    shown: bool
    text: str


class _MetricGap(NamedTuple):
    name: str
    size: float
    interval: tuple[float, float] | None


def _rise_sign(
    train: np.ndarray, rise: Rise | None, unit: float, max_rise: float, epochs: np.ndarray, least: float
) -> _Sign | None:
    """Validation ended above its lowest loss, by more than `least`, while training did not rise."""
    if rise is None:
        return None
    percent, low, high = (100.0 * value / unit for value in (rise.size, rise.low, rise.high))
    text = (
        f"validation loss was lowest, {rise.lowest:.3g}, up to about epoch {epochs[rise.onset]} and ended "
        f"{_number(percent, 0)}% above that{_interval(low, high, 0, '%')}"
    )
    return _Sign(percent > max_rise and not _training_rose(train, rise), low > 0 and rise.size > least, text)


def _gap_sign(gap: _MetricGap | None, loss_gap: float, max_gap: float) -> _Sign | None:
    """Training does better than validation by the metric, and by the loss."""
    if gap is None:
        return None
    within = "" if gap.interval is None else _interval(*gap.interval, 3)
    text = f"training {gap.name} exceeds validation {gap.name} by {_number(gap.size, 3)}{within}"
    return _Sign(gap.size > max_gap and loss_gap > 0, gap.interval is not None and gap.interval[0] > 0, text)


def _share_sign(
    train: np.ndarray, val: np.ndarray, chance: float | None, n_val: int | None, n_train: int | None
) -> _Sign | None:
    """Less than half of what training gained over a constant guess carries over to validation.

    Where a constant guess is unknown, it is less than a quarter of what training gained since the first epoch, if that
    is more than half of its loss. What both gained before, and how much of it carried over, is not known.
    """
    end, (val_end, error) = level_at_end(train)[0], level_at_end(val)
    begin = val_begin = chance
    least, since = 0.5, "over a constant guess"
    if begin is None or val_begin is None:
        begin, val_begin, least, since = float(train[0]), float(np.median(val[:3])), 0.25, "since the first epoch"
        if begin <= 0 or end > 0.5 * begin:
            return None
        error = math.hypot(error, 1.25 * relative_noise(val) * abs(val_begin) / math.sqrt(3))
    gained = begin - end
    if gained <= 0:
        return None
    share = (val_begin - val_end) / gained
    matters = share < least
    part = f"{100 * share:.0f}%" if share > 0 else "nothing"
    text = f"of what training gained {since}, {part} carries over" if matters else ""
    margin = math.hypot(1.96 * error, val_end - lowest_loss(val_end, n_val), highest_loss(end, n_train) - end)
    return _Sign(matters, share + margin / gained < least, text)


def _interval(low: float, high: float, digits: int, unit: str = "") -> str:
    """A 95% interval in brackets, with one digit more where its ends look alike, and nothing if they still do."""
    for more in (digits, digits + 1):
        ends = _number(low, more), _number(high, more)
        if ends[0] != ends[1]:
            return f" (95% interval {ends[0]} to {ends[1]}{unit})"
    return ""


def _number(value: float, digits: int) -> str:
    """A number with fixed decimals, or an exponent if it is large; no negative zero."""
    text = f"{value:.3g}" if abs(value) >= 1e6 else f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _verdict(course: str, generalization: str, underfit: bool) -> str:
    if course == "diverged":
        return "diverged"
    if generalization == "overfit":
        return "overfit"
    if underfit:
        return "underfit"
    return "undecided" if generalization == "undecided" else "correct_fit"


def _not_finite(total: int, epochs: np.ndarray) -> Diagnosis:
    """Of a run that ends in losses which are not finite."""
    text = "no epoch has a finite loss"
    if epochs.size:
        text = f"losses are finite up to epoch {epochs[-1]}, and not at the last epoch, {total - 1}"
    return Diagnosis(
        "diverged", "underfit", "undecided", "diverged", math.nan, None, None, None, None, None, None, None, (text,)
    )


def _unit(val: np.ndarray, rise: Rise | None) -> float:
    """What a rise is a share of: the lowest loss; where that is near 0 or below, a quarter of what was gained."""
    if rise is None:
        return 1.0
    gained = max(float(np.median(val[:3])) - rise.lowest, 0.0)
    return max(rise.lowest, 0.25 * gained, 1e-12)


def _training_rose(train: np.ndarray, rise: Rise) -> bool:
    """Whether the training loss, too, ended above where it was when validation was lowest."""
    around = train[max(rise.lowest_epoch - rise.window // 2, 0) : rise.lowest_epoch + rise.window // 2 + 1]
    then, end = float(np.median(around)), float(np.median(train[-rise.window :]))
    error = 1.25 * relative_noise(train) * abs(end) * math.sqrt(2.0 / rise.window)
    return end - then > max(3.0 * error, 0.05 * abs(then))


def _course(train: np.ndarray, val: np.ndarray, noise: float, chance: float) -> str:
    start, end = float(np.median(train[:3])), level_at_end(train)[0]
    if end > 1.5 * max(chance, start, 0.0) and end > start:
        return "diverged"
    if len(val) < FEWEST_EPOCHS or (_still_falls(train) and _still_falls(val)):
        return "too_short"
    return "noisy" if noise > NOISY else "stable"


def _still_falls(curve: np.ndarray) -> bool:
    """Whether the last tenth lies below the tenth before it, by more than the noise and by more than 2%."""
    window = max(len(curve) // 10, 2)
    before, last = float(np.median(curve[-2 * window : -window])), float(np.median(curve[-window:]))
    noise = relative_noise(curve)
    error = 1.25 * noise * abs(last) * math.sqrt(2.0 / window)
    return before - last > max(3.0 * error, _STEP * abs(before))


def _columns(
    history: Columns | HasHistory,
) -> Mapping[str, np.ndarray] | Mapping[str, Sequence[float]]:
    if isinstance(history, Mapping):
        return history
    valid = np.asarray(history.valid)
    return {name: np.asarray(column)[valid] for name, column in history.values.items()}


def _column(columns: Columns, name: str) -> np.ndarray:
    if name not in columns:
        raise InputError(f"history: no column {name!r}; there are {', '.join(sorted(columns)) or 'none'}")
    return np.asarray(columns[name], np.float64)


def _metric_gap(columns: Columns, epochs: np.ndarray, n_val: int | None, n_train: int | None) -> _MetricGap | None:
    """The gap over the last tenth, with an interval from the number of validation examples."""
    last = epochs[-max(1, len(epochs) // 10) :]
    for name in ("accuracy", "r2"):
        if f"train/{name}" in columns and f"val/{name}" in columns:
            train, val = (float(np.median(np.asarray(columns[f"{part}/{name}"])[last])) for part in ("train", "val"))
            # The size of the training part is not known; as many examples as in validation is a careful guess.
            interval = None if n_val is None or n_train is None else gap_interval(name, train, val, n_train, n_val)
            return _MetricGap(name, train - val, interval)
    return None
