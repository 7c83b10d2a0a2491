"""The share of a process; several processes that exchange results are tested in `tests/system/devices`."""

import dataclasses

import jax
import pytest

from regjax.core.errors import InputError
from regjax.core.mesh import make_mesh
from regjax.sweeps.share import cores, gather_results, process_share


@dataclasses.dataclass(frozen=True)
class Device:
    """What a mesh holds of a process; this one is number 0."""

    id: int
    process_index: int


def mesh_of(lane, data, *processes):
    return make_mesh(lane, data, devices=[Device(i, process) for i, process in enumerate(processes)])


def test_without_a_mesh_a_worker_for_each_core():
    share = process_share(3, None, None)
    assert share.lanes == [0, 1, 2]
    assert share.writes
    assert len(share.worker_devices) == max(cores(), len(jax.local_devices()))
    assert set(share.worker_devices) <= set(jax.local_devices())
    assert len(process_share(3, None, 5).worker_devices) == 5


def test_lanes_are_dealt_to_the_rows_in_turn():
    share = process_share(5, mesh_of(3, 1, 0, 1, 0), None)
    assert share.lanes == [0, 2, 3]  # the rows 0 and 2
    assert [device.id for device in share.worker_devices] == [0, 2]
    assert share.writes


def test_a_row_of_several_devices_is_one_worker():
    share = process_share(4, mesh_of(2, 2, 0, 0, 1, 1), None)
    assert share.lanes == [0, 2]
    (row,) = share.worker_devices
    assert [device.id for device in row.devices.flat] == [0, 1]


@pytest.mark.parametrize(("processes", "writes"), [((0, 1), True), ((-1, 0), False)])
def test_of_processes_that_train_together_the_first_writes(processes, writes):
    share = process_share(3, mesh_of(1, 2, *processes), None)
    assert (share.lanes, share.writes) == ([0, 1, 2], writes)


def test_a_process_without_a_row_has_no_lanes_and_nothing_to_write():
    share = process_share(3, mesh_of(1, 1, 1), None)
    assert (share.lanes, share.worker_devices) == ([], [])


def test_a_row_across_processes_that_have_other_rows_is_refused():
    with pytest.raises(InputError, match=r"mesh: row 0 lies across processes \[0, 1\]"):
        process_share(3, mesh_of(2, 2, 0, 1, 1, 1), None)


def test_one_process_has_all_results_already():
    results = ["first", "second"]
    assert gather_results(results, [], process_share(2, None, None), lambda lane: None) is results
