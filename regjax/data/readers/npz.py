"""Reads arrays of a `.npz` file into memory, or maps them from the file."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.readers.array_files import check_size, dataset_of_arrays, readable

_LOCAL_HEADER = struct.Struct("<26x2H")  # of a member: 26 bytes, then the lengths of its name and of its extra field
_CHUNK = 2**22


def load_npz(path: str | os.PathLike[str], *, task: str | None = None, lazy: bool = False) -> Dataset:
    """Load a `.npz` file with arrays `x` and `y` and, for an official test split, `x_test` and `y_test`.

    Args:
      path: the file. x: `[N]` or `[N, F]` numbers, or images `[N, H, W]` or `[N, H, W, C]` (uint8, or floats
        in [0, 1]); y: `[N]` labels (numbers or text) or numbers `[N]` or `[N, D]`.
      task: overrides `regjax.data.targets.infer_task`.
      lazy: map `x` and `x_test` from the file, as `Rows`, instead of reading them.

    Raises:
      InputError: the file is not valid, or it is compressed and cannot be mapped.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.savez(f"{folder}/toy.npz", x=np.eye(4), y=np.array(["a", "b", "a", "b"]))
      ...     data = load_npz(f"{folder}/toy.npz")
      >>> data.x.shape, data.class_names
      ((4, 4), ('a', 'b'))
    """
    path = Path(path)
    arrays = _read_npz(path, required=("x", "y"), optional=("x_test", "y_test"), mapped=("x", "x_test") if lazy else ())
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise InputError(f"{path.name}: x_test and y_test belong together, found only one of them")
    return dataset_of_arrays(path, arrays, task=task, lazy=lazy)


def _read_npz(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...] = (), mapped: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name; those in `mapped` are views of the file."""
    with readable(path):
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
        check_size(path, sum(size for name, size in sizes.items() if name not in mapped))
        with np.load(path, allow_pickle=False) as stored:
            check_members(path, stored.files, required, optional)
            found = [key for key in required + optional if key in stored.files]
            arrays = {key: map_member(path, key) if key in mapped else stored[key] for key in found}
            for key, array in arrays.items():
                if not isinstance(array, np.ndarray):  # NumPy returns bytes for a member that is not an array
                    raise InputError(f"{path.name}: {key!r} is not an array; accepted: arrays of numbers or text")
            return arrays


def check_members(path: Path, names: Sequence[str], required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Check that a `.npz` file has the arrays that are required; raises an InputError that lists those it has."""
    missing = [key for key in required if key not in names]
    if missing:
        raise InputError(
            f"{path.name}: no array {missing[0]!r}; it has {', '.join(names) or 'nothing'}, "
            f"accepted: {', '.join(required + optional)}"
        )


def read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of a stored array: its shape, whether it is in the order of Fortran, and its dtype."""
    version = np.lib.format.read_magic(file)
    known = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    return known[version](file)


def map_member(path: Path, key: str) -> np.ndarray:
    """Map an array of a `.npz` file as a view of the file, after verifying its checksum in one pass.

    Args:
      path: the file, written by `np.savez`.
      key: name of the array.

    Raises:
      InputError: the array does not exist, is compressed or damaged, or consists of Python objects.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.savez(f"{folder}/toy.npz", x=np.arange(4.0), y=np.zeros(4))
      ...     array = map_member(Path(f"{folder}/toy.npz"), "x")
      ...     array[1:3].tolist()
      [1.0, 2.0]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(f"{key}.npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError(
                    f"{path.name}: {key!r} is compressed, accepted for streaming: uncompressed arrays (np.savez); "
                    "or load it with --loader=memory"
                )
            with archive.open(member) as stream:
                while stream.read(_CHUNK):  # verifies the checksum at the end
                    pass
        with path.open("rb") as file:
            file.seek(member.header_offset)
            name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            file.seek(name_length + extra_length, 1)
            shape, fortran, dtype = read_header(file)
            offset = file.tell()
        if dtype.hasobject:
            raise InputError(f"{path.name}: {key!r} holds Python objects; accepted: arrays of numbers")
        if 0 in shape:
            return np.empty(shape, dtype)  # an empty array cannot be mapped
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    except KeyError:
        raise InputError(f"{path.name}: no array {key!r} that can be mapped") from None
    except (OSError, ValueError, EOFError, struct.error, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: {key!r} cannot be mapped, the file is damaged ({error})") from None
