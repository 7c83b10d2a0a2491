"""Numbers as text for readers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from regjax.catalog import DEFAULT_LOSS, LOSSES, METRICS, SCORE, DataLoss

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
LARGE = 1e6  # from which on a number has an exponent instead of all of its digits


def finite(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number; None, NaN and text are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fixed(value: Any, digits: int, *, signed: bool = False) -> str:
    """A number with a fixed number of decimals and a proper minus sign; a dash if it is not finite.

    From a million on, as of a loss that explodes, it has three digits and an exponent.

    Example:
      >>> fixed(0.125, 2), fixed(3.0, 1, signed=True), fixed(None, 2), fixed(1e33, 3)
      ('0.12', '+3.0', '–', '1e+33')
    """
    if not finite(value):
        return NONE
    text = f"{value:.3g}" if abs(value) >= LARGE else f"{value:.{digits}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return ("+" if signed and value > 0 else "") + text.replace("-", MINUS)


def plain(value: Any) -> str:
    """A number in short form: `0.02`, `1e-05`, `1,024`.

    Example:
      >>> plain(0.02), plain(1024), plain(1024.0), plain("elu")
      ('0.02', '1,024', '1,024', 'elu')
    """
    if not finite(value):
        return NONE if value is None else str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", MINUS)
    return f"{value:.4g}".replace("-", MINUS) if abs(value) >= 1e-4 else f"{value:.4g}"


def p_value(value: Any) -> str:
    """A p-value; a dash if there is none.

    Example:
      >>> p_value(0.0421), p_value(0.0002), p_value(None)
      ('0.042', '<0.001', '–')
    """
    if not finite(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def listing(items: Sequence[str]) -> str:
    """Items as an enumeration.

    Example:
      >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])
      ('a', 'a and b', 'a, b and c')
    """
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def count(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
      >>> count(1, "seed"), count(10, "seed")
      ('1 seed', '10 seeds')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration(seconds: Any) -> str:
    """A duration in suitable units.

    Example:
      >>> duration(42.3), duration(150), duration(7260)
      ('42 s', '2 min 30 s', '2 h 1 min')
    """
    if not finite(seconds):
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def ends(interval: Any) -> tuple[float, float] | None:
    """The two ends of an interval; None if they are missing."""
    if interval is None or len(interval) != 2 or not all(finite(end) for end in interval):
        return None
    return float(interval[0]), float(interval[1])


def loss_of(results: Mapping[str, Any]) -> DataLoss:
    """The record of the data loss of a results file; those of earlier versions have the default of the task.

    Example:
      >>> loss_of({"task": "regression"}).title, loss_of({"loss": {"name": "mae"}}).title
      ('MSE', 'MAE')
    """
    settings = results.get("settings")  # of a comparison; those of a sweep are a list of points
    named = results.get("loss") or (settings.get("loss") if isinstance(settings, Mapping) else None) or {}
    return LOSSES[named.get("name") or DEFAULT_LOSS[task_of(results)]]


def task_of(results: Mapping[str, Any]) -> str:
    """The task of a results file; in those of earlier versions, the metric tells it.

    Example:
      >>> task_of({"metric": "r2"}), task_of({"metric": "accuracy", "task": "multilabel"})
      ('regression', 'multilabel')
    """
    metric = METRICS.get(str(results.get("metric", "")))
    return str(results.get("task") or (metric.task if metric else "classification"))


@dataclasses.dataclass(frozen=True)
class Measure:
    """The name and format of the headline metric.

    Attributes:
      name: name in sentences: `"accuracy"`, `"R²"`.
      scale: factor that multiplies values.
      digits: number of decimals.
      unit: unit of values, with a leading space: `" %"` or empty.
      step: unit of differences: `" points"` or empty.
      loss: name of the loss.
      higher: whether a higher value is better.
      loss_digits: number of decimals of losses.
    """

    name: str
    scale: float
    digits: int
    unit: str
    step: str
    loss: str
    higher: bool = True
    loss_digits: int = 3

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Measure:
        """The measure of a results file: percent for fractions, otherwise four digits of the baseline's value."""
        name = str(results.get("metric", "accuracy"))
        loss = loss_of(results).title
        metric, baseline = METRICS.get(name), results.get("baseline") or {}
        of_loss = max(_digits(baseline.get("test_loss"), 3), 3)
        if metric is None:
            return cls(name, 1.0, 3, "", "", loss, loss_digits=of_loss)
        title = metric.title_in(task_of(results))
        if metric.percent:
            return cls(title, 100.0, 1, " %", " points", loss, loss_digits=of_loss)
        digits = 3 if metric.higher else _digits(baseline.get("test"), 4)
        return cls(title, 1.0, digits, "", "", loss, metric.higher, of_loss)

    @classmethod
    def of_training(cls, results: Mapping[str, Any]) -> Measure:
        """The measure of the curves of training, which is the first one of the task."""
        metric = SCORE[loss_of(results).task]
        return cls.of({**{name: results.get(name) for name in ("task", "loss", "settings")}, "metric": metric})

    @property
    def better(self) -> str:
        """Where better values are: `"higher"` or `"lower"`."""
        return "higher" if self.higher else "lower"

    @property
    def best(self) -> str:
        """Which value is best."""
        return "highest" if self.higher else "lowest"

    @property
    def worse(self) -> str:
        """Where worse values are."""
        return "lower" if self.higher else "higher"

    def value(self, number: Any) -> str:
        """A value without its unit."""
        return fixed(number * self.scale, self.digits) if finite(number) else NONE

    def change(self, improvement: Any) -> str:
        """The change of the value by an improvement, with its sign and without its unit: below 0 where less is better.

        Example:
          >>> Measure.of({"metric": "rmse", "baseline": {"test": {"mean": 52.0}}}).change(-1.5)
          '+1.50'
        """
        factor = self.scale if self.higher else -self.scale
        return fixed(improvement * factor, self.digits, signed=True) if finite(improvement) else NONE

    def loss_value(self, number: Any, *, signed: bool = False) -> str:
        """A loss, or a difference of losses."""
        return fixed(number, self.loss_digits, signed=signed)

    def loss_change(self, improvement: Any) -> str:
        """The change of the loss by an improvement, with its sign: below 0 is better.

        Example:
          >>> Measure.of({}).loss_change(0.05), Measure.of({}).loss_changes([0.03, 0.07])
          ('−0.050', '−0.070 to −0.030')
        """
        return fixed(-improvement, self.loss_digits, signed=True) if finite(improvement) else NONE

    def loss_changes(self, interval: Any) -> str:
        """An interval of improvements of the loss as changes, like `loss_change`; empty if its ends are missing."""
        pair = ends(interval)
        return span(pair and (-pair[1], -pair[0]), digits=self.loss_digits, signed=True)

    def range(self, interval: Any) -> str:
        """An interval of values as `79.1 to 82.7`; empty if its ends are missing."""
        return span(interval, self.scale, self.digits)

    def changes(self, interval: Any) -> str:
        """An interval of improvements as changes, like `change`; empty if its ends are missing."""
        pair = ends(interval)
        if pair is not None and not self.higher:
            pair = -pair[1], -pair[0]
        return span(pair, self.scale, self.digits, signed=True)


def _digits(spread: Any, significant: int) -> int:
    """The decimals that show so many significant digits of the mean of a spread; 3 if it is not known."""
    mean = (spread or {}).get("mean")
    return min(max(significant - 1 - math.floor(math.log10(mean)), 0), 9) if finite(mean) and mean > 0 else 3


def span(interval: Any, scale: float = 1.0, digits: int = 3, *, signed: bool = False) -> str:
    """An interval in words; empty if its ends are missing.

    Example:
      >>> span([0.1, 0.25], digits=2), span([None, None])
      ('0.10 to 0.25', '')
    """
    pair = ends(interval)
    if pair is None:
        return ""
    return " to ".join(fixed(end * scale, digits, signed=signed) for end in pair)


def slug(name: str) -> str:
    """A name in a form that is valid in an HTML id; different names give different slugs."""
    return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" if c != "_" else "_" for c in str(name))
