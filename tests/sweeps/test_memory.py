import threading
import time

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import regjax as rj
from regjax.sweeps.memory import MemoryBudget, device_memory, parse_memory, program_memory, shown_bytes, tree_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [("80%", 800), ("100%", 1000), ("0.5%", 5), ("123", 123), ("2KB", 2000), ("2KiB", 2048), ("1.5 MiB", 1572864)],
)
def test_limits_are_read(text, count):
    assert parse_memory(text, 1000) == count


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "lots", "-1GB", "1 QB", "8GiB extra", "nan"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(rj.InputError, match="write a share as 80% or a size as 6GiB"):
        parse_memory(text, 1000)


@given(st.integers(0, 2**45))
def test_shown_bytes_are_within_rounding(count):
    number, unit = shown_bytes(count).split()
    size = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]
    assert abs(float(number) * size - count) <= max(0.051 * size, 0.5)


def test_a_budget_is_never_exceeded_and_everybody_gets_through():
    budget, running, most = MemoryBudget(10), [], []
    lock = threading.Lock()

    def call(count):
        with budget.reserve(count):
            with lock:
                running.append(count)
                most.append(sum(running))
            time.sleep(0.001)
            with lock:
                running.remove(count)

    threads = [threading.Thread(target=call, args=(1 + i % 6,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40
    assert max(most) <= 10
    assert (budget.used, budget.peak) == (0, max(most))


def test_more_than_the_whole_budget_is_refused_at_once():
    with (
        pytest.raises(rj.InputError, match=r"one call needs 2.0 KiB beside the data, 1.0 KiB are left"),
        MemoryBudget(1024).reserve(2048),
    ):
        pass


def test_the_memory_of_a_program_is_what_xla_plans():
    function = jax.jit(lambda x: jnp.sin(x) @ jnp.cos(x))
    taken = program_memory(function, jnp.ones((256, 256)))
    # One result, two factors; XLA may add a little or reuse a factor.
    assert 2 * 256 * 256 * 4 <= taken <= 6 * 256 * 256 * 4


def test_the_machine_has_memory_and_trees_have_sizes():
    assert device_memory(jax.devices()[0]) > 2**28
    assert tree_bytes({"a": jnp.zeros((3, 2)), "b": jnp.zeros(5, jnp.int32)}) == 44
