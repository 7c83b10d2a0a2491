"""Progress on stderr: a progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from regjax.report.words import duration


class Bar:
    """A progress bar with a status text; without a terminal, at most one line every `every` seconds.

    Args:
      what: what is counted, such as `"epochs"`.
      total: total count.
      every: minimum number of seconds between plain lines.
      after: number of seconds after which the progress is shown; what ends before shows nothing.
    """

    def __init__(self, what: str, total: int, every: float = 5.0, after: float = 0.0):
        self.what, self.total, self.every, self.after = what, total, every, after
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
        self._begun, self._first, self._done = self._started, 0, 0  # of the part whose rest is estimated

    def __enter__(self) -> Bar:
        """Start the display."""
        if self._live and not self.after:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the display, and leave it on the screen."""
        if self._live:
            self._live.stop()

    def start_at(self, done: int) -> None:
        """Set the number that was already done when a run was resumed."""
        self._begun, self._first, self._done = time.monotonic(), done, done
        if self._live and self._task is not None:
            self._live.update(self._task, completed=done)

    def update(self, done: int, status: str, total: int | None = None) -> None:
        """Show that `done` are finished, with a status text."""
        self.total = total or self.total
        now = time.monotonic()
        if done <= self._done:  # another part has begun
            self._begun, self._first = now, done
        self._done = done
        if now - self._started < self.after:
            return
        if self._live and self._task is not None:
            self._live.start()  # does nothing if it was started
            self._live.update(self._task, completed=done, total=self.total, status=status)
            return
        if now - self._last >= self.every or done >= self.total:
            self._last = now
            print(
                f"{self.what} {done}/{self.total}  {status}  {now - self._started:.0f} s{self._left(now, done)}",
                file=sys.stderr,
                flush=True,
            )

    def _left(self, now: float, done: int) -> str:
        """The time that is left if the rest goes as fast; empty at the end, and before a twentieth is done.

        The first ones take longer than the rest: they wait for the compiler.
        """
        if done >= self.total or done - self._first < max(1, self.total / 20):
            return ""
        left = (now - self._begun) * (self.total - done) / (done - self._first)
        return f", about {duration(round(left))} left"
