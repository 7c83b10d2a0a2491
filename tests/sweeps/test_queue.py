import threading

import pytest

from regjax.sweeps.queue import LaneQueue


def test_every_lane_is_trained_once_with_others_of_its_program():
    seen = []
    queue = LaneQueue({"a": range(5), "b": [5, 6]}, at_once=2)
    queue.drain(lambda program, lanes, device: seen.append((program, lanes, device)), ["one", "two", "three"])
    assert sorted(lane for _, lanes, _ in seen for lane in lanes) == list(range(7))
    assert all(len(lanes) <= 2 for _, lanes, _ in seen)
    assert all((program == "b") == (lanes[0] >= 5) for program, lanes, _ in seen)
    assert not queue.failed
    assert queue.take_more("a", 3) == []


def test_programs_are_compiled_before_lanes_of_a_compiled_one_go_on():
    order = []
    queue = LaneQueue({"a": [0, 1], "b": [2]}, at_once=1)
    queue.drain(lambda program, lanes, device: order.extend(lanes), ["one"])
    assert order == [0, 2, 1]


def test_one_worker_of_a_device_compiles_while_the_other_waits_for_it():
    calls, first_is_done = [], threading.Event()

    def work(program, lanes, device):
        if lanes != [0]:
            assert first_is_done.is_set(), "began before the program was compiled"
        calls.append(lanes)
        if lanes == [0]:
            # The second worker has nothing that it may take, until this returns.
            threading.Event().wait(0.05)
            first_is_done.set()

    LaneQueue({"a": range(4)}, at_once=1).drain(work, ["one", "one"])
    assert sorted(calls) == [[0], [1], [2], [3]]


def test_a_program_is_compiled_for_each_device():
    both = threading.Barrier(2, timeout=10)  # passes only if two workers compile at the same time
    LaneQueue({"a": [0, 1]}, at_once=1).drain(lambda program, lanes, device: both.wait(), ["one", "two"])


def test_free_slots_take_further_lanes():
    queue = LaneQueue({"a": range(5)}, at_once=2)
    taken = []

    def work(program, lanes, device):
        taken.extend([lanes, queue.take_more("a", 2), queue.take_more("a", 2)])

    queue.drain(work, ["one"])
    assert taken == [[0, 1], [2, 3], [4]]


def test_the_first_error_stops_all_workers():
    queue = LaneQueue({"a": range(100)}, at_once=1)
    started = []

    def work(program, lanes, device):
        started.append(lanes)
        if lanes == [0]:
            raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        queue.drain(work, ["one", "one"])
    assert queue.failed
    assert started == [[0]]  # no other could begin before the program was compiled
    assert queue.take_more("a", 5) == []
