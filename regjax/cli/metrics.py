"""The file metrics.jsonl of a run."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

from regjax.training.events import Callback, EpochEnded, Started
from regjax.training.fit import history_row
from regjax.training.state import RunState


class Metrics(Callback):
    """The file metrics.jsonl, with one line per epoch and without gaps or duplicates after a resume."""

    def __init__(self, path: Path, steps_per_epoch: int, left_out: tuple[str, ...] = ()):
        self.path, self.steps = path, steps_per_epoch
        self.left_out = left_out  # prefixes of columns that are not written
        self._last = time.perf_counter()

    def on_start(self, event: Started) -> None:
        """Open the file."""
        self.open(event.epochs, event.state)

    def on_epoch(self, event: EpochEnded) -> None:
        """Append the line of the epoch."""
        self.write(event.epoch, event.row)

    def open(self, done: int, state: RunState) -> None:
        """Drop the lines of epochs that will be trained again, and rewrite lines that differ from the history."""
        written = self.path.read_bytes().splitlines() if self.path.exists() else []
        lines: list[dict[str, Any]] = []
        restored = 0
        for epoch in range(done):
            line = self._line(epoch, history_row(state, epoch))
            try:
                old = json.loads(written[epoch])
                seconds = old["seconds"]
                sound = old == line | {"seconds": seconds} and isinstance(seconds, float | None)
            except (IndexError, ValueError, KeyError, TypeError, RecursionError):
                sound = False
            restored += not sound
            lines.append(old if sound else line | {"seconds": None})
        if restored:
            warning = (
                f"{restored} of {done} lines were damaged or missing; restored from the checkpoint, without seconds"
            )
            warnings.warn(f"{self.path}: {warning}", stacklevel=2)
        self.path.write_text("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))

    def _line(self, epoch: int, row: dict[str, float]) -> dict[str, Any]:
        line: dict[str, Any] = {"epoch": epoch, "step": (epoch + 1) * self.steps}
        kept = {name: value for name, value in row.items() if not name.startswith(self.left_out)}
        return line | {name: value if abs(value) < float("inf") else None for name, value in kept.items()}

    def write(self, epoch: int, row: dict[str, float]) -> None:
        """Append the line of an epoch; numbers that are not finite become null."""
        now = time.perf_counter()
        line = self._line(epoch, row) | {"seconds": round(now - self._last, 6)}
        self._last = now
        with self.path.open("a") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
