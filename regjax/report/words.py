"""Numbers as text for readers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"


def finite(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number; None, NaN and text are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fixed(value: Any, digits: int, *, signed: bool = False) -> str:
    """A number with a fixed number of decimals and a proper minus sign; a dash if it is not finite.

    Example:
      >>> fixed(0.125, 2), fixed(3.0, 1, signed=True), fixed(None, 2)
      ('0.12', '+3.0', '–')
    """
    if not finite(value):
        return NONE
    text = f"{value:.{digits}f}"
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
    """

    name: str
    scale: float
    digits: int
    unit: str
    step: str
    loss: str

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Measure:
        """The measure of a results file: percent for accuracy, plain numbers for other metrics."""
        metric = str(results.get("metric", "accuracy"))
        regression = results.get("task") == "regression" or metric in ("r2", "mse")
        loss = "MSE" if regression else "loss"
        if metric == "accuracy":
            return cls("accuracy", 100.0, 1, " %", " points", loss)
        return cls({"r2": "R²", "mse": "MSE"}.get(metric, metric), 1.0, 3, "", "", loss)

    def value(self, number: Any) -> str:
        """A value without its unit."""
        return fixed(number * self.scale, self.digits) if finite(number) else NONE

    def change(self, number: Any) -> str:
        """A difference with its sign, without its unit."""
        return fixed(number * self.scale, self.digits, signed=True) if finite(number) else NONE

    def range(self, interval: Any, *, signed: bool = False) -> str:
        """An interval as `79.1 to 82.7`; empty if its ends are missing."""
        return span(interval, self.scale, self.digits, signed=signed)


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
