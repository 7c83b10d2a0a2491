"""Checkpoints of a `RunState` with orbax, which are written in the background and verified when they are read."""

from __future__ import annotations

import functools
import os
import shutil
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import jax
import numpy as np

from regjax.core.dtypes import float_dtype
from regjax.core.errors import InputError
from regjax.core.files import (
    DamagedError,
    remove_stale,
    replace_directory,
    temporary_sibling,
    verify_manifest,
    write_manifest,
)
from regjax.core.tree import leaf_names
from regjax.core.typing import Json, PyTree
from regjax.training.state import RunState, Weights

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

Tree = TypeVar("Tree")
FORMAT = 3


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged, so an earlier one is used."""


class Checkpoints:
    """The checkpoints of one run: the newest `keep` in `DIR/latest/STEP`, and the best one in `DIR/best/STEP`.

    `latest` contains the whole state and `best` the weights of the best evaluation. They are separate, so that neither
    replaces the other. Each checkpoint is an orbax directory with a manifest of the SHA-256 of its files, which is
    verified before anything is read. A checkpoint is written to a temporary directory and renamed, so a killed process
    leaves the previous one intact. In a run of several processes, only process 0 writes, because all have the same
    state, and all processes read, so they must share the directory.

    Args:
      directory: where to write; created when the first checkpoint is saved.
      keep: number of checkpoints to keep, >= 1. Use at least 2, so that a damaged checkpoint can be replaced by an
        earlier one.
      config: JSON that identifies the run and is stored in each checkpoint; checkpoints of other runs are refused.

    Example:
      >>> import tempfile
      >>> Checkpoints(tempfile.mkdtemp()).steps()
      []
    """

    def __init__(self, directory: str | os.PathLike[str], keep: int = 2, config: dict[str, Json] | None = None):
        self.directory = Path(directory).absolute()
        self.keep, self.config = keep, config
        self.writes = jax.process_index() == 0
        self._best_saved: int | None = None
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        if self.writes:
            for kind in ("latest", "best"):
                remove_stale(self.directory / kind, older_than=0.0)  # left behind by a killed process

    def steps(self, kind: str = "latest") -> list[int]:
        """Return the number of updates of each existing checkpoint, ascending.

        Args:
          kind: `"latest"` or `"best"`.
        """
        shelf = self.directory / kind
        return sorted(int(entry.name) for entry in shelf.glob("[0-9]*") if entry.name.isdecimal())

    def save(self, state: RunState, *, wait: bool = False) -> bool:
        """Save a state in the background.

        Args:
          state: the state, which is copied to the host before this returns, so its buffers may be donated.
          wait: whether to wait until the checkpoint is on disk.

        Returns:
          False if nothing was saved, because the last save is still in progress (never with `wait`) or because another
          process does the writing.

        Raises:
          OSError: an earlier save or, with `wait`, this one failed; names the path. Earlier checkpoints are kept.
        """
        if not self.writes:
            return False
        if self._pending is not None:
            if not wait and not self._pending.done():
                return False
            self._pending.result()
        self._pending = self._pool.submit(self._write, jax.tree.map(np.array, state))
        if wait:
            self._pending.result()
        return True

    def restore_latest(self, like: RunState) -> RunState:
        """Restore the newest checkpoint that is not damaged; return `like` if there is no checkpoint.

        Args:
          like: a state with the expected structure, shapes and dtypes, which may consist of `jax.ShapeDtypeStruct`s.

        Raises:
          InputError: the checkpoint belongs to another run, or all checkpoints are damaged.

        Warns:
          CheckpointWarning: names each damaged checkpoint and says what is wrong with it.
        """
        return self._restore("latest", like)

    def restore_best(self, like: Weights) -> Weights:
        """Restore the weights of the best evaluation, like `restore_latest`."""
        return self._restore("best", like)

    def _restore(self, kind: str, like: Tree) -> Tree:
        reasons = []
        for step in reversed(self.steps(kind)):
            path = self.directory / kind / str(step)
            try:
                return self._read(path, like)
            except DamagedError as reason:
                reasons.append(f"{path}: {reason}")
                warnings.warn(f"checkpoint {path} is damaged: {reason}", CheckpointWarning, stacklevel=3)
        if reasons:
            raise InputError(f"no checkpoint can be used; {'; '.join(reasons)}")
        return like

    def _read(self, path: Path, like: Tree) -> Tree:
        facts = verify_manifest(path)
        if facts.get("format") != FORMAT:
            raise InputError(f"checkpoint {path} has format {facts.get('format')}, this version reads {FORMAT}")
        if self.config is not None and facts["config"] is not None and facts["config"] != self.config:
            changed = sorted(
                k for k in {*self.config, *facts["config"]} if self.config.get(k) != facts["config"].get(k)
            )
            raise InputError(f"checkpoint {path} is of a run with other settings: {', '.join(changed)}")
        leaves, treedef = jax.tree.flatten(like)
        expected = _described(like)
        if _apart_from_length(facts["leaves"]) != _apart_from_length(expected):
            pairs = zip(facts["leaves"], expected, strict=False)
            first = next((f"{a} instead of {b}" for a, b in pairs if a != b), "another number of arrays")
            if "float64" in first and "float32" in first:
                first += f"; jax_enable_x64 is {'on' if float_dtype() == np.float64 else 'off'} here, was it there?"
            raise InputError(f"checkpoint {path} does not belong to this run: {first}")
        try:
            saved = _unpacked(np.asarray(self._orbax.restore(path / "state")["bytes"]), facts["leaves"])
            found = [_of_length(array, leaf.shape) for array, leaf in zip(saved, leaves, strict=True)]
        except Exception as error:  # whatever orbax and tensorstore raise
            raise DamagedError(f"it cannot be read ({type(error).__name__}: {str(error).splitlines()[0]})") from None
        return jax.tree.unflatten(treedef, jax.device_put(found))  # one transfer, and nothing to compile

    def _write(self, state: RunState) -> None:
        step, best = int(state.train.step), int(state.stop.best_step)
        self._put("latest", step, state, {"epoch": int(state.epoch), "step": step})
        self._prune("latest", step, self.keep)
        if best >= 0 and best != self._best_saved:
            self._put("best", step, state.best, {"epoch": best, "step": step})
            self._prune("best", step, 1)
            self._best_saved = best

    def _prune(self, kind: str, step: int, keep: int) -> None:
        """Remove all checkpoints except the newest `keep` up to `step`.

        Checkpoints after `step` are damaged, since the run was resumed from an earlier one.
        """
        steps = self.steps(kind)
        kept = [old for old in steps if old <= step][-keep:]
        for old in set(steps) - set(kept):
            shutil.rmtree(self.directory / kind / str(old), ignore_errors=True)

    def _put(self, kind: str, step: int, tree: PyTree, facts: dict[str, Json]) -> None:
        target = self.directory / kind / str(step)
        scratch = temporary_sibling(target)
        try:
            scratch.mkdir(parents=True)
            # All leaves are saved as one array, because orbax takes several times as long for forty small ones.
            # The manifest describes their positions.
            self._orbax.save(scratch / "state", {"bytes": _packed(tree)})
            described = {"format": FORMAT, "leaves": _described(tree), "config": self.config}
            write_manifest(scratch, facts | described)
            replace_directory(scratch, target)
        except Exception as error:  # orbax reports a full disk as a ValueError from tensorstore
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise OSError(f"checkpoint {target} cannot be written: {reason}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @functools.cached_property
    def _orbax(self) -> ocp.Checkpointer:
        """The checkpointer, which is reused because making one takes as long as a save."""
        import orbax.checkpoint as ocp

        process = jax.process_index()
        # By default, all processes would have to save and restore together.
        alone = ocp.options.MultiprocessingOptions(
            primary_host=process, active_processes={process}, barrier_sync_key_prefix=f"process_{process}"
        )
        # Weights hardly compress, and compression takes as long as writing them.
        handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone, use_compression=False)
        return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _apart_from_length(described: list[list[Json]]) -> list[list[Json]]:
    """Return the descriptions without the length of the history, because a resumed run may have more epochs."""
    return [[name, dtype, shape[1:] if name.startswith("history/") else shape] for name, dtype, shape in described]


def _of_length(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resize an array of the history to another number of epochs; return any other array unchanged."""
    if array.shape == shape:
        return array
    empty = np.full(shape, np.nan if array.dtype.kind == "f" else False, array.dtype)
    count = min(len(array), len(empty))
    empty[:count] = array[:count]
    return empty


def _described(tree: PyTree) -> list[list[Json]]:
    """Return name, dtype and shape of each leaf."""
    leaves = zip(leaf_names(tree), jax.tree.leaves(tree), strict=True)
    return [[name, str(leaf.dtype), list(leaf.shape)] for name, leaf in leaves]


def _packed(tree: PyTree) -> np.ndarray:
    """Concatenate the bytes of all leaves."""
    return np.concatenate([np.ascontiguousarray(leaf).reshape(-1).view(np.uint8) for leaf in jax.tree.leaves(tree)])


def _unpacked(content: np.ndarray, described: list[list[Json]]) -> list[np.ndarray]:
    """Restore the leaves from their bytes."""
    found, start = [], 0
    for _, dtype, shape in described:
        kind = jax.numpy.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        found.append(content[start : start + size].view(kind).reshape(shape))
        start += size
    return found
