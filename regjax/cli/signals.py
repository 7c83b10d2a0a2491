"""Signals that end a run cleanly."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any


class Signals:
    """Records SIGINT and SIGTERM, so that the run ends between two blocks; a second signal ends it immediately.

    A signal within two seconds counts as the same one, because Slurm signals both a watcher and its member, and the
    watcher forwards the signal.
    """

    def __init__(self) -> None:
        self.received = False
        self._first = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        del frame
        if self.received and time.monotonic() - self._first < 2.0:
            return
        if self.received:
            raise KeyboardInterrupt
        self.received, self._first = True, time.monotonic()
        print(f"\n{signal.Signals(number).name}: saving after this block of updates", file=sys.stderr)
