"""Checks of arguments: concrete values out of range are refused early, traced values pass.

`check_range` is the only function that asks whether a value is traced. Everything else stays branch-free, so that one
compiled program serves every number.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import jax
import numpy as np

from regjax.core.errors import InputError
from regjax.core.typing import Numeric

_LARGEST = float(np.finfo(np.float32).max)


def is_traced(value: object) -> bool:
    """Whether `value` is abstract, inside a JAX transformation, so that its number is unknown."""
    return isinstance(value, jax.core.Tracer)


def in_short(value: object, limit: int = 80) -> str:
    """A value in one short line, for messages, which must not print a whole model.

    Example:
      >>> in_short(3), in_short({"w": np.zeros((9, 9))})
      ('3', 'a dict')
    """
    text = repr(value)
    if len(text) <= limit and "\n" not in text:
        return text
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def check_array(name: str, value: object) -> None:
    """Refuse anything but a single array, as the tuple of a model with several outputs.

    Raises:
      InputError: names the argument and its type.

    Example:
      >>> check_array("outputs", (np.zeros(2), np.zeros(2)))
      Traceback (most recent call last):
      ...
      regjax.core.errors.InputError: outputs must be one array, got a tuple of 2; let the model give that array alone
    """
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        kind = f"a {type(value).__name__}" + (f" of {len(value)}" if hasattr(value, "__len__") else "")
        raise InputError(f"{name} must be one array, got {kind}; let the model give that array alone")


def check_range(
    name: str,
    value: Numeric,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Refuse a concrete number, or an array with a number, outside an interval; NaN is always outside.

    Args:
      name: the function and its argument, for the message: `"l1: strength"`.
      value: scalar or array. Traced values pass, because their numbers are unknown.
      low: lower end of the interval.
      high: upper end of the interval.
      low_open: whether `low` itself is refused.
      high_open: whether `high` itself is refused.

    Raises:
      ValueError: names the argument, the value and the accepted interval.

    Example:
      >>> check_range("dropout: rate", 1.5, 0.0, 1.0)
      Traceback (most recent call last):
      ...
      ValueError: dropout: rate must be in [0, 1], got 1.5
    """
    if is_traced(value):
        return
    array = np.asarray(value)
    if array.dtype.kind not in "biufV" or array.dtype == object:  # V: bfloat16 and similar
        raise ValueError(f"{name} must be a number, got {in_short(value)}")
    array = array.astype(np.float64)
    # The computation is in float32, so numbers that overflow there count as infinite.
    array = np.where(np.abs(array) > _LARGEST, np.copysign(np.inf, array), array)
    below = array <= low if low_open else array < low
    above = array >= high if high_open else array > high
    outside = below | above | np.isnan(array)
    if np.any(outside):
        first_bad = value if array.ndim == 0 else array[outside].flat[0]
        accepted = _interval(low, high, low_open, high_open)
        if high == np.inf and np.any(np.isposinf(array)):
            accepted += " and finite"
        raise ValueError(f"{name} must be {accepted}, got {first_bad}")


def _interval(low: float, high: float, low_open: bool, high_open: bool) -> str:
    if high == np.inf:
        if low == -np.inf:
            return "a number"
        return f"> {low:g}" if low_open else f">= {low:g}"
    if low == -np.inf:
        return f"< {high:g}" if high_open else f"<= {high:g}"
    return f"in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a name that is not among `choices`, and suggest the closest one.

    Raises:
      InputError: names the argument, the value and all accepted names.

    Example:
      >>> check_choice("optimizer", "adm", ["sgd", "adam"])
      Traceback (most recent call last):
      ...
      regjax.core.errors.InputError: optimizer 'adm' is not known (did you mean 'adam'?); accepted: adam, sgd
    """
    accepted = sorted(choices)
    if value in accepted:
        return
    closest = difflib.get_close_matches(str(value), accepted, n=1, cutoff=0.5)
    hint = f" (did you mean {closest[0]!r}?)" if closest else ""
    raise InputError(f"{name} {value!r} is not known{hint}; accepted: {', '.join(accepted)}")
