"""Examples that are read when they are asked for, where an array of all of them would not fit in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from regjax.core.errors import InputError

SLICE_ROWS = 4096
SLICE_BYTES = 128 * 2**20
"""What a pass over a set holds at a time: so many examples, or fewer if they take more than this in float64."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """What an array of examples is to those who index, slice and measure it; it holds positions alone.

    `rows[a:b]` and `rows.take(indices)` read; `rows[indices]` is another view and reads nothing. What is read is
    checked as `Dataset` checks an array: finite, and pixels in their range.

    Attributes:
      name: of the source, for messages.
      read: `int64[n]` positions in the source -> `[n, *example_shape]`; called from several threads at once.
      index: `int64[N]`, the positions of these examples.
      example_shape: of one example.
      dtype: of the examples.
      pixel_max: value of a full pixel; None for tables.

    Example:
      >>> rows = as_rows("toy", np.arange(12, dtype=np.float32).reshape(6, 2))
      >>> view = rows[np.array([4, 0, 2])]
      >>> view.shape, view[1:].tolist()
      ((3, 2), [[0.0, 1.0], [4.0, 5.0]])
    """

    name: str
    read: Callable[[np.ndarray], np.ndarray]
    index: np.ndarray
    example_shape: tuple[int, ...]
    dtype: np.dtype
    pixel_max: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, *example_shape)`."""
        return (len(self.index), *self.example_shape)

    @property
    def ndim(self) -> int:
        """The rank of the array that these rows stand for."""
        return 1 + len(self.example_shape)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.index)

    def __getitem__(self, key: slice | np.ndarray) -> Any:
        """A slice is read and gives an array; an array of indices gives a view.

        Raises:
          TypeError: anything else, as a single number.
          InputError: a record that cannot be read or used.
        """
        if isinstance(key, slice):
            return self.take(np.arange(*key.indices(len(self))))
        if not isinstance(key, np.ndarray):
            raise TypeError(f"{self.name}: examples are picked by a slice or an array of indices, got {key!r}")
        return dataclasses.replace(self, index=self.index[key])

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read the examples at `indices`, in that order.

        Raises:
          InputError: a record that cannot be read or used; the message names it.
        """
        positions = self.index[indices]
        values = self.read(positions)
        if self.dtype != np.float32 and self.pixel_max in (None, 255.0):
            return values  # every byte is a pixel
        flat = values.reshape(len(values), -1)
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(flat).all(axis=1)
            if self.pixel_max is not None:
                wrong |= ~((flat >= 0) & (flat <= self.pixel_max)).all(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            accepted = "finite" if self.pixel_max is None else f"in [0, {self.pixel_max:g}]"
            found = f"[{flat[first].min():g}, {flat[first].max():g}]"
            raise InputError(f"{self.name}: values of record {positions[first]} must be {accepted}, found {found}")
        return values

    def check(self) -> None:
        """Read everything once.

        Raises:
          InputError: the first record that cannot be read or used.
        """
        for _ in slices(self):
            pass


def as_rows(name: str, array: np.ndarray, pixel_max: float | None = None) -> Rows:
    """The rows of an array, in memory or mapped from a file.

    Args:
      name: for messages.
      array: `[N, ...]`.
      pixel_max: value of a full pixel; None for tables.

    Example:
      >>> as_rows("toy", np.zeros((3, 2), np.float32)).shape
      (3, 2)
    """
    return Rows(name, array.__getitem__, np.arange(len(array)), array.shape[1:], array.dtype, pixel_max)


def joined(parts: Sequence[Any]) -> Any:
    """Arrays, or rows, one after the other.

    Args:
      parts: arrays of one shape and dtype but for their length, or `Rows` alike; not mixed.

    Example:
      >>> both = joined([as_rows("a", np.zeros((2, 1))), as_rows("b", np.ones((2, 1)))])
      >>> both[1:3].tolist()
      [[0.0], [1.0]]
    """
    if not isinstance(parts[0], Rows):
        return np.concatenate(parts)
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([len(part) for part in parts])

    def read(index: np.ndarray) -> np.ndarray:
        values = np.empty((len(index), *parts[0].example_shape), parts[0].dtype)
        owner = np.searchsorted(ends, index, side="right")
        for number, part in enumerate(parts):
            own = owner == number
            if own.any():
                values[own] = part.take(index[own] - (ends[number] - len(part)))
        return values

    return dataclasses.replace(parts[0], read=read, index=np.arange(ends[-1]))


def slices(values: Any) -> Iterator[np.ndarray]:
    """Consecutive parts of an array or of rows that together are all of it, each small enough to hold.

    Args:
      values: `[N, ...]`.

    Example:
      >>> [len(part) for part in slices(np.zeros((5000, 2)))]
      [4096, 904]
    """
    width = 8 * int(np.prod(values.shape[1:], dtype=np.int64))
    rows = max(min(SLICE_ROWS, SLICE_BYTES // max(width, 1)), 1)
    return (values[start : start + rows] for start in range(0, len(values), rows))
