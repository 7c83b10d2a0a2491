"""Memory: what a program needs, what a device has, and a budget for calls that run at the same time."""

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
from regjax.sweeps.lane import DeviceOrMesh

DEFAULT_LIMIT = "80%"
_UNITS = {"": 1, "B": 1, **{u: 10 ** (3 * i) for i, u in enumerate(["KB", "MB", "GB", "TB"], 1)},
          **{u: 2 ** (10 * i) for i, u in enumerate(["KiB", "MiB", "GiB", "TiB"], 1)}}  # fmt: skip


def parse_memory(text: str, total: int) -> int:
    """A memory limit in bytes, from a share of the total or a size.

    Args:
      text: as `"80%"`, `"6GiB"`, `"500MB"` or `"1000000"`.
      total: bytes of the memory.

    Raises:
      InputError: any other text, or a share above 100%.

    Example:
      >>> parse_memory("50%", 1000), parse_memory("2KiB", 1000)
      (500, 2048)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[KMGT]i?B|B|)\s*", text)
    value = float(match[1]) if match else 0.0
    if match is None or not value or (match[2] == "%" and value > 100):
        raise InputError(f"memory_limit {text!r}: write a share as 80% or a size as 6GiB, 500MB")
    return int(total * value / 100 if match[2] == "%" else value * _UNITS[match[2]])


def shown_bytes(count: float) -> str:
    """A number of bytes as text.

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
    """Memory of a device in bytes; for a CPU, that of the machine or the limit of its container."""
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(Path("/sys/fs/cgroup", name).read_text()))
    return total


def program_memory(function: Any, *arguments: Any) -> int:
    """Bytes that a call of a jitted function needs beside its arguments: results and scratch, as planned by XLA.

    This compiles the function for these arguments; a later call uses the compiled program.
    """
    planned = function.lower(*arguments).compile().memory_analysis()
    if planned is None:  # a backend without memory analysis
        return 0
    return int(planned.temp_size_in_bytes + planned.output_size_in_bytes - planned.alias_size_in_bytes)


def tree_bytes(tree: Any) -> int:
    """Size in bytes of all arrays of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


class MemoryBudget:
    """Limits the bytes that concurrent calls use; a call waits until enough is free.

    Example:
      >>> budget = MemoryBudget(100)
      >>> with budget.reserve(60):
      ...     budget.used
      60
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.used = self.peak = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Reserve `count` bytes for the duration of a `with` block.

        Raises:
          InputError: `count` is above the limit.
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


class MemoryBudgets:
    """A budget for each memory: one for each accelerator, and one that all CPU devices share.

    Args:
      limit: as in `parse_memory`.
      resident: bytes of the data, of which each device holds a copy.
      worker_devices: the devices or mesh rows on which lanes train.
    """

    def __init__(self, limit: str, resident: int, worker_devices: list[DeviceOrMesh]):
        self._of: dict[Any, MemoryBudget] = {}
        counts: dict[Any, set[Any]] = {}
        for device in {member for each in worker_devices for member in local_devices(each)}:
            counts.setdefault(_memory_of(device), set()).add(device)
        for memory, devices in counts.items():
            total = parse_memory(limit, device_memory(next(iter(devices))))
            self._of[memory] = MemoryBudget(total - resident * len(devices))

    def of(self, device: DeviceOrMesh) -> MemoryBudget:
        """The budget of the memory of a device or mesh row."""
        return self._of[_memory_of(local_devices(device)[0])]


def local_devices(device: DeviceOrMesh) -> list[Any]:
    """The device itself, or those devices of a mesh row that belong to this process."""
    if not isinstance(device, Mesh):
        return [device]
    return [member for member in device.devices.flat if member.process_index == jax.process_index()]


def _memory_of(device: Any) -> Any:
    return "host" if device.platform == "cpu" else device
