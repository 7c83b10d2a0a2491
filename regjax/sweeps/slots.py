"""Vmapped lanes that do not wait for each other: a lane that stops makes room for the next one.

A host loop trains a few epochs of all lanes in a bucket, then looks who has stopped. Their places go to lanes that
wait; when none waits any more, the lanes that are left move to a bucket of half the size, so at most log2(size)
programs are compiled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from regjax.sweeps import programs
from regjax.sweeps.lane import Lane, Place
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
    """Epochs between two looks: a fiftieth of the run, so that a stopped lane waits for 2% of it at most."""
    return max(1, epochs // 50)


def train_in_slots(
    first: list[int],
    lanes: Sequence[Lane],
    data: TrainData,
    place: Place,
    *,
    more: Callable[[int], list[int]],
    finish: Callable[[list[int], list[RunResult]], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Train lanes of one program side by side.

    Args:
      first: indices of the lanes to begin with; as many lanes train at a time.
      lanes: all lanes.
      data: at the place.
      place: where.
      more: called with the number of free places; gives indices of further lanes of the program.
      finish: called with indices of lanes that are done, and their results.
      stopped: asked after each block of epochs; True gives up the lanes that are not done.
    """
    held: list[int | None] = list(first)
    chosen = [lanes[lane] for lane in first]
    run, hparams, keys, seeds = programs.numbers(chosen, place)
    states = programs.begin(run, hparams, keys, data, seeds, programs.starts(chosen, data, place))
    block = epochs_at_once(run.spec.epochs)
    while True:
        states, going = programs.advance(run, block, states, hparams, keys, data, seeds)
        goes_on = np.asarray(going)
        ended = [slot for slot, lane in enumerate(held) if lane is not None and not goes_on[slot]]
        if stopped():
            return
        if not ended:
            continue
        # In buckets, so that the number of lanes that happen to stop together compiles nothing.
        rows = jnp.asarray([*ended, *[ended[0]] * (bucket(len(ended)) - len(ended))])
        found = programs.fetch(programs.results_of(run, *programs.take((states, hparams), rows)))
        finish([held[slot] for slot in ended], [programs.row_of(found, i) for i in range(len(ended))])  # type: ignore[misc]
        fresh = more(len(ended))
        for slot, lane in itertools.zip_longest(ended, fresh):
            held[slot] = lane
        active = [slot for slot, lane in enumerate(held) if lane is not None]
        if not active:
            return
        if fresh:
            chosen = _filled([lane if lane in fresh else None for lane in held], lanes)
            _, *given = programs.numbers(chosen, place)
            others = programs.begin(run, given[0], given[1], data, given[2], programs.starts(chosen, data, place))
            states = programs.renew(jnp.asarray([lane in fresh for lane in held]), states, others)
        elif bucket(len(active)) < len(held):
            filled = [*active, *[active[0]] * (bucket(len(active)) - len(active))]
            states = programs.take(states, jnp.asarray(filled))
            held = [held[slot] if i < len(active) else None for i, slot in enumerate(filled)]
        else:
            continue
        run, hparams, keys, seeds = programs.numbers(_filled(held, lanes), place)


def _filled(held: Sequence[int | None], lanes: Sequence[Lane]) -> list[Lane]:
    """The lanes that are held; places without one repeat the first."""
    filler = next(lane for lane in held if lane is not None)
    return [lanes[filler if lane is None else lane] for lane in held]
