"""The text of a flag that names values of a hyperparameter, and the options that a value stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.catalog import NOISES, NUMBERS
from regjax.cli.grid import CONDITION, REGULARIZERS
from regjax.cli.options import RunOptions
from regjax.core.ranges import Range

NAMES = (*REGULARIZERS, "learning_rate", "patience", "min_delta", "train_examples")
FACTORS = ("penalty", "output_penalty")  # sweeping these multiplies the strengths of the flag
WHOLE = ("patience", "train_examples")
BELOW_ONE = tuple(name for name, method in (NOISES | NUMBERS).items() if method.high_open)
MAX_LANES = 100_000
_RANGE = re.compile(r"(log)?uniform\b|optional\b")
OFF = 0.5
"""In which share of the draws an optional regularizer is left out."""


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """Parse a text such as `"l2=logspace(-6,-1,11)"` into a name and its values, without evaluating code.

    Raises:
      ValueError: says what is wrong with the text.
    """
    name, body = _name(text)
    if _RANGE.match(body):
        raise ValueError(
            f"{body} is a range: write logspace(LOW,HIGH,COUNT) or VALUE,VALUE, or sweep with --search=random, sobol, "
            "halving, asha or optuna"
        )
    spaced = re.fullmatch(r"(logspace|linspace)\(\s*([^,]+),([^,]+),\s*(\d+)\s*\)", body)
    try:
        if spaced:
            low, high, count = float(spaced[2]), float(spaced[3]), int(spaced[4])
            if not 1 <= count <= MAX_LANES:
                raise ValueError
            steps = [low + (high - low) * i / max(count - 1, 1) for i in range(count)]
            values = [10.0**step for step in steps] if spaced[1] == "logspace" else steps
        else:
            values = [float(part) for part in body.split(",")]
    except (ValueError, OverflowError):
        raise ValueError(f"{body!r}: write logspace(LOW,HIGH,COUNT), linspace(LOW,HIGH,COUNT) or VALUE,VALUE") from None
    if name in WHOLE:
        values = [float(round(value)) if abs(value) < 2**31 else value for value in values]
    _check_values(name, values)
    if len(set(values)) < len(values):
        raise ValueError(f"{name} has a value twice")
    return name, values


def parse_space(text: str) -> tuple[str, list[float] | Range]:
    """Parse a text such as `"l2=loguniform(1e-6,1e-1)"` into a name and its range; other texts are lists of choices.

    Raises:
      ValueError: says what is wrong with the text.

    Example:
      >>> parse_space("dropout=uniform(0,0.8)")
      ('dropout', Range(low=0.0, high=0.8, log=False, whole=False, off=0.0))
      >>> parse_space("l2=optional(loguniform(1e-6,1e-1))")[1].off
      0.5
    """
    name, body = _name(text)
    if name == CONDITION:
        raise ValueError(f"{name} is compared, not searched: take --search=grid")
    if not _RANGE.match(body):
        return parse_sweep(text)
    optional = re.fullmatch(r"optional\((.*)\)", body)
    if optional and name not in REGULARIZERS:
        raise ValueError(f"{name} cannot be left out: write {optional[1]} without optional()")
    found = re.fullmatch(r"(log)?uniform\(([^,()]+),([^,()]+)\)", optional[1].strip() if optional else body)
    try:
        if not found:
            raise ValueError
        off = OFF if optional else 0.0
        own = Range(float(found[2]), float(found[3]), log=bool(found[1]), whole=name in WHOLE, off=off)
    except ValueError:
        raise ValueError(
            f"{body!r}: write uniform(LOW,HIGH), loguniform(LOW,HIGH), or optional(...) around one of them"
        ) from None
    own.check(name)
    _check_values(name, own[:2])
    return name, own


def shown_space(values: Sequence[float] | Range) -> str:
    """A range or a list of choices as `--sweep` takes it.

    Example:
      >>> shown_space(Range(1e-6, 0.1, log=True)), shown_space([0.0, 0.5])
      ('loguniform(1e-06,0.1)', '0,0.5')
    """
    if isinstance(values, Range):
        own = f"{'log' if values.log else ''}uniform({values.low:g},{values.high:g})"
        return f"optional({own})" if values.off else own
    return ",".join(f"{value:g}" for value in values)


def _name(text: str) -> tuple[str, str]:
    name, equals, body = (part.strip() for part in text.partition("="))
    if not equals or name not in NAMES:
        raise ValueError(f"{name!r} cannot be swept; accepted: {', '.join(NAMES)}")
    return name, body


def _check_values(name: str, values: Sequence[float]) -> None:
    low_end = 1.0 if name == CONDITION else 0.0
    for value in values:
        bad = not low_end <= value < (1.0 if name in BELOW_ONE else 2**31 - 1)
        if bad or (name == "learning_rate" and value == 0):
            accepted = "in [0, 1)" if name in BELOW_ONE else "> 0" if name == "learning_rate" else f">= {low_end:g}"
            raise ValueError(f"{name} must be {accepted}, got {value:g}")


def as_options(config: RunOptions, point: Mapping[str, float]) -> dict[str, Any]:
    """Convert a point to options; a factor multiplies the text of its flag, except the strength of --augment."""
    options: dict[str, Any] = {name: int(value) if name in WHOLE else value for name, value in point.items()}
    options.pop("augment", None)
    return options | {name: f"{point[name]!r} * ({getattr(config, name)})" for name in FACTORS if name in point}
