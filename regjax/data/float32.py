"""Checks that conversion to float32 does not change data in ways that matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.source import slices

WHOLE = 2.0**53
"""Above this, float64 cannot represent every whole number."""

_TOO_COARSE = 1e-3  # largest rounding error, in standard deviations
_NEAR = 1e3  # standard deviations; numbers farther away are outliers, and their rounding errors do not matter


class Spread(NamedTuple):
    """Mean and standard deviation of each column, `float64[F]`."""

    mean: np.ndarray
    deviation: np.ndarray


def check_float32(
    name: str, values: Any, columns: Sequence[str] | None = None, spread: Spread | None = None, start: int = 0
) -> None:
    """Check that float32 can represent numbers and their differences; seconds since 1970, for example, are refused.

    Args:
      name: name of the source and of the numbers, for the message.
      values: the original numbers: `[N]`, `[N, F]`, or `[N, ..., F]` with the features last; an array in memory or
        mapped from a file. For images `[N, H, W, C]`, only overflow is checked. Numbers that are not finite are not
        checked here.
      columns: names of the columns, for the message.
      spread: mean and standard deviation of the training set, if `values` are those of another set.
      start: number of the first example, for the message.

    Raises:
      InputError: a number overflows in float32, or rounding changes it by more than a thousandth of the standard
        deviation.

    Example:
      >>> check_float32("toy: y", 1e6 + np.arange(4.0))
    """
    if not loses(values.dtype) or not len(values):
        return
    if isinstance(values, np.ndarray) and values.size == len(values) and _is_fine(values, spread):
        return
    spread = spread or (spread_of(values) if values.ndim < 4 else None)
    with np.errstate(all="ignore"):
        for part in slices(values):
            wide = _by_column(part)
            narrow = wide.astype(np.float32)
            beyond = np.isfinite(wide) & np.isinf(narrow)
            if beyond.any():
                i, j = (int(k) for k in np.argwhere(beyond)[0])
                place, example = _place(values.ndim, columns, j), start + i * len(part) // len(wide)
                raise InputError(f"{name}{place}: {wide[i, j]:g} of example {example} is not a finite float32")
            start += len(part)
            if spread is None:
                continue
            moved = np.abs(wide - narrow)
            if values.dtype.kind != "f":
                moved += np.where(np.abs(wide) >= WHOLE, np.spacing(wide) / 2, 0)  # error of the conversion to float64
            near = np.abs(wide - spread.mean) <= _NEAR * spread.deviation
            coarse = (spread.deviation > 0) & near & (moved > _TOO_COARSE * spread.deviation)
            if coarse.any():
                i, j = (int(k) for k in np.argwhere(coarse)[0])
                raise InputError(
                    f"{name}{_place(values.ndim, columns, j)}: float32 holds {wide[i, j]!s} to within "
                    f"{moved[i, j]:g}, which is too coarse for a standard deviation of {spread.deviation[j]:g}; "
                    "subtract an offset or change the unit"
                )


def _is_fine(column: np.ndarray, spread: Spread | None) -> bool:
    """Whether the largest number alone shows that rounding, by at most 2^-24 of each, changes none of them much."""
    largest = max(abs(float(column.min())), abs(float(column.max())))
    if not largest < (WHOLE if column.dtype.kind != "f" else float(np.finfo(np.float32).max)):
        return False
    deviation = float(column.std(dtype=np.float64)) if spread is None else float(spread.deviation[0])
    return largest * 2.0**-24 <= _TOO_COARSE * deviation


def loses(dtype: np.dtype) -> bool:
    """Whether conversion to float32 may round numbers of this dtype.

    Example:
      >>> loses(np.dtype(np.int32)), loses(np.dtype(np.uint16)), loses(np.dtype(np.float32))
      (True, False, False)
    """
    return dtype.kind in "iuf" and dtype.itemsize > (4 if dtype.kind == "f" else 2)


def spread_of(values: Any) -> Spread:
    """Compute mean and standard deviation of the columns in float64, for integers from exact differences.

    Args:
      values: as for `check_float32`.

    Example:
      >>> spread_of(np.array([2**53, 2**53 + 1])).deviation
      array([0.5])
    """
    with np.errstate(all="ignore"):
        low = np.min([part.reshape(-1, _width(values)).min(axis=0) for part in slices(values)], axis=0)

        def above(part: np.ndarray) -> np.ndarray:
            flat = part.reshape(-1, _width(values))
            if values.dtype.kind == "f":
                return flat.astype(np.float64) - low
            return (flat.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)  # wraps around to the difference

        count = np.prod(values.shape) / _width(values)
        mean = sum(above(part).sum(axis=0) for part in slices(values)) / count
        square = sum(np.square(above(part) - mean).sum(axis=0) for part in slices(values)) / count
        lowest = low.astype(np.float64)
        # A constant column has deviation 0, whatever the rounding errors.
        return Spread(lowest + mean, np.where(mean > 0, np.sqrt(square), 0.0))


def _width(values: Any) -> int:
    return int(values.shape[-1]) if values.ndim > 1 else 1


def _by_column(part: np.ndarray) -> np.ndarray:
    return part.reshape(-1, _width(part)).astype(np.float64)


def _place(rank: int, columns: Sequence[str] | None, j: int) -> str:
    return "" if rank == 1 else f", column {columns[j] if columns else j}"
