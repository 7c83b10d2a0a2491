"""Vmapped lanes that do not wait for each other: a lane that stops makes room for the next one.

A host loop trains all lanes of a bucket for a few epochs, then checks which have stopped. Waiting lanes take over
their slots. When none is waiting, the remaining lanes move to a bucket of half the size, so that at most log2(size)
programs are compiled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array
from regjax.sweeps import programs
from regjax.sweeps.lane import DeviceOrMesh, Lane, put
from regjax.training.run import RunResult
from regjax.training.state import RunState, TrainData


def bucket(count: int) -> int:
    """The smallest power of two that is not below `count`.

    Example:
      >>> [bucket(n) for n in (1, 2, 3, 5, 64)]
      [1, 2, 4, 8, 64]
    """
    return 1 << (count - 1).bit_length()


def epochs_at_once(epochs: int) -> int:
    """Epochs between two checks: a fiftieth of the run, so that a stopped lane idles for at most 2% of it."""
    return max(1, epochs // 50)


class Segments(Protocol):
    """Lanes that train for a part of their epochs, from where they paused."""

    def until(self, index: int) -> int:
        """The number of epochs after which a lane pauses."""

    def states(self, indices: Sequence[int], data: TrainData, device: DeviceOrMesh) -> RunState:
        """The states in which lanes begin, stacked, on the device."""

    def paused(self, indices: Sequence[int], states: Sequence[RunState]) -> None:
        """Take the states in which lanes pause or end, before `finish` is called."""


def train_in_slots(
    first: list[int],
    lanes: Sequence[Lane],
    data: TrainData,
    device: DeviceOrMesh,
    *,
    take_more: Callable[[int], list[int]],
    finish: Callable[[list[int], list[RunResult]], None],
    stopped: Callable[[], bool] = lambda: False,
    segments: Segments | None = None,
) -> None:
    """Train lanes of one program side by side.

    Args:
      first: indices of the first lanes, one for each slot.
      lanes: all lanes.
      data: on the device.
      device: where the lanes train.
      take_more: called with the number of free slots; returns indices of further lanes of the program.
      finish: called with the indices of finished lanes and their results.
      stopped: called after each block of epochs; True abandons the unfinished lanes.
      segments: None trains each lane from its start to its end.
    """

    def begin(occupants: Sequence[int]) -> RunState:
        if segments is not None:
            return segments.states(occupants, data, device)
        of = [lanes[index] for index in occupants]
        run, hparams, keys, _ = programs.stack_lanes(of, device)
        return programs.initial_states(run, hparams, keys, data, programs.initial_weights(of, data, device))

    def ends() -> Array:
        """For each slot the epochs after which it pauses; an empty one does not train."""
        if segments is None:
            return put(np.full(len(slots), run.spec.epochs, np.int32), device)
        return put(np.array([0 if index is None else segments.until(index) for index in slots], np.int32), device)

    slots: list[int | None] = list(first)
    run, hparams, keys, seeds = programs.stack_lanes([lanes[lane] for lane in first], device)
    states = begin(first)
    block = epochs_at_once(run.spec.epochs)
    while True:
        states, is_running = programs.advance(run, block, states, hparams, keys, data, seeds, ends())
        still_running = np.asarray(is_running)
        ended = [slot for slot, lane in enumerate(slots) if lane is not None and not still_running[slot]]
        if stopped():
            return
        if not ended:
            continue
        # Padded to a bucket, so that the number of lanes that stop together causes no compilation.
        rows = jnp.asarray([*ended, *[ended[0]] * (bucket(len(ended)) - len(ended))])
        ended_states, ended_hparams = programs.take_rows((states, hparams), rows)
        finished = programs.fetch(programs.results_of(run, ended_states, ended_hparams))
        if segments is not None:
            paused = programs.fetch(ended_states)
            segments.paused([slots[slot] for slot in ended], [programs.row_of(paused, i) for i in range(len(ended))])  # type: ignore[misc]
        finish([slots[slot] for slot in ended], [programs.row_of(finished, i) for i in range(len(ended))])  # type: ignore[misc]
        new_lanes = take_more(len(ended))
        for slot, lane in itertools.zip_longest(ended, new_lanes):
            slots[slot] = lane
        active = [slot for slot, lane in enumerate(slots) if lane is not None]
        if not active:
            return
        if new_lanes:
            new_states = begin(_filled([lane if lane in new_lanes else None for lane in slots]))
            states = programs.replace_states(jnp.asarray([lane in new_lanes for lane in slots]), states, new_states)
        elif bucket(len(active)) < len(slots):
            kept_slots = [*active, *[active[0]] * (bucket(len(active)) - len(active))]
            states = programs.take_rows(states, jnp.asarray(kept_slots))
            slots = [slots[slot] if i < len(active) else None for i, slot in enumerate(kept_slots)]
        else:
            continue
        run, hparams, keys, seeds = programs.stack_lanes([lanes[index] for index in _filled(slots)], device)


def _filled(slots: Sequence[int | None]) -> list[int]:
    """The lane in each slot; empty slots repeat the first lane."""
    filler = next(lane for lane in slots if lane is not None)
    return [filler if lane is None else lane for lane in slots]
