"""How much memory a program takes, how much there is, and who may use it now."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from regjax.core.errors import InputError
from regjax.sweeps.lane import Place

DEFAULT_LIMIT = "80%"
_UNITS = {"": 1, "B": 1, **{u: 10 ** (3 * i) for i, u in enumerate(["KB", "MB", "GB", "TB"], 1)},
          **{u: 2 ** (10 * i) for i, u in enumerate(["KiB", "MiB", "GiB", "TiB"], 1)}}  # fmt: skip


def parse_memory(text: str, total: int) -> int:
    """Bytes of a limit: a share of the memory there is, or a size.

    Args:
      text: as `"80%"`, `"6GiB"`, `"500MB"` or `"1000000"`.
      total: bytes there are.

    Raises:
      InputError: anything else, or a share above 100%.

    Example:
      >>> parse_memory("50%", 1000), parse_memory("2KiB", 1000)
      (500, 2048)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[KMGT]i?B|B|)\s*", text)
    value = float(found[1]) if found else 0.0
    if found is None or not value or (found[2] == "%" and value > 100):
        raise InputError(f"memory_limit {text!r}: write a share as 80% or a size as 6GiB, 500MB")
    return int(total * value / 100 if found[2] == "%" else value * _UNITS[found[2]])


def shown_bytes(count: float) -> str:
    """A number of bytes for people.

    Example:
      >>> shown_bytes(3 * 2**20)
      '3.0 MiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def device_memory(device: Any) -> int:
    """Bytes of a device; of a CPU the memory of the machine, or what its container may use."""
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(Path("/sys/fs/cgroup", name).read_text()))
    return total


def program_memory(function: Any, *arguments: Any) -> int:
    """Bytes that a call of a jitted function takes beside its arguments: results and scratch, as XLA plans them.

    It compiles the function for these arguments; the call afterwards finds it compiled.
    """
    planned = function.lower(*arguments).compile().memory_analysis()
    if planned is None:  # a backend that does not tell
        return 0
    return int(planned.temp_size_in_bytes + planned.output_size_in_bytes - planned.alias_size_in_bytes)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


class Budget:
    """Bytes that calls may take at the same time; a call waits until what it needs is free.

    Example:
      >>> budget = Budget(100)
      >>> with budget.hold(60):
      ...     budget.used
      60
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.used = self.peak = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Have `count` bytes inside the block.

        Raises:
          InputError: more than the limit.
        """
        if count > self.limit:
            raise InputError(
                f"memory_limit: one call needs {shown_bytes(count)} beside the data, "
                f"{shown_bytes(max(self.limit, 0))} are left for it; allow more, or take a smaller model or batch"
            )
        with self._changed:
            while self.used + count > self.limit:
                self._changed.wait()
            self.used += count
            self.peak = max(self.peak, self.used)
        try:
            yield
        finally:
            with self._changed:
                self.used -= count
                self._changed.notify_all()


class Budgets:
    """The budget of each memory: one for each accelerator, one for all CPU devices together.

    Args:
      limit: as in `parse_memory`.
      resident: bytes of the data, which stay on each device.
      places: where lanes train.
    """

    def __init__(self, limit: str, resident: int, places: list[Place]):
        self._of: dict[Any, Budget] = {}
        counts: dict[Any, set[Any]] = {}
        for device in {d for place in places for d in devices_of(place)}:
            counts.setdefault(_memory_of(device), set()).add(device)
        for memory, devices in counts.items():
            total = parse_memory(limit, device_memory(next(iter(devices))))
            self._of[memory] = Budget(total - resident * len(devices))

    def of(self, place: Place) -> Budget:
        """The budget of a place."""
        return self._of[_memory_of(devices_of(place)[0])]


def devices_of(place: Place) -> list[Any]:
    """The devices of a place that this process holds."""
    if not isinstance(place, Mesh):
        return [place]
    return [device for device in place.devices.flat if device.process_index == jax.process_index()]


def _memory_of(device: Any) -> Any:
    return "host" if device.platform == "cpu" else device
