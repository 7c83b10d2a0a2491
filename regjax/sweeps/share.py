"""Which lanes each process trains and on which devices, and how the results are exchanged."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from regjax.core.errors import InputError
from regjax.core.mesh import data_size, rows_of
from regjax.sweeps.lane import DeviceOrMesh, Lane, program_of
from regjax.training.run import RunResult


class ProcessShare(NamedTuple):
    """The lanes that one process of a sweep trains.

    Attributes:
      lanes: indices of the lanes.
      worker_devices: the device or mesh row of each worker thread.
      writes: whether this process saves the results; of processes that train a lane together, the first one does.
    """

    lanes: list[int]
    worker_devices: list[DeviceOrMesh]
    writes: bool


def process_share(count: int, mesh: Mesh | None, workers: int | None) -> ProcessShare:
    """The share of this process in a sweep of `count` lanes.

    Lanes are dealt out to processes (or mesh rows) in turn, because neighbours in a grid take about as long.

    Args:
      count: number of lanes of the sweep.
      mesh: from `rj.make_mesh`, or None for the devices of each process.
      workers: host threads; None is one per core on CPU, one per device elsewhere. Not used with a mesh.

    Raises:
      InputError: a row spans several processes and does not contain all of their devices.
    """
    if mesh is None:
        devices = jax.local_devices()
        worker_count = workers or (max(cores(), len(devices)) if devices[0].platform == "cpu" else len(devices))
        lanes = list(range(jax.process_index(), count, jax.process_count()))
        return ProcessShare(lanes, [devices[i % len(devices)] for i in range(worker_count)], True)
    row_processes = [sorted({device.process_index for device in row.devices.flat}) for row in rows_of(mesh)]
    for i, row in enumerate(row_processes):
        if len(row) > 1 and any(set(row) & set(other) for j, other in enumerate(row_processes) if j != i):
            raise InputError(
                f"mesh: row {i} lies across processes {row}, which have other rows too; choose data so that a row is "
                "inside one process or takes all devices of its processes"
            )
    local_rows = [i for i, row in enumerate(row_processes) if jax.process_index() in row]
    worker_devices: list[DeviceOrMesh] = [
        row if data_size(mesh) > 1 else row.devices.item() for i, row in enumerate(rows_of(mesh)) if i in local_rows
    ]
    lanes = [i for i in range(count) if i % len(row_processes) in local_rows]
    return ProcessShare(lanes, worker_devices, not local_rows or row_processes[local_rows[0]][0] == jax.process_index())


def gather_results(
    results: list[RunResult | None], lanes: Sequence[Lane], share: ProcessShare, shape_of: Callable[[Lane], RunResult]
) -> list[RunResult]:
    """Exchange results, so that every process has those of all lanes.

    Args:
      results: by lane; those of this process are not None.
      lanes: all lanes of the sweep.
      share: of this process.
      shape_of: gives the shapes of a lane's result, for a process that has no result of a program.
    """
    if jax.process_count() == 1:
        return results  # type: ignore[return-value]
    from jax.experimental import multihost_utils

    saves = np.zeros(len(lanes), bool)
    saves[share.lanes] = share.writes
    savers = np.asarray(multihost_utils.process_allgather(saves))
    for program in dict.fromkeys(program_of(lane) for lane in lanes):
        members = [i for i, lane in enumerate(lanes) if program_of(lane) == program]
        # All processes take part in each exchange, padded to the largest number of results of any process.
        most = int(savers[:, members].sum(axis=1).max())
        local = [i for i in members if savers[jax.process_index(), i]]
        filler = (
            results[local[0]]
            if local
            else jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shape_of(lanes[members[0]]))
        )
        rows = [results[i] for i in local] + [filler] * (most - len(local))
        stacked = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *rows)
        exchanged = jax.tree.map(np.asarray, multihost_utils.process_allgather(stacked))
        for process in range(len(savers)):
            for position, i in enumerate(i for i in members if savers[process, i]):
                results[i] = jax.tree.map(lambda leaf: leaf[process, position], exchanged)  # noqa: B023
    return results  # type: ignore[return-value]


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
