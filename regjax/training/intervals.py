"""The pace of a host loop: how many updates a block has, and after which blocks a checkpoint is saved."""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError

MOST_STEPS = 1024
BLOCK_SECONDS = 1.0
MEASURED_BLOCKS = 8


class BlockLength:
    """Chooses the number of updates of a block such that it takes about a second.

    This limits the delay of signals and saves. The first blocks have one update and measure its duration. The results
    of a run do not depend on its blocks.

    Args:
      max_steps: maximum number of updates in a block, at least 1.
      seconds: intended duration of a block.

    Example:
      >>> block_length = BlockLength(100)
      >>> block_length.record(1, 3.0)  # compiles
      >>> block_length.record(1, 0.1)
      >>> block_length.steps
      10
    """

    def __init__(self, max_steps: int, seconds: float = BLOCK_SECONDS):
        self.max_steps, self.seconds = max_steps, seconds
        self.steps = 1
        self._blocks, self._fastest = 0, np.inf

    def record(self, steps: int, seconds: float) -> None:
        """Record the duration of a block."""
        self._blocks += 1
        if 1 < self._blocks <= MEASURED_BLOCKS:
            self._fastest = min(self._fastest, max(seconds, 1e-9) / steps)
            self.steps = _agreed(max(min(int(self.seconds / self._fastest), self.max_steps), 1))


class SaveInterval:
    """Decides after which blocks a checkpoint is saved.

    Args:
      epochs: number of epochs between saves, >= 1; used if neither `steps` nor `seconds` is given.
      steps: number of updates between saves, >= 1.
      seconds: number of seconds between saves, > 0.
      step: number of updates so far.
      clock: a function that returns the time in seconds.

    Raises:
      ValueError: both steps and seconds are given, or a value is out of range.

    Example:
      >>> saves = SaveInterval(steps=10, step=4)
      >>> saves.room(4), saves.due(9, epoch=1), saves.due(10)
      (6, False, True)
    """

    def __init__(
        self,
        epochs: int = 1,
        steps: int | None = None,
        seconds: float | None = None,
        *,
        step: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        check_range("checkpoint_every", epochs, 1)
        if steps is not None:
            check_range("checkpoint_steps", steps, 1)
        if seconds is not None:
            check_range("checkpoint_seconds", seconds, 0, low_open=True)
        if steps is not None and seconds is not None:
            raise InputError(f"checkpoint_steps {steps} and checkpoint_seconds {seconds} exclude each other")
        self.epochs, self.steps, self.seconds, self.clock = epochs, steps, seconds, clock
        self.saved(step)

    def room(self, step: int) -> int | None:
        """Return the number of updates until the next save; None if saves do not depend on updates."""
        return None if self.steps is None else self.steps - step % self.steps

    def due(self, step: int, epoch: int | None = None) -> bool:
        """Whether a save is due.

        Args:
          step: number of updates so far.
          epoch: number of completed epochs; None within an epoch.
        """
        if self.steps is not None:
            return step // self.steps > self._step // self.steps
        if self.seconds is not None:
            return self.clock() - self._time >= self.seconds
        return epoch is not None and epoch % self.epochs == 0

    def saved(self, step: int) -> None:
        """Record that a save has begun."""
        self._step, self._time = step, self.clock()


def _agreed(length: int) -> int:
    """Return the length that process 0 measured, because all processes must use the same blocks."""
    if jax.process_count() == 1:
        return length
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(length)))
