"""The queue of waiting lanes, by program, and the worker threads that serve it."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from regjax.sweeps.lane import DeviceOrMesh

TrainWork = Callable[[Hashable, list[int], DeviceOrMesh], None]


class LaneQueue:
    """Waiting lanes by program. One worker compiles a program; others take its lanes once it is compiled.

    Args:
      waiting: indices of the waiting lanes, by program.
      at_once: how many lanes of a program a worker takes at a time.
    """

    def __init__(self, waiting: Mapping[Hashable, Iterable[int]], at_once: int):
        self._waiting = {program: collections.deque(lanes) for program, lanes in waiting.items()}
        self._at_once = at_once
        self._warm: set[tuple[Hashable, DeviceOrMesh]] = set()
        self._compiling: set[tuple[Hashable, DeviceOrMesh]] = set()
        self._failed = False
        self._changed = threading.Condition()

    def drain(self, work: TrainWork, worker_devices: Sequence[DeviceOrMesh]) -> None:
        """Call `work(program, lanes, device)` until no lane waits, in one thread for each entry of `worker_devices`.

        The first error stops all workers and is raised.
        """
        with ThreadPoolExecutor(len(worker_devices)) as pool:
            futures = [pool.submit(self._worker, work, device) for device in worker_devices]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._fail()
                raise

    @property
    def failed(self) -> bool:
        """Whether a worker has raised or the caller was interrupted, so that running lanes need not continue."""
        return self._failed

    def take_more(self, program: Hashable, count: int) -> list[int]:
        """Up to `count` further lanes of a program, for a worker with free slots."""
        with self._changed:
            waiting = self._waiting[program]
            return [] if self._failed else [waiting.popleft() for _ in range(min(count, len(waiting)))]

    def _worker(self, work: TrainWork, device: DeviceOrMesh) -> None:
        while (task := self._take(device)) is not None:
            program, lanes = task
            try:
                work(program, lanes, device)
            except BaseException:
                self._fail()
                raise
            with self._changed:
                self._warm.add((program, device))
                self._compiling.discard((program, device))
                self._changed.notify_all()

    def _take(self, device: DeviceOrMesh) -> tuple[Hashable, list[int]] | None:
        with self._changed:
            while not self._failed:
                pending = [program for program, lanes in self._waiting.items() if lanes]
                if not pending:
                    return None
                cold = [p for p in pending if (p, device) not in self._warm | self._compiling]
                ready = [p for p in pending if (p, device) in self._warm]
                # Programs are compiled first: compiled last, they would leave other workers idle.
                if cold or ready:
                    program = (cold or ready)[0]
                    if program in cold:
                        self._compiling.add((program, device))
                    lanes = self._waiting[program]
                    return program, [lanes.popleft() for _ in range(min(self._at_once, len(lanes)))]
                self._changed.wait()
            return None

    def _fail(self) -> None:
        with self._changed:
            self._failed = True
            self._changed.notify_all()
