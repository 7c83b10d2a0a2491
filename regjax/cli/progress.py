"""Progress on stderr: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A bar with a changing text; without a terminal a line at most every `every` seconds.

    Args:
      what: what is counted, as `"epochs"`.
      total: how many there are.
      every: seconds between plain lines.
    """

    def __init__(self, what: str, total: int, every: float = 5.0):
        self.what, self.total, self.every = what, total, every
        console = Console(stderr=True)
        self._live = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[status]}"),
                console=console,
            )
            if console.is_terminal
            else None
        )
        self._task = self._live.add_task(what, total=total, status="") if self._live else None
        self._started = self._last = time.monotonic()

    def __enter__(self) -> Bar:
        """Start the display."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the display as it is."""
        if self._live:
            self._live.stop()

    def start_at(self, done: int) -> None:
        """Say that so many were done before (a resumed run)."""
        if self._live and self._task is not None:
            self._live.update(self._task, completed=done)

    def update(self, done: int, status: str, total: int | None = None) -> None:
        """Show that `done` are finished, with a few words about the last one."""
        self.total = total or self.total
        if self._live and self._task is not None:
            self._live.update(self._task, completed=done, total=self.total, status=status)
            return
        now = time.monotonic()
        if now - self._last >= self.every or done >= self.total:
            self._last = now
            print(
                f"{self.what} {done}/{self.total}  {status}  {now - self._started:.0f} s",
                file=sys.stderr,
                flush=True,
            )


def epoch_status(row: dict[str, float], wait: int, patience: int) -> str:
    """The words beside the bar of a training run: losses, metric, and the countdown of early stopping."""
    metric = "accuracy" if "val/accuracy" in row else "r2"
    words = f"loss {row['train/loss']:.4f}  val {row['val/loss']:.4f}  {metric} {row[f'val/{metric}']:.3f}"
    if patience < 2**31 - 1:
        words += f"  stops in {max(patience - wait, 0)}"
    return words
