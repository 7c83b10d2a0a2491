"""Results of lanes on disk, each written when the lane is done, so that a stopped sweep goes on where it was."""

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
from regjax.training.run import RunResult


class LaneWarning(UserWarning):
    """The result of a lane could not be read, and the lane is trained again."""


class LaneStore:
    """A directory with one `.npz` file for each finished lane. Processes of one sweep may share it.

    A file appears by a rename, so a killed process leaves no half of one; its checksums are verified when it is read.

    Args:
      directory: created with the first result.

    Example:
      >>> import tempfile
      >>> LaneStore(tempfile.mkdtemp()).finished()
      []
    """

    def __init__(self, directory: str | os.PathLike[str]):
        self.directory = Path(directory)

    def finished(self) -> list[int]:
        """Indices of the lanes whose results are there."""
        names = [path.stem.removeprefix("lane-") for path in self.directory.glob("lane-*.npz")]
        return sorted(int(name) for name in names if name.isdecimal())

    def save(self, index: int, fingerprint: str, result: RunResult, seconds: float) -> None:
        """Write the result of a lane.

        Args:
          index: of the lane.
          fingerprint: of what it depends on; see `regjax.sweeps.lane.fingerprint`.
          result: on the host.
          seconds: that it took.

        Raises:
          OSError: names the path; what was saved before stays.
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

    def load(self, index: int, fingerprint: str, shape: Callable[[], RunResult]) -> tuple[RunResult, float] | None:
        """The result of a lane and the seconds it took, or None if it is not there (any more).

        Args:
          index: of the lane.
          fingerprint: that the result has to have.
          shape: gives a result of the same structure, called when there is something to read.

        Raises:
          InputError: the result belongs to another lane.
        """
        path = self._path(index)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                found = dict(file)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(f"{path} cannot be read ({error}); lane {index} is trained again", LaneWarning, stacklevel=2)
            return None
        if str(found.pop("fingerprint", "")) != fingerprint:
            raise InputError(f"{path} is of a lane with other data, numbers or seed; name another directory")
        seconds = float(found.pop("seconds"))
        like, treedef = jax.tree.flatten(shape())
        leaves = [found.get(f"leaf_{i:05d}") for i in range(len(found))]
        if len(leaves) != len(like) or any(
            not isinstance(leaf, np.ndarray) or leaf.shape != other.shape or leaf.dtype != other.dtype
            for leaf, other in zip(leaves, like, strict=True)
        ):
            raise InputError(f"{path} holds arrays of another model; name another directory")
        return jax.tree.unflatten(treedef, leaves), seconds

    def _path(self, index: int) -> Path:
        return self.directory / f"lane-{index:06d}.npz"
