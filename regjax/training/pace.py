"""When a host loop acts: how many updates pass between two moments at which it can, and at which of them it saves."""

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
    """Number of updates in a block that takes about a second, so that a signal or a save waits no longer.

    The first blocks have one update and measure its duration. The results of a run do not depend on its blocks.

    Args:
      max_steps: updates of the longest block, at least 1.
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
        """Take the duration of a block into account."""
        self._blocks += 1
        if 1 < self._blocks <= MEASURED_BLOCKS:
            self._fastest = min(self._fastest, max(seconds, 1e-9) / steps)
            self.steps = _agreed(max(min(int(self.seconds / self._fastest), self.max_steps), 1))


class SaveInterval:
    """Which of the moments between blocks are for saving.

    Args:
      epochs: between saves, >= 1; counts where neither of the others is given.
      steps: updates between saves, >= 1.
      seconds: between saves, > 0.
      step: updates that are done.
      clock: seconds from any start.

    Raises:
      ValueError: both steps and seconds, or a value out of range.

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
        """Updates until the next moment for saving, None where that is not a matter of updates."""
        return None if self.steps is None else self.steps - step % self.steps

    def due(self, step: int, epoch: int | None = None) -> bool:
        """Whether it is time.

        Args:
          step: updates that are done.
          epoch: epochs that are done, None inside one.
        """
        if self.steps is not None:
            return step // self.steps > self._step // self.steps
        if self.seconds is not None:
            return self.clock() - self._time >= self.seconds
        return epoch is not None and epoch % self.epochs == 0

    def saved(self, step: int) -> None:
        """A save has begun."""
        self._step, self._time = step, self.clock()


def _agreed(length: int) -> int:
    """The length that process 0 measured: all have to take part in the same blocks."""
    if jax.process_count() == 1:
        return length
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(length)))
