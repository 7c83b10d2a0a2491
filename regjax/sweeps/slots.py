"""Vmapped lanes that do not wait for each other: a lane that stops makes room for the next one.

A host loop trains all lanes of a bucket for a few epochs, then checks which have stopped. Waiting lanes take over
their slots. When none is waiting, the remaining lanes move to a bucket of half the size, so that at most log2(size)
programs are compiled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from regjax.sweeps import programs
from regjax.sweeps.lane import DeviceOrMesh, Lane
from regjax.training.run import RunResult
from regjax.training.state import TrainData


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


def train_in_slots(
    first: list[int],
    lanes: Sequence[Lane],
    data: TrainData,
    device: DeviceOrMesh,
    *,
    take_more: Callable[[int], list[int]],
    finish: Callable[[list[int], list[RunResult]], None],
    stopped: Callable[[], bool] = lambda: False,
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
    """
    slots: list[int | None] = list(first)
    slot_lanes = [lanes[lane] for lane in first]
    run, hparams, keys, seeds = programs.stack_lanes(slot_lanes, device)
    weights = programs.initial_weights(slot_lanes, data, device)
    states = programs.initial_states(run, hparams, keys, data, weights)
    block = epochs_at_once(run.spec.epochs)
    while True:
        states, is_running = programs.advance(run, block, states, hparams, keys, data, seeds)
        still_running = np.asarray(is_running)
        ended = [slot for slot, lane in enumerate(slots) if lane is not None and not still_running[slot]]
        if stopped():
            return
        if not ended:
            continue
        # Padded to a bucket, so that the number of lanes that stop together causes no compilation.
        rows = jnp.asarray([*ended, *[ended[0]] * (bucket(len(ended)) - len(ended))])
        finished = programs.fetch(programs.results_of(run, *programs.take_rows((states, hparams), rows)))
        finish([slots[slot] for slot in ended], [programs.row_of(finished, i) for i in range(len(ended))])  # type: ignore[misc]
        new_lanes = take_more(len(ended))
        for slot, lane in itertools.zip_longest(ended, new_lanes):
            slots[slot] = lane
        active = [slot for slot, lane in enumerate(slots) if lane is not None]
        if not active:
            return
        if new_lanes:
            slot_lanes = _filled([lane if lane in new_lanes else None for lane in slots], lanes)
            _, new_hparams, new_keys, _ = programs.stack_lanes(slot_lanes, device)
            weights = programs.initial_weights(slot_lanes, data, device)
            new_states = programs.initial_states(run, new_hparams, new_keys, data, weights)
            states = programs.replace_states(jnp.asarray([lane in new_lanes for lane in slots]), states, new_states)
        elif bucket(len(active)) < len(slots):
            kept_slots = [*active, *[active[0]] * (bucket(len(active)) - len(active))]
            states = programs.take_rows(states, jnp.asarray(kept_slots))
            slots = [slots[slot] if i < len(active) else None for i, slot in enumerate(kept_slots)]
        else:
            continue
        run, hparams, keys, seeds = programs.stack_lanes(_filled(slots, lanes), device)


def _filled(slots: Sequence[int | None], lanes: Sequence[Lane]) -> list[Lane]:
    """The lane in each slot; empty slots repeat the first lane."""
    filler = next(lane for lane in slots if lane is not None)
    return [lanes[filler if lane is None else lane] for lane in slots]
