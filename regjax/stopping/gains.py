"""What counts as a gain in early stopping: the comparison that each library makes, and its arithmetic.

All functions take NumPy or JAX arrays of values whose sign makes lower better. Values are compared in float64 on the
host, where they are Python floats, and in JAX's floating-point type inside a compiled program. The state stores them as
float32 with a remainder, so that its dtypes never change and no digit of a float64 is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import is_traced
from regjax.core.typing import DTypeLike, Numeric, PyTree


class Rule(NamedTuple):
    """How a library decides; `is_gain` takes `(value, reference, min_delta, whether this is the first value)`."""

    is_gain: Callable[[Numeric, Numeric, Numeric, Numeric], Numeric]
    moves: Callable[[Numeric, Numeric], Numeric] | None = (
        None  # whether the value becomes the reference; None: at each gain
    )
    allows_one_more: bool = False  # stops at wait > patience instead of wait >= patience
    passes_limits: bool = False  # a target must be exceeded, not only reached; limits are compared in float32


def _regjax(value: Numeric, reference: Numeric, delta: Numeric, first: Numeric) -> Numeric:
    # The difference of two close floating-point numbers is exact; the sum of one of them and a small delta is not.
    return (abs(value) < np.inf) & (reference - value > delta)


def _keras(value: Numeric, reference: Numeric, delta: Numeric, first: Numeric) -> Numeric:
    # `keras.ops.less` rounds both sides to float32. The first value always becomes the best, even if it is NaN.
    return first | ((value + delta).astype(np.float32) < reference.astype(np.float32))


def _lightning(value: Numeric, reference: Numeric, delta: Numeric, first: Numeric) -> Numeric:
    # Tensors of float32, which its loggers make of every number.
    return value.astype(np.float32) + delta.astype(np.float32) < reference.astype(np.float32)


def _flax(value: Numeric, reference: Numeric, delta: Numeric, first: Numeric) -> Numeric:
    return (abs(reference) == np.inf) | (reference - value > delta)


def _sklearn(value: Numeric, reference: Numeric, delta: Numeric, first: Numeric) -> Numeric:
    # Not `<=`: a NaN restarts the count of scikit-learn.
    if value.dtype == np.float64:
        return ~(value > reference - delta)
    return ~(value - reference > -delta)  # in float32, a small delta would be rounded away


RULES = {
    "regjax": Rule(_regjax),
    "keras": Rule(_keras),
    "lightning": Rule(_lightning, passes_limits=True),
    "flax": Rule(_flax, allows_one_more=True),
    "sklearn": Rule(_sklearn, moves=lambda value, reference: value < reference, allows_one_more=True),
}


def arithmetic(*trees: PyTree) -> tuple[ModuleType, DTypeLike]:
    """The array module and float dtype to compute with: NumPy and float64 unless a leaf is traced."""
    if any(is_traced(leaf) for leaf in jax.tree.leaves(trees)):
        return jnp, jnp.result_type(float)
    return np, np.float64


def join_float32(xp: ModuleType, wide: DTypeLike, nearest: Numeric, remainder: Numeric) -> Numeric:
    """The wide values `[n]` of their nearest float32 numbers `[n]` and the remainder `[n, 2]`."""
    remainder = xp.asarray(remainder, wide)
    return xp.asarray(nearest, wide) + remainder[:, 0] + remainder[:, 1]


def split_float32(xp: ModuleType, values: Numeric) -> tuple[Numeric, Numeric]:
    """The nearest float32 numbers `[n]` of wide values, and the remainder `float32[n, 2]`.

    Three float32 numbers hold all 53 bits of a float64.

    Example:
      >>> number, remainder = split_float32(np, np.asarray([0.1]))
      >>> float(join_float32(np, np.float64, number, remainder)[0])
      0.1
    """
    nearest = values.astype(np.float32)
    residual = xp.where(abs(nearest) < np.inf, values - nearest.astype(values.dtype), 0)
    first_part = residual.astype(np.float32)
    return nearest, xp.stack([first_part, (residual - first_part.astype(values.dtype)).astype(np.float32)], axis=-1)


def bounded(xp: ModuleType, number: Numeric) -> Numeric:
    """The number; infinite where it overflows in float32."""
    with np.errstate(over="ignore"):
        narrow = number.astype(np.float32)
    return xp.where(abs(narrow) < np.inf, number, xp.sign(number) * np.inf)


def rounded_like(number: Numeric, value: Numeric) -> Numeric:
    """The number rounded to the floating-point type of `value`: 0.9 is another number in float32.

    Example:
      >>> float(rounded_like(np.asarray(0.9), np.float32(1.0)))
      0.8999999761581421
    """
    kind = getattr(value, "dtype", None)
    return (
        number.astype(kind).astype(number.dtype) if kind is not None and jnp.issubdtype(kind, np.floating) else number
    )
