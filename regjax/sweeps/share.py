"""Which lanes a process trains and where, and how the results of all processes come together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from regjax.core.errors import InputError
from regjax.core.mesh import data_size, rows_of
from regjax.sweeps.lane import Lane, Place, program_of
from regjax.training.run import RunResult


class Share(NamedTuple):
    """The part of a process in a sweep.

    Attributes:
      lanes: indices of the lanes that it trains.
      places: where; one worker thread for each.
      writes: whether it is the one that keeps their results (of processes that train a lane together, the first).
    """

    lanes: list[int]
    places: list[Place]
    writes: bool


def share_of(count: int, mesh: Mesh | None, workers: int | None) -> Share:
    """The part of this process in a sweep of `count` lanes.

    Every n-th lane goes to the n-th process (or row of the mesh): neighbours in a grid take about as long.

    Args:
      count: lanes in all.
      mesh: from `rj.make_mesh`, or None for the devices of each process.
      workers: host threads; None is one per core on CPU, one per device elsewhere. Without a mesh alone.

    Raises:
      InputError: rows that lie across processes without owning all of their devices.
    """
    if mesh is None:
        devices = jax.local_devices()
        many = workers or (max(cores(), len(devices)) if devices[0].platform == "cpu" else len(devices))
        own = list(range(jax.process_index(), count, jax.process_count()))
        return Share(own, [devices[i % len(devices)] for i in range(many)], True)
    owners = [sorted({device.process_index for device in row.devices.flat}) for row in rows_of(mesh)]
    for i, row in enumerate(owners):
        if len(row) > 1 and any(set(row) & set(other) for j, other in enumerate(owners) if j != i):
            raise InputError(
                f"mesh: row {i} lies across processes {row}, which have other rows too; choose data so that a row is "
                "inside one process or takes all devices of its processes"
            )
    mine = [i for i, row in enumerate(owners) if jax.process_index() in row]
    places: list[Place] = [
        row if data_size(mesh) > 1 else row.devices.item() for i, row in enumerate(rows_of(mesh)) if i in mine
    ]
    lanes = [i for i in range(count) if i % len(owners) in mine]
    return Share(lanes, places, not mine or owners[mine[0]][0] == jax.process_index())


def gathered(
    done: list[RunResult | None], lanes: Sequence[Lane], share: Share, shape_of: Callable[[Lane], RunResult]
) -> list[RunResult]:
    """The results of all lanes on every process.

    Args:
      done: by lane; those of the share of this process are there.
      lanes: of the sweep.
      share: of this process.
      shape_of: gives the shapes of a lane's result, for a process that has none of a program.
    """
    if jax.process_count() == 1:
        return done  # type: ignore[return-value]
    from jax.experimental import multihost_utils

    held = np.zeros(len(lanes), bool)
    held[share.lanes] = share.writes
    holders = np.asarray(multihost_utils.process_allgather(held))
    for program in dict.fromkeys(program_of(lane) for lane in lanes):
        members = [i for i, lane in enumerate(lanes) if program_of(lane) == program]
        # Everybody takes part in each exchange, with as many entries as the process that has most.
        most = int(holders[:, members].sum(axis=1).max())
        own = [i for i in members if holders[jax.process_index(), i]]
        example = (
            done[own[0]]
            if own
            else jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shape_of(lanes[members[0]]))
        )
        rows = [done[i] for i in own] + [example] * (most - len(own))
        stacked = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *rows)
        everything = jax.tree.map(np.asarray, multihost_utils.process_allgather(stacked))
        for process in range(len(holders)):
            for position, i in enumerate(i for i in members if holders[process, i]):
                done[i] = jax.tree.map(lambda leaf: leaf[process, position], everything)  # noqa: B023
    return done  # type: ignore[return-value]


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
