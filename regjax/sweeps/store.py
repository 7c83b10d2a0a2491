"""Results of lanes on disk, saved as soon as a lane is done, so that an interrupted sweep can resume."""

from __future__ import annotations

import io
import os
import uuid
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from regjax.core.errors import InputError
from regjax.core.typing import PyTree


class LaneWarning(UserWarning):
    """The result of a lane could not be read, and the lane is trained again."""


class LaneStore:
    """A directory with one `.npz` file for each finished lane; the processes of a sweep may share it.

    Files are renamed into place, so a killed process leaves no partial file; checksums are verified on reading.

    Args:
      directory: created when the first result is saved.

    Example:
      >>> import tempfile
      >>> LaneStore(tempfile.mkdtemp()).finished()
      []
    """

    def __init__(self, directory: str | os.PathLike[str]):
        self.directory = Path(directory)

    def finished(self) -> list[int]:
        """Indices of the lanes whose results are in the store."""
        names = [path.stem.removeprefix("lane-") for path in self.directory.glob("lane-*.npz")]
        return sorted(int(name) for name in names if name.isdecimal())

    def save(self, index: int, fingerprint: str, result: PyTree, seconds: float) -> None:
        """Write the result of a lane.

        Args:
          index: of the lane.
          fingerprint: identifies what the lane depends on; see `regjax.sweeps.lane.fingerprint`.
          result: a `RunResult`, or other arrays, on the host.
          seconds: how long the lane took.

        Raises:
          OSError: names the path; what was saved before remains.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        leaves: dict[str, Any] = {f"leaf_{i:05d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(result))}
        partial = self.directory / f".{uuid.uuid4().hex}.partial"
        try:
            with partial.open("wb") as file:
                np.savez(file, fingerprint=np.asarray(fingerprint), seconds=np.float64(seconds), **leaves)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self._path(index))
        finally:
            partial.unlink(missing_ok=True)

    def load(self, index: int, fingerprint: str, shape: Callable[[], PyTree]) -> tuple[PyTree, float] | None:
        """The result of a lane and the seconds it took, or None if there is no readable file.

        Args:
          index: of the lane.
          fingerprint: the one that the result must have.
          shape: returns a result of the expected structure; called only if there is a file to read.

        Raises:
          InputError: the result belongs to another lane.
        """
        path = self._path(index)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(f"{path} cannot be read ({error}); lane {index} is trained again", LaneWarning, stacklevel=2)
            return None
        if str(arrays.pop("fingerprint", "")) != fingerprint:
            raise InputError(f"{path} is of a lane with other data, numbers or seed; name another directory")
        seconds = float(arrays.pop("seconds"))
        expected, treedef = jax.tree.flatten(shape())
        leaves = [arrays.get(f"leaf_{i:05d}") for i in range(len(arrays))]
        if len(leaves) != len(expected) or any(
            not isinstance(leaf, np.ndarray) or leaf.shape != other.shape or leaf.dtype != other.dtype
            for leaf, other in zip(leaves, expected, strict=True)
        ):
            raise InputError(f"{path} holds arrays of another model; name another directory")
        return jax.tree.unflatten(treedef, leaves), seconds

    def remove(self, index: int) -> None:
        """Remove what is saved of a lane, if anything is."""
        self._path(index).unlink(missing_ok=True)

    def _path(self, index: int) -> Path:
        return self.directory / f"lane-{index:06d}.npz"
