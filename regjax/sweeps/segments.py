"""Train segments of lanes: from where a lane paused until it pauses again, with its state kept in between."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import PyTree
from regjax.sweeps import programs
from regjax.sweeps.lane import DeviceOrMesh, Lane, data_digest, fingerprint, put, run_on
from regjax.sweeps.memory import MemoryBudgets, program_memory, tree_bytes
from regjax.sweeps.plan import LanePlan, fit_chunk
from regjax.sweeps.replicas import DataReplicas
from regjax.sweeps.slots import train_in_slots
from regjax.sweeps.store import LaneStore
from regjax.training.run import RunResult
from regjax.training.state import RunState, TrainData


class Ended(NamedTuple):
    """The end of a segment.

    Attributes:
      result: of the lane up to there, without its weights.
      epochs: epochs of this segment.
    """

    result: RunResult
    epochs: int


class _Segment(NamedTuple):
    number: int  # of the lane
    until: int  # epochs after which it pauses
    lane: Lane


More = Callable[[], "list[tuple[int, int, Lane]] | None"]
OnEnd = Callable[[int, int, Ended], None]


class SegmentStore:
    """Results of segments and the newest state of each lane on disk, so that an interrupted search goes on.

    Args:
      directory: created when the first result is saved.
      data: of the search.
    """

    def __init__(self, directory: str | os.PathLike[str], data: TrainData):
        self.directory, self._digest = Path(directory), data_digest(data)
        self._shapes = programs.Shapes(data)
        self._states = LaneStore(self.directory / "states")

    def save(self, segment: _Segment, state: RunState | None, ended: Ended) -> None:
        """Save the end of a segment; first the state, so that what has a result has a state to go on from."""
        mark = fingerprint(segment.lane, self._digest)
        if state is not None:
            self._states.save(segment.number, mark, state, 0.0)
        self._results(segment.until).save(segment.number, mark, ended, 0.0)

    def load(self, segment: _Segment) -> Ended | None:
        """The end of a segment; None if it is not there."""

        def shape() -> Ended:
            result = self._shapes.result(segment.lane)
            return Ended(result._replace(weights=None), np.int64(0))  # type: ignore[arg-type]

        found = self._results(segment.until).load(segment.number, fingerprint(segment.lane, self._digest), shape)
        return found and Ended(found[0].result, int(found[0].epochs))

    def state(self, segment: _Segment) -> RunState | None:
        """The newest state of a lane; None if there is none."""
        mark = fingerprint(segment.lane, self._digest)
        found = self._states.load(segment.number, mark, lambda: self._shapes.state(segment.lane))
        return found and found[0]

    def forget(self, number: int) -> None:
        """Remove the state of a lane."""
        self._states.remove(number)

    def _results(self, until: int) -> LaneStore:
        return LaneStore(self.directory / f"epoch-{until:06d}")


class SegmentTrainer:
    """Trains segments on the workers of a plan.

    Args:
      plan: of the lanes.
      data: shared by all lanes.
      store: where ends and states are kept; None keeps the states in memory.
      more: gives further segments as (number of the lane, epochs until it pauses, lane); None if there are none before
        another one has ended. Called by one thread at a time.
      on_end: called with the number of a lane, the epochs and the end, by one thread at a time.
    """

    def __init__(self, plan: LanePlan, data: TrainData, store: SegmentStore | None, more: More, on_end: OnEnd):
        self._plan, self._store, self._more, self._on_end = plan, store, more, on_end
        self._budgets = MemoryBudgets(plan.limit, tree_bytes(data), plan.share.worker_devices)
        self._replicas = DataReplicas(data)
        self._states: dict[int, RunState] = {}
        self._epochs: dict[int, int] = {}  # for which a lane has trained
        self._ready: collections.deque[_Segment] = collections.deque()
        self._under_way = 0
        self._failed = False
        self._changed = threading.Condition()
        self._compiling = threading.Lock()
        self._calls: dict[DeviceOrMesh, tuple[int, int]] = {}  # lanes in a call, and its bytes

    def run(self) -> None:
        """Train until there are no more segments; the first error stops all workers and is raised."""
        devices = self._plan.share.worker_devices
        with ThreadPoolExecutor(len(devices)) as pool:
            futures = [pool.submit(self._worker, device) for device in devices]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._fail()
                raise

    def forget(self, number: int) -> None:
        """Drop the state of a lane that will not go on."""
        self._states.pop(number, None)
        if self._store is not None:
            self._store.forget(number)

    def _worker(self, device: DeviceOrMesh) -> None:
        try:
            while taken := self._take(self._plan.chunk, wait=True):
                self._train(taken, device)
        except BaseException:
            self._fail()
            raise

    def _take(self, count: int, wait: bool) -> list[_Segment]:
        """Up to `count` segments that have to be trained; with `wait`, none only if there will be none."""
        with self._changed:
            taken: list[_Segment] = []
            while not self._failed:
                while len(self._ready) < count and (more := self._more()) is not None:
                    self._ready.extend(_Segment(*one) for one in more)
                if self._ready:
                    segment = self._ready.popleft()
                    ended = self._store and self._store.load(segment)
                    if ended:
                        self._epochs[segment.number] = int(ended.result.epochs)
                        self._on_end(segment.number, segment.until, ended)
                    else:
                        taken.append(segment)
                        self._under_way += 1
                    if len(taken) < count:
                        continue
                if taken or not wait or not self._under_way:
                    break
                self._changed.wait()
            self._changed.notify_all()
            return [] if self._failed else taken

    def _end(self, segments: Sequence[_Segment], states: Sequence[RunState], results: Sequence[RunResult]) -> None:
        """Keep what ended, and tell of it."""
        with self._changed:
            for segment, state, result in zip(segments, states, results, strict=True):
                epochs = int(result.epochs)
                ended = Ended(result._replace(weights=None), epochs - self._epochs.get(segment.number, 0))  # type: ignore[arg-type]
                self._epochs[segment.number] = epochs
                whole = segment.until >= segment.lane.run.spec.epochs
                if self._store is not None:
                    self._store.save(segment, None if whole else state, ended)
                elif not whole:
                    self._states[segment.number] = state
                self._under_way -= 1
                self._on_end(segment.number, segment.until, ended)
            self._changed.notify_all()

    def _state(self, segment: _Segment, data: TrainData, device: DeviceOrMesh) -> RunState:
        """The state in which a segment begins, on the device."""
        state = self._store.state(segment) if self._store is not None else self._states.pop(segment.number, None)
        return programs.first_state(segment.lane, data, device) if state is None else put(state, device)

    def _train(self, segments: list[_Segment], device: DeviceOrMesh) -> None:
        data, budget = self._replicas.on(device), self._budgets.of(device)
        with self._compiling:
            if device not in self._calls:
                self._calls[device] = self._size(segments, data, device, budget.limit)
        size, call_bytes = self._calls[device]
        while segments:
            now, segments = segments[:size], segments[size:]
            with budget.reserve(call_bytes):
                if self._plan.layout == "map":
                    self._train_one(now[0], data, device)
                else:
                    segments = _Slots(self, segments).train(now, data, device)

    def _size(self, segments: Sequence[_Segment], data: TrainData, device: DeviceOrMesh, limit: int) -> tuple[int, int]:
        lanes = [segment.lane for segment in segments]
        if self._plan.layout == "vmap":
            return fit_chunk(self._plan, lanes, data, device, limit)
        state = programs.first_state(lanes[0], data, device)
        arguments = _lane_arguments(segments[0], state, data, device)
        return 1, program_memory(programs.advance_lane, *arguments) + tree_bytes(state)

    def _train_one(self, segment: _Segment, data: TrainData, device: DeviceOrMesh) -> None:
        state = self._state(segment, data, device)
        state, result = programs.advance_lane(*_lane_arguments(segment, state, data, device))
        self._end([segment], [programs.fetch(state)], [programs.fetch(result)])

    def _fail(self) -> None:
        with self._changed:
            self._failed = True
            self._changed.notify_all()


class _Slots:
    """What `train_in_slots` asks of segments side by side, for one worker; an index is that of a segment taken."""

    def __init__(self, trainer: SegmentTrainer, waiting: list[_Segment]):
        self._trainer, self._waiting = trainer, waiting
        self._taken: list[_Segment] = []
        self._paused: list[RunState] = []

    def train(self, first: list[_Segment], data: TrainData, device: DeviceOrMesh) -> list[_Segment]:
        """Train the first segments and those that follow them; returns those that no slot was free for."""
        train_in_slots(
            self._known(first),
            _Lanes(self._taken),
            data,
            device,
            take_more=self._take_more,
            finish=self._finish,
            stopped=lambda: self._trainer._failed,
            segments=self,
        )
        return self._waiting

    def until(self, index: int) -> int:
        """The epochs after which a segment pauses."""
        return self._taken[index].until

    def states(self, indices: Sequence[int], data: TrainData, device: DeviceOrMesh) -> RunState:
        """The states in which segments begin; the fillers of empty slots repeat one."""
        by_index: dict[int, PyTree] = {}
        for index in indices:
            if index not in by_index:
                by_index[index] = self._trainer._state(self._taken[index], data, device)
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[by_index[index] for index in indices])

    def paused(self, indices: Sequence[int], states: Sequence[RunState]) -> None:
        """Keep the states until the results are there."""
        self._paused = list(states)

    def _known(self, segments: Sequence[_Segment]) -> list[int]:
        self._taken.extend(segments)
        return list(range(len(self._taken) - len(segments), len(self._taken)))

    def _take_more(self, count: int) -> list[int]:
        own, self._waiting = self._waiting[:count], self._waiting[count:]
        more = self._trainer._take(count - len(own), wait=False) if len(own) < count else []
        return self._known([*own, *more])

    def _finish(self, indices: list[int], results: list[RunResult]) -> None:
        self._trainer._end([self._taken[index] for index in indices], self._paused, results)


class _Lanes(Sequence[Lane]):
    """The lanes of segments, whose list grows."""

    def __init__(self, segments: Sequence[_Segment]):
        self._segments = segments

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._segments[index].lane

    def __len__(self) -> int:
        return len(self._segments)


def _lane_arguments(segment: _Segment, state: RunState, data: TrainData, device: DeviceOrMesh) -> tuple[PyTree, ...]:
    lane = segment.lane
    numbers = (lane.hparams, lane.key, np.int32(lane.seed), np.int32(segment.until))
    hparams, key, seed, until = put(numbers, device)
    return run_on(lane.run, device), state, hparams, key, data, seed, until
