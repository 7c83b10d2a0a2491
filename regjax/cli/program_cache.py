"""The compiled programs that commands keep between starts, and how much room they may take.

JAX finds a program by a hash of its code, of the options and of the versions of JAX and its compiler, so that an old
one is never taken for another.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LIMIT = 2 * 2**30
"""Bytes: some thousand programs."""


def folder() -> Path:
    """Return where the programs are kept: `$XDG_CACHE_HOME/regjax/xla`, or below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regjax" / "xla"


def prune(directory: Path, limit: int = LIMIT) -> None:
    """Remove programs if they take more than the limit: those that were not used for longest, until half of it is left.

    Other processes may read and remove programs at the same time; one that is gone is compiled again. A directory that
    is not there, or that cannot be read, is left as it is.
    """
    found: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                # Reading sets the first of them, on most disks at most once a day.
                found.append((max(facts.st_atime, facts.st_mtime), facts.st_size, entry.path))
    left = sum(size for _, size, _ in found)
    if left <= limit:
        return
    for _, size, path in sorted(found):
        if left <= limit // 2:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        left -= size
