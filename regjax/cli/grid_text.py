"""The text of a flag that names values of a hyperparameter, and the options that a value stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from regjax.catalog import NOISES, NUMBERS
from regjax.cli.grid import REGULARIZERS
from regjax.cli.options import RunOptions

NAMES = (*REGULARIZERS, "learning_rate", "patience", "min_delta", "train_examples")
FACTORS = ("penalty", "output_penalty")  # sweeping these multiplies the strengths of the flag
WHOLE = ("patience", "train_examples")
BELOW_ONE = tuple(name for name, method in (NOISES | NUMBERS).items() if method.high_open)
MAX_LANES = 100_000


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """Parse a text such as `"l2=logspace(-6,-1,11)"` into a name and its values, without evaluating code.

    Raises:
      ValueError: says what is wrong with the text.
    """
    name, equals, body = (part.strip() for part in text.partition("="))
    if not equals or name not in NAMES:
        raise ValueError(f"{name!r} cannot be swept; accepted: {', '.join(NAMES)}")
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
    low_end = 1.0 if name == "train_examples" else 0.0
    for value in values:
        bad = not low_end <= value < (1.0 if name in BELOW_ONE else 2**31 - 1)
        if bad or (name == "learning_rate" and value == 0):
            accepted = "in [0, 1)" if name in BELOW_ONE else "> 0" if name == "learning_rate" else f">= {low_end:g}"
            raise ValueError(f"{name} must be {accepted}, got {value:g}")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} has a value twice")
    return name, values


def as_options(config: RunOptions, point: Mapping[str, float]) -> dict[str, Any]:
    """Convert a point to options; a factor multiplies the text of its flag, except the strength of --augment."""
    options: dict[str, Any] = {name: int(value) if name in WHOLE else value for name, value in point.items()}
    options.pop("augment", None)
    return options | {name: f"{point[name]!r} * ({getattr(config, name)})" for name in FACTORS if name in point}
