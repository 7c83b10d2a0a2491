"""Arrays inside a `.npz` file, mapped from where they lie instead of read."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError

_LOCAL_HEADER = struct.Struct("<26x2H")  # of a member: 26 bytes, then the lengths of its name and its extra field
_CHUNK = 2**22


def map_member(path: Path, key: str) -> np.ndarray:
    """An array of a `.npz` file as a view of the file; its checksum is compared first, in one pass.

    Args:
      path: the file, written by `np.savez`.
      key: name of the array.

    Raises:
      InputError: no such array, a compressed or damaged one, or one of Python objects.

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
                while stream.read(_CHUNK):  # compares the checksum at the end
                    pass
        with path.open("rb") as file:
            file.seek(member.header_offset)
            name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            file.seek(name_length + extra_length, 1)
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, fortran, dtype = read_header[version](file)
            offset = file.tell()
        if dtype.hasobject:
            raise InputError(f"{path.name}: {key!r} holds Python objects; accepted: arrays of numbers")
        if 0 in shape:
            return np.empty(shape, dtype)  # nothing can be mapped
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    except KeyError:
        raise InputError(f"{path.name}: no array {key!r} that can be mapped") from None
    except (OSError, ValueError, EOFError, struct.error, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: {key!r} cannot be mapped, the file is damaged ({error})") from None
