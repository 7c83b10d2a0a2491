"""Files that are written atomically and whose damage is detected; locks between processes."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from regjax.core.typing import Json, Numeric

PIECE_BYTES = 2**20
"""Files are hashed in pieces of this many bytes."""

_HASHERS = 2

STALE_SECONDS = 3600.0
"""Temporary directories older than this are left by a killed process and are removed."""


class DamagedError(Exception):
    """Files differ from what was written; the message says which and how."""


class LockedError(Exception):
    """Another process holds a lock."""


def digest(data: bytes | Numeric) -> str:
    """SHA-256 of bytes or of the bytes of a contiguous array.

    Example:
      >>> digest(b"")[:8]
      'e3b0c442'
    """
    return hashlib.sha256(memoryview(data)).hexdigest()


def file_digests(path: Path, into: memoryview | None = None) -> list[str]:
    """SHA-256 of each `PIECE_BYTES` of a file.

    Hashing is slower than reading, so pieces are hashed on other cores while the next ones are read. One thread
    reads, because disks are fastest when read in order.

    Args:
      path: the file.
      into: bytes to read the file into, as many as it has; None drops what was read.
    """
    digests: list[str] = []
    pending: deque[Future[str]] = deque()
    with path.open("rb") as file, ThreadPoolExecutor(_HASHERS) as pool:
        for piece in _pieces(file, into):
            pending.append(pool.submit(digest, piece))
            if len(pending) > 2 * _HASHERS:  # bounds the memory that a large file takes
                digests.append(pending.popleft().result())
    return digests + [future.result() for future in pending]


def _pieces(file: BufferedReader, into: memoryview | None) -> Iterator[bytes | memoryview]:
    if into is None:
        while piece := file.read(PIECE_BYTES):
            yield piece
    else:
        for start in range(0, len(into), PIECE_BYTES):
            part = into[start : start + PIECE_BYTES]
            yield part[: file.readinto(part)]


def seal(manifest: dict[str, Json]) -> str:
    """SHA-256 of a manifest without its own seal."""
    body = {name: value for name, value in manifest.items() if name != "seal"}
    return digest(json.dumps(body, sort_keys=True).encode())


def write_manifest(directory: Path, facts: dict[str, Json]) -> None:
    """Write `manifest.json`: size and SHA-256 (of each piece) of all files, some facts, and a seal over both.

    Args:
      directory: its files must be complete.
      facts: anything that JSON can hold.
    """
    files = {name: [path.stat().st_size, file_digests(path)] for name, path in _files(directory)}
    manifest = json.loads(json.dumps({"facts": facts, "files": files}))
    (directory / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}, indent=1))


def verify_manifest(directory: Path) -> dict[str, Json]:
    """The facts of a directory, after checking all of its files against the manifest.

    Raises:
      DamagedError: a file is missing, was added, or differs.
    """
    try:
        manifest = json.loads((directory / "manifest.json").read_bytes())
        is_sealed = isinstance(manifest, dict) and manifest.get("seal") == seal(manifest)
    except (OSError, ValueError) as error:
        raise DamagedError(f"its manifest cannot be read ({error})") from None
    if not is_sealed:
        raise DamagedError("its manifest does not match its own checksum")
    paths = dict(_files(directory))
    for name in sorted(paths.keys() ^ manifest["files"].keys()):
        raise DamagedError(f"{name} is {'not of it' if name in paths else 'missing'}")
    for name, (size, sha) in manifest["files"].items():
        try:
            if paths[name].stat().st_size != size:
                raise DamagedError(f"{name} has {paths[name].stat().st_size} bytes, {size} were written")
            if file_digests(paths[name]) != sha:
                raise DamagedError(f"{name} does not match its SHA-256")
        except OSError as error:
            raise DamagedError(f"{name} cannot be read ({error})") from None
    return manifest["facts"]


def temporary_sibling(target: Path) -> Path:
    """A path in the directory of `target` that no other process uses."""
    return target.parent / f".tmp-{target.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def replace_directory(source: Path, target: Path, *, keep: bool = False) -> None:
    """Move directory `source` to `target`, so that readers see the old one or the new one, never a part.

    Where the system cannot exchange two directories in one step (Linux can), there is none for a moment.

    Two processes may do this at the same time: one of them wins, and `target` is complete for both.

    Args:
      source: a complete directory on the same file system.
      target: its new path.
      keep: whether an existing directory at `target` stays.

    Raises:
      OSError: the file system refuses, for another reason than a race.
    """
    for attempt in range(20):
        try:
            source.rename(target)
            return
        except OSError:
            if not target.is_dir():
                if attempt == 19 or not source.is_dir():
                    raise
                continue  # another process has moved the old directory away but not yet moved its new one in
        if keep:
            return
        if _exchanged(source, target):
            shutil.rmtree(source, ignore_errors=True)
            return
        aside = temporary_sibling(target)
        try:
            target.rename(aside)
        except FileNotFoundError:
            continue
        moved = False
        with contextlib.suppress(OSError):  # another process was faster
            source.rename(target)
            moved = True
        shutil.rmtree(aside, ignore_errors=True)
        if moved:
            return
    raise OSError(f"{target} is replaced by other processes all the time")


def _exchanged(source: Path, target: Path) -> bool:
    """Exchange two directories in one step; whether that was possible."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    at_working_directory, exchange = -100, 2
    arguments = at_working_directory, os.fsencode(source), at_working_directory, os.fsencode(target), exchange
    return renameat2 is not None and renameat2(*arguments) == 0


def remove_stale(parent: Path, older_than: float = STALE_SECONDS) -> None:
    """Remove temporary directories that a killed process left in `parent`.

    Args:
      parent: the directory that holds them.
      older_than: age in seconds; 0 if no other process can be running.
    """
    for path in parent.glob(".tmp-*"):
        try:
            is_stale = time.time() - path.stat().st_mtime >= older_than
        except OSError:
            continue
        if is_stale:
            shutil.rmtree(path, ignore_errors=True)


class Lock:
    """An exclusive lock on a file, as a context manager; the system releases it when the process dies.

    Args:
      path: path of the lock file, which is removed afterwards.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with Lock(Path(folder, "a.lock")):
      ...         try:
      ...             Lock(Path(folder, "a.lock")).acquire()
      ...         except LockedError:
      ...             print("taken")
      taken
    """

    def __init__(self, path: Path):
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Acquire the lock.

        Raises:
          LockedError: another process, or another lock of this process, holds it.
          OSError: the file cannot be created.
        """
        import fcntl  # POSIX only, and needed only here

        while True:
            file = self.path.open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise LockedError(f"{self.path} is locked by another process") from None
            try:
                is_same = os.path.samestat(os.fstat(file.fileno()), self.path.stat())
            except FileNotFoundError:
                is_same = False
            if is_same:
                self._file = file
                return
            file.close()  # the holder removed the file after it was opened here and before it was locked

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def __enter__(self) -> Lock:
        """Acquire the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release()


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name != "manifest.json":
            yield name, path
