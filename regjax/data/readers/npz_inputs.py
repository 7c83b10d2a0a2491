"""Reads the examples of a `.npz` file for prediction."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.inputs import Note, Piece
from regjax.data.preprocess import Preprocessor
from regjax.data.readers.array_files import PIECE_BYTES, inputs_of_model, readable
from regjax.data.readers.npz import check_members, read_header


def npz_pieces(path: Path, preprocessor: Preprocessor, note: Note | None = None) -> Iterator[Piece]:
    """Read the array `x` of a `.npz` file in the form used in training, and the index of each example.

    Raises:
      InputError: the array does not fit the model.
    """
    del note
    start = 0
    for stored, total in _stored(path):
        yield Piece(
            inputs_of_model(path, stored, preprocessor, start),
            [str(start + i) for i in range(len(stored))],
            (start + len(stored)) / max(total, 1),
        )
        start += len(stored)


def _stored(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the examples as they are stored, and how many there are in all; an empty array is one piece."""
    with readable(path), zipfile.ZipFile(path) as archive:
        check_members(path, [name.removesuffix(".npy") for name in archive.namelist()], ("x",))
        if "x.npy" not in archive.namelist():
            raise InputError(f"{path.name}: 'x' is no array; accepted: arrays of numbers or text")
        with archive.open("x.npy") as file:
            shape, fortran, dtype = read_header(file)
            if dtype.hasobject or not shape or (fortran and len(shape) > 1) or 0 in shape:
                with np.load(path, allow_pickle=False) as whole:  # an order in which an example is not in one place
                    yield whole["x"], shape[0] if shape else 0
                return
            width = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            rows, left = max(PIECE_BYTES // width, 1), shape[0]
            while left:
                content = file.read(width * min(rows, left))
                if len(content) < width * min(rows, left):
                    raise EOFError("x ends too early")
                left -= min(rows, left)
                yield np.frombuffer(content, dtype).reshape(-1, *shape[1:]), shape[0]
            while file.read(PIECE_BYTES):  # reaches the checksum
                pass
