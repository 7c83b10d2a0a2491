"""What is lost when numbers become float32: refused where it would be silently something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.source import slices

WHOLE = 2.0**53
"""Float64 does not hold each whole number from here on."""

_TOO_COARSE = 1e-3  # of a standard deviation
_NEAR = 1e3  # standard deviations; what lies farther away is an outlier, whatever its last digits are


class Spread(NamedTuple):
    """Of numbers by column, `float64[F]`."""

    mean: np.ndarray
    deviation: np.ndarray


def check_float32(name: str, values: Any, columns: Sequence[str] | None = None, spread: Spread | None = None) -> None:
    """Refuse numbers of which float32 cannot hold the differences, as seconds since 1970, and those beyond it.

    Args:
      name: of the source and what the numbers are, for the message.
      values: as they were given: `[N]`, `[N, F]`, or `[N, ..., F]` with the features last; an array, or one that is
        mapped from a file. Of images, `[N, H, W, C]`, only numbers beyond float32 are refused. Those that are not
        finite are for others to refuse.
      columns: names of the columns, for the message.
      spread: of the training part, if `values` are another one.

    Raises:
      InputError: a number beyond float32, or one that rounding moves by more than a thousandth of the standard
        deviation.

    Example:
      >>> check_float32("toy: y", 1e6 + np.arange(4.0))
    """
    if not loses(values.dtype) or not len(values):
        return
    spread = spread or (spread_of(values) if values.ndim < 4 else None)
    with np.errstate(all="ignore"):
        start = 0
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
                moved += np.where(np.abs(wide) >= WHOLE, np.spacing(wide) / 2, 0)  # on the way to float64
            near = np.abs(wide - spread.mean) <= _NEAR * spread.deviation
            coarse = (spread.deviation > 0) & near & (moved > _TOO_COARSE * spread.deviation)
            if coarse.any():
                i, j = (int(k) for k in np.argwhere(coarse)[0])
                raise InputError(
                    f"{name}{_place(values.ndim, columns, j)}: float32 holds {wide[i, j]!s} to within "
                    f"{moved[i, j]:g}, which is too coarse for a standard deviation of {spread.deviation[j]:g}; "
                    "subtract an offset or change the unit"
                )


def loses(dtype: np.dtype) -> bool:
    """Whether float32 may lose anything of such numbers.

    Example:
      >>> loses(np.dtype(np.int32)), loses(np.dtype(np.uint16)), loses(np.dtype(np.float32))
      (True, False, False)
    """
    return dtype.kind in "iuf" and dtype.itemsize > (4 if dtype.kind == "f" else 2)


def spread_of(values: Any) -> Spread:
    """Mean and standard deviation of the columns, in float64; those of whole numbers by their exact differences.

    Args:
      values: as `check_float32`.

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
            return (flat.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)  # wraps to the difference

        count = np.prod(values.shape) / _width(values)
        mean = sum(above(part).sum(axis=0) for part in slices(values)) / count
        square = sum(np.square(above(part) - mean).sum(axis=0) for part in slices(values)) / count
        lowest = low.astype(np.float64)
        # Rounding errors are no spread of a constant column.
        return Spread(lowest + mean, np.where(mean > 0, np.sqrt(square), 0.0))


def _width(values: Any) -> int:
    return int(values.shape[-1]) if values.ndim > 1 else 1


def _by_column(part: np.ndarray) -> np.ndarray:
    return part.reshape(-1, _width(part)).astype(np.float64)


def _place(rank: int, columns: Sequence[str] | None, j: int) -> str:
    return "" if rank == 1 else f", column {columns[j] if columns else j}"
