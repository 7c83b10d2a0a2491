"""Reads and decodes single examples of a prepared TFDS split, and finds damaged ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.float32 import loses


@dataclass(frozen=True, eq=False)
class Examples:
    """The decoded examples of one split; a `Source` of its inputs.

    Attributes:
      where: the split and its path, for messages.
      split: name of the split.
      records: random access to the stored records.
      example_shape: shape of one decoded input.
      dtype: dtype of the inputs.
      x_key: name of the input feature.
      y_key: name of the target feature.
      own_png: whether the inputs are stored images that are decoded here.
      columns: names of the columns if an input is a dictionary of numbers, or None.
      wide: whether the inputs are rows of numbers that float32 may round.
    """

    where: str
    split: str
    records: Any
    example_shape: tuple[int, ...]
    dtype: np.dtype
    x_key: str
    y_key: str
    own_png: bool
    columns: list[str] | None
    wide: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(N, ...)`."""
        return (len(self), *self.example_shape)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.records)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read the inputs of the examples at `indices`; a damaged record raises an InputError that names it."""
        inputs = np.empty((len(indices), *self.example_shape), self.dtype)
        self.read(indices.tolist(), inputs)
        return inputs

    def read(self, indices: Sequence[int], out: np.ndarray | None = None) -> list[Any]:
        """Read examples.

        Args:
          indices: positions of the examples.
          out: an array `[len(indices), *example_shape]` for the inputs; with None, inputs are not decoded.

        Returns:
          The stored targets.

        Raises:
          InputError: a record is damaged; the message names it.
        """
        try:
            return self._read(indices, out)
        except Exception as error:  # damaged records raise errors of array_record, protobuf and PIL
            number, cause = self._first_damaged(indices) or ("unknown", error)
            raise InputError(
                f"{self.where} is damaged at record {number} ({type(cause).__name__}: {cause}); prepare it again"
            ) from None

    def _first_damaged(self, indices: Sequence[int]) -> tuple[int, Exception] | None:
        scratch = np.empty((1, *self.example_shape), self.dtype)
        for index in indices:
            try:
                self._read([index], scratch)
            except Exception as error:
                return index, error
        return None

    def _read(self, indices: Sequence[int], out: np.ndarray | None) -> list[Any]:
        targets = []
        for i, record in enumerate(self.records.__getitems__(list(indices))):
            targets.append(record[self.y_key])
            if out is None:
                continue
            value = record[self.x_key]
            if self.own_png:
                out[i] = _decode_image(value, self.example_shape)
            elif isinstance(value, dict):
                out[i] = [value[column] for column in self.columns or ()]
            else:
                out[i] = np.reshape(value, self.example_shape)
        return targets


def layout(name: str, key: str, feature: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of one decoded input."""
    if hasattr(feature, "keys"):
        for column, part in feature.items():
            if part.shape != () or not _numeric(part):
                raise InputError(f"{name}: column {column!r} of {key!r} is not a number; it cannot be used as a row")
        return (len(feature),), np.dtype(np.float32)
    shape = feature.shape
    if not _numeric(feature) or shape is None:
        raise InputError(f"{name}: feature {key!r} is not numeric; accepted: images, rows of numbers")
    if None in shape:
        raise InputError(f"{name}: feature {key!r} has no fixed size {shape}; export it as a folder with one size")
    if len(shape) == 3:
        return shape, np.dtype(np.uint8 if feature.np_dtype == np.uint8 else np.float32)
    if len(shape) == 1:
        return shape, np.dtype(np.float32)
    raise InputError(f"{name}: feature {key!r} has shape {shape}; accepted: [H, W, C] and [F]")


def is_wide(feature: Any, shape: tuple[int, ...]) -> bool:
    """Whether an input is a row of integers that float32 may round; TFDS already stores float64 as float32."""
    parts = feature.values() if hasattr(feature, "keys") else [feature]
    return len(shape) == 1 and any(
        np.dtype(part.np_dtype).kind in "iu" and loses(np.dtype(part.np_dtype)) for part in parts
    )


def decodes_here(feature: Any, shape: tuple[int, ...]) -> bool:
    """Whether an input is an image that PIL can decode from its stored bytes."""
    # PIL takes 2/3 of the time of the general decoder, which also prints messages without OpenCV.
    return type(feature).__name__ == "Image" and feature.np_dtype == np.uint8 and shape[-1] in (1, 3, 4)


def skip(key: str) -> dict[str, Any]:
    """Return the decoders that keep a feature as stored bytes."""
    import tensorflow_datasets as tfds

    return {key: tfds.decode.SkipDecoding()}


def _numeric(feature: Any) -> bool:
    dtype = feature.np_dtype
    return not isinstance(dtype, dict) and np.dtype(dtype).kind in "biuf"


def _decode_image(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    require("PIL")
    from PIL import Image

    mode = {1: "L", 3: "RGB", 4: "RGBA"}[shape[-1]]
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(shape)
