"""Files that appear whole or not at all, and can be told from damaged ones; for one process at a time, or for many."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

PIECE_BYTES = 2**20
"""Files are hashed in pieces of so many bytes."""

_HASHERS = 2

STALE_SECONDS = 3600.0
"""Temporary directories older than this belong to a process that was killed, and are removed."""


class DamagedError(Exception):
    """Files are not what was written; the text says which and why."""


class LockedError(Exception):
    """Another process holds a lock."""


def digest(data: Any) -> str:
    """SHA-256 of bytes or of the bytes of a contiguous array.

    Example:
      >>> digest(b"")[:8]
      'e3b0c442'
    """
    return hashlib.sha256(memoryview(data)).hexdigest()


def file_digests(path: Path) -> list[str]:
    """SHA-256 of each `PIECE_BYTES` of a file.

    One SHA-256 takes longer than a disk does; pieces are hashed on other cores while the next ones are read. One
    thread reads, because disks are fastest in order.
    """
    found: list[str] = []
    waiting: deque[Future[str]] = deque()
    with path.open("rb") as file, ThreadPoolExecutor(_HASHERS) as pool:
        while piece := file.read(PIECE_BYTES):
            waiting.append(pool.submit(digest, piece))
            if len(waiting) > 2 * _HASHERS:  # no more of a large file in memory
                found.append(waiting.popleft().result())
    return found + [future.result() for future in waiting]


def seal(manifest: dict[str, Any]) -> str:
    """SHA-256 of everything in a manifest but the seal itself."""
    body = {name: value for name, value in manifest.items() if name != "seal"}
    return digest(json.dumps(body, sort_keys=True).encode())


def write_manifest(directory: Path, facts: dict[str, Any]) -> None:
    """Write `manifest.json`: sizes and SHA-256 (by pieces) of all files of a directory, facts, and a seal over both.

    Args:
      directory: whose files are complete.
      facts: JSON of any kind.
    """
    files = {name: [path.stat().st_size, file_digests(path)] for name, path in _files(directory)}
    manifest = json.loads(json.dumps({"facts": facts, "files": files}))
    (directory / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}, indent=1))


def verify_manifest(directory: Path) -> dict[str, Any]:
    """The facts of a directory, once all of its files are known to be what was written.

    Raises:
      DamagedError: a file is missing, too many, or differs.
    """
    try:
        manifest = json.loads((directory / "manifest.json").read_bytes())
        sound = isinstance(manifest, dict) and manifest.get("seal") == seal(manifest)
    except (OSError, ValueError) as error:
        raise DamagedError(f"its manifest cannot be read ({error})") from None
    if not sound:
        raise DamagedError("its manifest does not match its own checksum")
    found = dict(_files(directory))
    for name in sorted(found.keys() ^ manifest["files"].keys()):
        raise DamagedError(f"{name} is {'not of it' if name in found else 'missing'}")
    for name, (size, sha) in manifest["files"].items():
        try:
            if found[name].stat().st_size != size:
                raise DamagedError(f"{name} has {found[name].stat().st_size} bytes, {size} were written")
            if file_digests(found[name]) != sha:
                raise DamagedError(f"{name} does not match its SHA-256")
        except OSError as error:
            raise DamagedError(f"{name} cannot be read ({error})") from None
    return manifest["facts"]


def temporary_sibling(target: Path) -> Path:
    """A name beside `target`, on the same file system, that no other process uses."""
    return target.parent / f".tmp-{target.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def replace_directory(source: Path, target: Path, *, keep: bool = False) -> None:
    """Put directory `source` at `target`, so that readers see the old one, nothing, or the new one, complete.

    Two processes may do this at once: one of them wins, and both have a complete `target` afterwards.

    Args:
      source: a complete directory on the same file system.
      target: where it goes.
      keep: a directory that is at `target` already stays.

    Raises:
      OSError: the file system refuses for another reason than a race.
    """
    for attempt in range(20):
        try:
            source.rename(target)
            return
        except OSError:
            if not target.is_dir():
                if attempt == 19 or not source.is_dir():
                    raise
                continue  # the other process has moved its old directory away and not yet put the new one
        if keep:
            return
        aside = temporary_sibling(target)
        try:
            target.rename(aside)
        except FileNotFoundError:
            continue
        shutil.rmtree(aside, ignore_errors=True)
    raise OSError(f"{target} is replaced by other processes all the time")


def remove_stale(parent: Path, older_than: float = STALE_SECONDS) -> None:
    """Remove temporary directories that a killed process has left in `parent`.

    Args:
      parent: where they are.
      older_than: seconds; 0 where no other process can be at work.
    """
    for path in parent.glob(".tmp-*"):
        try:
            old = time.time() - path.stat().st_mtime >= older_than
        except OSError:
            continue
        if old:
            shutil.rmtree(path, ignore_errors=True)


class Lock:
    """An exclusive lock on a name, as a context manager; the system releases it when the process dies.

    Args:
      path: of the lock file; it is removed afterwards.

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
        self._file: Any = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
          LockedError: another process, or another lock of this one, holds it.
          OSError: the file cannot be made.
        """
        import fcntl  # POSIX; nothing else here needs it

        while True:
            file = self.path.open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise LockedError(f"{self.path} is locked by another process") from None
            try:
                same = os.path.samestat(os.fstat(file.fileno()), self.path.stat())
            except FileNotFoundError:
                same = False
            if same:
                self._file = file
                return
            file.close()  # its holder removed the file between our opening and our locking it

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def __enter__(self) -> Lock:
        """Take the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.release()


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name != "manifest.json":
            yield name, path
