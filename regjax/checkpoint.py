"""Checkpoints of a `RunState` through orbax, written beside the training."""

from __future__ import annotations

import functools
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from regjax.checks import InputError
from regjax.epoch import RunState


class Checkpoints:
    """The checkpoints of one run: `DIR/EPOCHS_DONE`, of which the newest `keep` stay.

    A checkpoint appears by a rename, so a killed process leaves the previous one whole. In a run of several processes
    process 0 alone writes, since all hold the same state, and all read: the directory has to be one that they share.

    Args:
      directory: created when the first checkpoint is saved.
      keep: how many stay, >= 1.

    Example:
      >>> import tempfile
      >>> Checkpoints(tempfile.mkdtemp()).epochs()
      []
    """

    def __init__(self, directory: str | os.PathLike[str], keep: int = 2):
        self.directory = Path(directory).absolute()
        self.keep = keep
        self.writes = jax.process_index() == 0
        if self.writes:
            for unfinished in self.directory.glob("*.orbax-checkpoint-tmp*"):  # of a process that was killed
                shutil.rmtree(unfinished, ignore_errors=True)
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def epochs(self) -> list[int]:
        """The epochs of the checkpoints there are, ascending."""
        if not self.directory.is_dir():
            return []
        return sorted(int(entry.name) for entry in self.directory.iterdir() if entry.name.isdecimal())

    def save(self, epoch: int, state: RunState, *, wait: bool = False) -> bool:
        """Save a state in the background.

        Args:
          epoch: epochs done.
          state: copied to the host before this returns, so its buffers may be donated.
          wait: return only when the checkpoint is on disk.

        Returns:
          False if it was left out because the last save is still being written (never with `wait`), or because
          another process writes.

        Raises:
          OSError: an earlier save or, with `wait`, this one failed.
        """
        if not self.writes:
            return False
        if self._pending is not None:
            if not wait and not self._pending.done():
                return False
            self._pending.result()
        host = jax.tree.map(np.array, state)
        self._pending = self._pool.submit(self._write, epoch, host)
        if wait:
            self._pending.result()
        return True

    def restore_latest(self, like: RunState) -> RunState:
        """The newest checkpoint, or `like` when there is none.

        Args:
          like: a state with the structure, shapes and dtypes that are expected.

        Raises:
          InputError: the checkpoint holds other arrays than this run.
        """
        epochs = self.epochs()
        if not epochs:
            return like
        leaves, treedef = jax.tree.flatten(like)
        path = self.directory / str(epochs[-1])
        saved = self._orbax.restore(path)
        found = [saved.get(_name(i)) for i in range(len(leaves))]
        if len(saved) != len(leaves) or any(
            a is None or a.shape != b.shape or a.dtype != b.dtype for a, b in zip(found, leaves, strict=True)
        ):
            raise InputError(f"checkpoint {path} does not belong to this run: other arrays, shapes or dtypes")
        return jax.tree.unflatten(treedef, [jax.numpy.asarray(leaf) for leaf in found])

    @functools.cached_property
    def _orbax(self) -> Any:
        """One checkpointer for all saves; to make one takes as long as a save."""
        import orbax.checkpoint as ocp

        own = jax.process_index()
        # Alone: by default all processes would have to save and restore together.
        alone = ocp.options.MultiprocessingOptions(
            primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process_{own}"
        )
        handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
        return ocp.Checkpointer(handler, multiprocessing_options=alone)

    def _write(self, epoch: int, state: RunState) -> None:
        # Positional names: the state's structure is fixed by the run, and orbax need not know its types.
        leaves = {_name(i): leaf for i, leaf in enumerate(jax.tree.leaves(state))}
        self._orbax.save(self.directory / str(epoch), leaves, force=True)
        for old in self.epochs()[: -self.keep]:
            shutil.rmtree(self.directory / str(old), ignore_errors=True)


def _name(index: int) -> str:
    return f"{index:05d}"
