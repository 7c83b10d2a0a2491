"""Sources of examples that are read on demand: arrays in memory, mapped files, images on disk, records."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from regjax.core.errors import InputError

SLICE_ROWS = 4096
SLICE_BYTES = 128 * 2**20
"""Limits of a slice in a pass over a dataset: the number of examples, and their size in float64."""


class Source(Protocol):
    """Random access to examples. `take` may be called from several threads at once."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(N, ...)`."""

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the examples that `take` returns."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read the examples at `indices`, `int64[n]`, in that order; returns `[n, ...]`."""


@dataclasses.dataclass(frozen=True, eq=False)
class ArraySource:
    """The examples of an array, in memory or mapped from a file.

    Attributes:
      array: the stored array, `[N, ...]`.
      convert: a function that `take` applies to stored examples `[n, ...]`; None returns them unchanged.

    Example:
      >>> ArraySource(np.arange(3), lambda x: x[:, None] / 2).take(np.array([2, 0])).tolist()
      [[1.0], [0.0]]
    """

    array: np.ndarray
    convert: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(N, ...)`."""
        return (len(self), *self._none.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the examples that `take` returns."""
        return self._none.dtype

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.array)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read the examples at `indices`."""
        picked = self.array[indices]
        return picked if self.convert is None else self.convert(picked)

    @functools.cached_property
    def _none(self) -> np.ndarray:
        """An empty batch, with the shape and dtype of all examples."""
        return self.take(np.arange(0))


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """A view of some examples of a source, which can be indexed and sliced like an array and stores only positions.

    `rows[a:b]` and `rows.take(indices)` read examples; `rows[indices]` is another view and reads nothing. Examples are
    checked when they are read, as `Dataset` checks an array: numbers must be finite and pixels within their range.
    `Rows` are also a `Source`.

    Attributes:
      name: name of the source, for messages.
      source: the source of the examples.
      index: `int64[N]`, the positions of these examples in the source.

    Example:
      >>> rows = as_rows("toy", np.arange(12, dtype=np.float32).reshape(6, 2))
      >>> view = rows[np.array([4, 0, 2])]
      >>> view.shape, view[1:].tolist()
      ((3, 2), [[0.0, 1.0], [4.0, 5.0]])
    """

    name: str
    source: Source
    index: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(N, ...)`."""
        return (len(self.index), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the examples."""
        return self.source.dtype

    @property
    def ndim(self) -> int:
        """The rank of the array that these rows represent."""
        return len(self.shape)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.index)

    def __getitem__(self, key: slice | np.ndarray) -> Any:
        """Read a slice, or return a view for an array of indices.

        Raises:
          TypeError: the key is something else, such as a single number.
          InputError: a record cannot be read or used.
        """
        if isinstance(key, slice):
            return self.take(np.arange(*key.indices(len(self))))
        if not isinstance(key, np.ndarray):
            raise TypeError(f"{self.name}: examples are picked by a slice or an array of indices, got {key!r}")
        return dataclasses.replace(self, index=self.index[key])

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read the examples at `indices`, in that order.

        Raises:
          InputError: a record cannot be read or used; the message names it.
        """
        positions = self.index[indices]
        values = self.source.take(positions)
        if self.dtype != np.float32:
            return values  # every integer is accepted
        full = full_pixel(self.shape, self.dtype)
        flat = values.reshape(len(values), -1)
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(flat).all(axis=1)
            if full is not None:
                wrong |= ~((flat >= 0) & (flat <= full)).all(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            accepted = "finite" if full is None else f"in [0, {full:g}]"
            found = f"[{flat[first].min():g}, {flat[first].max():g}]"
            raise InputError(f"{self.name}: values of record {positions[first]} must be {accepted}, found {found}")
        return values

    def check(self) -> None:
        """Read and check all examples once.

        Raises:
          InputError: names the first record that cannot be read or used.
        """
        for _ in slices(self):
            pass


def as_rows(name: str, source: np.ndarray | Source) -> Rows:
    """Return all rows of an array (in memory or mapped from a file) or of another source.

    Args:
      name: name of the source, for messages.
      source: `[N, ...]`.

    Example:
      >>> as_rows("toy", np.zeros((3, 2), np.float32)).shape
      (3, 2)
    """
    source = ArraySource(source) if isinstance(source, np.ndarray) else source
    return Rows(name, source, np.arange(len(source)))


def full_pixel(shape: tuple[int, ...], dtype: np.dtype) -> float | None:
    """Return the largest value of a pixel: 255 for uint8 images, 1 for others; None if these are not images.

    Example:
      >>> full_pixel((9, 8, 8, 1), np.dtype(np.uint8))
      255.0
    """
    if len(shape) != 4:
        return None
    return 255.0 if dtype == np.uint8 else 1.0


def read_all(source: Source) -> np.ndarray:
    """Read all examples of a source into one array, slice by slice.

    Example:
      >>> read_all(ArraySource(np.arange(3), np.sqrt)).shape
      (3,)
    """
    values = np.empty(source.shape, source.dtype)
    for start in range(0, len(source), SLICE_ROWS):
        stop = min(start + SLICE_ROWS, len(source))
        values[start:stop] = source.take(np.arange(start, stop))
    return values


def joined(parts: Sequence[Any]) -> Any:
    """Concatenate arrays, rows or other sources.

    Args:
      parts: either arrays, or rows, or other sources, of the same dtype and the same shape apart from their length.

    Example:
      >>> both = joined([as_rows("a", np.zeros((2, 1))), as_rows("b", np.ones((2, 1)))])
      >>> both[1:3].tolist()
      [[0.0], [1.0]]
    """
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if len(parts) == 1:
        return first
    source = _Joined(tuple(parts))
    return as_rows(first.name, source) if isinstance(first, Rows) else source


@dataclasses.dataclass(frozen=True, eq=False)
class _Joined:
    parts: tuple[Source, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.parts[0].dtype

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def take(self, indices: np.ndarray) -> np.ndarray:
        values = np.empty((len(indices), *self.shape[1:]), self.dtype)
        ends = np.cumsum([len(part) for part in self.parts])
        owner = np.searchsorted(ends, indices, side="right")
        for number, part in enumerate(self.parts):
            own = owner == number
            if own.any():
                values[own] = part.take(indices[own] - (ends[number] - len(part)))
        return values


def slices(values: Any) -> Iterator[np.ndarray]:
    """Yield consecutive slices of an array or of rows, each small enough for memory.

    Args:
      values: `[N, ...]`.

    Example:
      >>> [len(part) for part in slices(np.zeros((5000, 2)))]
      [4096, 904]
    """
    width = 8 * int(np.prod(values.shape[1:], dtype=np.int64))
    rows = max(min(SLICE_ROWS, SLICE_BYTES // max(width, 1)), 1)
    return (values[start : start + rows] for start in range(0, len(values), rows))
