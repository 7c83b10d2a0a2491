"""Lanes that wait, by program, and the workers that take them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from regjax.sweeps.lane import Place

Work = Callable[[Hashable, list[int], Place], None]


class LaneQueue:
    """Lanes by program: the first worker that takes one of a program compiles it, the others wait until it is done.

    Args:
      waiting: indices of lanes by program.
      at_once: how many lanes of a program a worker takes at a time.
    """

    def __init__(self, waiting: Mapping[Hashable, Iterable[int]], at_once: int):
        self._waiting = {program: collections.deque(lanes) for program, lanes in waiting.items()}
        self._at_once = at_once
        self._warm: set[tuple[Hashable, Place]] = set()
        self._compiling: set[tuple[Hashable, Place]] = set()
        self._failed = False
        self._changed = threading.Condition()

    def drain(self, work: Work, places: Sequence[Place]) -> None:
        """Call `work(program, lanes, place)` until no lane waits; one thread for each entry of `places`.

        The first error ends the queue and is raised.
        """
        with ThreadPoolExecutor(len(places)) as pool:
            futures = [pool.submit(self._worker, work, place) for place in places]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._fail()
                raise

    @property
    def failed(self) -> bool:
        """Whether a worker has raised, or the caller was interrupted: what is running need not go on."""
        return self._failed

    def more(self, program: Hashable, count: int) -> list[int]:
        """Up to `count` further lanes of a program, for a worker that has places free."""
        with self._changed:
            waiting = self._waiting[program]
            return [] if self._failed else [waiting.popleft() for _ in range(min(count, len(waiting)))]

    def _worker(self, work: Work, place: Place) -> None:
        while (taken := self._take(place)) is not None:
            program, lanes = taken
            try:
                work(program, lanes, place)
            except BaseException:
                self._fail()
                raise
            with self._changed:
                self._warm.add((program, place))
                self._compiling.discard((program, place))
                self._changed.notify_all()

    def _take(self, place: Place) -> tuple[Hashable, list[int]] | None:
        with self._changed:
            while not self._failed:
                left = [program for program, lanes in self._waiting.items() if lanes]
                if not left:
                    return None
                cold = [p for p in left if (p, place) not in self._warm | self._compiling]
                ready = [p for p in left if (p, place) in self._warm]
                # Compile early: what is compiled last leaves the other workers without anything to do.
                if cold or ready:
                    program = (cold or ready)[0]
                    if program in cold:
                        self._compiling.add((program, place))
                    lanes = self._waiting[program]
                    return program, [lanes.popleft() for _ in range(min(self._at_once, len(lanes)))]
                self._changed.wait()
            return None

    def _fail(self) -> None:
        with self._changed:
            self._failed = True
            self._changed.notify_all()
