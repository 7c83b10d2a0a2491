"""The layout of the lanes of a sweep over processes, devices and time, with its reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from regjax.catalog import LAYOUTS
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.mesh import data_size
from regjax.sweeps import programs
from regjax.sweeps.lane import DeviceOrMesh, Lane, program_of, put
from regjax.sweeps.memory import (
    DEFAULT_LIMIT,
    MemoryBudgets,
    device_memory,
    local_devices,
    parse_memory,
    program_memory,
    shown_bytes,
    tree_bytes,
)
from regjax.sweeps.share import ProcessShare, process_share
from regjax.sweeps.slots import bucket, epochs_at_once
from regjax.training.state import TrainData


@dataclasses.dataclass(frozen=True)
class LanePlan:
    """The layout of a sweep.

    Attributes:
      layout: `"map"`: one lane for each call; `"vmap"`: lanes of one program train side by side.
      lanes: number of lanes.
      programs: number of compiled programs, without the smaller ones that compaction adds.
      share: lanes and devices of this process.
      chunk: lanes in one call; 1 with `"map"`.
      compact: whether the slot of a vmapped lane that has stopped goes to another lane.
      platform: of the devices.
      devices: number of devices, over all processes.
      split: number of devices that share each batch.
      data_bytes: bytes of the data on each device.
      call_bytes: bytes that a call of the first program needs beside the data; None until it is compiled.
      limit_bytes: bytes that data and calls may use together, on one memory.
      limit: the memory limit as given.
      reasons: the reasons for the layout, one sentence each.
    """

    layout: str
    lanes: int
    programs: int
    share: ProcessShare
    chunk: int
    compact: bool
    platform: str
    devices: int
    split: int
    data_bytes: int
    call_bytes: int | None
    limit_bytes: int
    limit: str
    reasons: tuple[str, ...]

    @property
    def at_once(self) -> int:
        """Number of calls of this process that run at the same time on one memory."""
        if self.platform != "cpu":
            return 1
        workers = len(self.share.worker_devices)
        if not self.call_bytes:
            return workers
        return max(1, min(workers, (self.limit_bytes - self.resident_bytes) // self.call_bytes))

    @property
    def resident_bytes(self) -> int:
        """Bytes of the data on one memory."""
        copies = (
            {member for each in self.share.worker_devices for member in local_devices(each)}
            if self.platform == "cpu"
            else {0}
        )
        return self.data_bytes * len(copies)

    @property
    def predicted_bytes(self) -> int | None:
        """Bytes of the data and the running calls on one memory; None until a program is compiled."""
        return None if self.call_bytes is None else self.resident_bytes + self.at_once * self.call_bytes

    def describe(self) -> str:
        """The plan as a few lines of text."""
        per_process = len(self.share.lanes)
        lines = [
            f"lanes      {self.lanes} of {self.programs} program{'s' if self.programs > 1 else ''}"
            + (f", {per_process} in this process" if per_process < self.lanes else ""),
            f"layout     {self.layout}: "
            + (
                "one lane a call"
                if self.layout == "map"
                else f"{self.chunk} lanes side by side" + (", a stopped one makes room" if self.compact else "")
            ),
            f"devices    {self.devices} {self.platform}"
            + (f", {self.split} share each batch" if self.split > 1 else "")
            + f"; {self.at_once} call{'s' if self.at_once > 1 else ''} at a time on each memory",
        ]
        if self.predicted_bytes is not None:
            lines.append(
                f"memory     {shown_bytes(self.predicted_bytes)} predicted: data {shown_bytes(self.resident_bytes)}, "
                f"{self.at_once} x {shown_bytes(self.call_bytes or 0)}"
            )
        lines.append(f"limit      {shown_bytes(self.limit_bytes)} ({self.limit})")
        return "\n".join([*lines, *(f"because    {reason}" for reason in self.reasons)])

    def to_json(self) -> dict[str, object]:
        """The plan as it appears in `results.json`."""
        names = ("layout", "lanes", "programs", "chunk", "compact", "platform", "devices", "split", "limit")
        return {
            **{name: getattr(self, name) for name in names},
            "calls_at_once": self.at_once,
            "predicted_bytes": self.predicted_bytes,
            "limit_bytes": self.limit_bytes,
            "reasons": list(self.reasons),
        }


def plan_lanes(
    lanes: Sequence[Lane],
    data: TrainData,
    *,
    layout: str = "auto",
    chunk: int | None = None,
    workers: int | None = None,
    memory_limit: str = DEFAULT_LIMIT,
    compact: bool = True,
    mesh: Mesh | None = None,
    predict: bool = True,
) -> LanePlan:
    """Decide how to lay out the lanes of a sweep.

    Args:
      lanes: the runs.
      data: shared by all lanes.
      layout: `"map"`, `"vmap"`, or `"auto"`: map on CPU, vmap elsewhere.
      chunk: largest number of lanes side by side with `"vmap"`; None is 64. Fewer, if the memory does not suffice.
      workers: host threads that call programs; None is one per core on CPU, one per device elsewhere.
      memory_limit: how much of the memory of a device (on CPU, of the machine) data and calls may use, as `"80%"` or
        `"6GiB"`.
      compact: whether a vmapped lane that stops makes room for another one.
      mesh: lay lanes along its axis `"lane"`, and split their batches along `"data"`; None uses each device by itself.
      predict: whether to compile the first program, to predict its memory.

    Raises:
      InputError: an unknown layout, a size that cannot be read, a mesh that does not fit the processes, or one lane
        that needs more memory than the limit.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.training.run import make_run
      >>> from regjax.training.spec import Spec, make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(32), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> run = make_run(Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=2))
      >>> lanes = [Lane(run, make_hparams(n_train=32), jax.random.key(i)) for i in range(3)]
      >>> plan = plan_lanes(lanes, data, layout="vmap", predict=False)
      >>> plan.layout, plan.chunk
      ('vmap', 3)
    """
    check_choice("layout", layout, LAYOUTS)
    if chunk is not None:
        check_range("chunk", chunk, 1)
    if workers is not None:
        check_range("workers", workers, 1)
    if any(lane.run.spec.mesh is not None for lane in lanes):
        raise InputError("sweep: give the mesh to the sweep, not to the Spec of its lanes")
    share = process_share(len(lanes), mesh, workers)
    device = jax.local_devices()[0]
    devices = jax.devices() if mesh is None else list(mesh.devices.flat)
    lane_programs = list(dict.fromkeys(program_of(lane) for lane in lanes))
    reasons = []
    if layout == "auto":
        layout = "map" if device.platform == "cpu" else "vmap"
        reasons.append(
            "on CPU small lanes side by side cost more than one after the other, and a stopped one ends its call"
            if layout == "map"
            else "an accelerator is idle with one small lane at a time"
        )
    largest = max((sum(program_of(lane) == kind for lane in lanes) for kind in lane_programs), default=1)
    size = 1 if layout == "map" else min(chunk or 64, largest)
    limit = parse_memory(memory_limit, device_memory(device))
    plan = LanePlan(
        layout=layout,
        lanes=len(lanes),
        programs=len(lane_programs),
        share=share,
        chunk=size,
        compact=compact and layout == "vmap",
        platform=device.platform,
        devices=len(devices),
        split=data_size(mesh),
        data_bytes=tree_bytes(data),
        call_bytes=None,
        limit_bytes=limit,
        limit=memory_limit,
        reasons=tuple(reasons),
    )
    if not predict or not share.lanes:
        return plan
    device = share.worker_devices[0]
    first = [lanes[i] for i in share.lanes if program_of(lanes[i]) == program_of(lanes[share.lanes[0]])]
    budget = MemoryBudgets(memory_limit, plan.data_bytes, share.worker_devices).of(device)
    fitted_chunk, call_bytes = fit_chunk(plan, first, put(data, device), device, budget.limit)
    if fitted_chunk < size:
        reasons.append(f"{fitted_chunk} lanes side by side instead of {size}, to stay within the memory limit")
    fitted = dataclasses.replace(plan, chunk=fitted_chunk, call_bytes=call_bytes)
    if fitted.at_once < len(share.worker_devices) and plan.platform == "cpu":
        reasons.append(
            f"{fitted.at_once} calls at a time instead of {len(share.worker_devices)}, to stay within the memory limit"
        )
    return dataclasses.replace(fitted, reasons=tuple(reasons))


def fit_chunk(
    plan: LanePlan, lanes: Sequence[Lane], data: TrainData, device: DeviceOrMesh, limit: int
) -> tuple[int, int]:
    """The largest chunk of lanes of one program that fits a memory limit, and the bytes that a call needs.

    It compiles the program, and again with half as many lanes as long as that does not fit.

    Args:
      plan: its chunk is tried first.
      lanes: lanes of one program.
      data: on the device.
      device: where the lanes train.
      limit: bytes that a call may use beside the data.

    Raises:
      InputError: one lane needs more than the limit.
    """
    size = min(plan.chunk, len(lanes))
    while True:
        call_bytes = _call_memory(plan, lanes[:size], data, device)
        if call_bytes <= limit:
            return size, call_bytes
        if size == 1:
            raise InputError(
                f"memory_limit: one lane needs {shown_bytes(call_bytes)} beside the data, "
                f"{shown_bytes(max(limit, 0))} are left for it; allow more, or take a smaller model or batch"
            )
        size = bucket(size) // 2


def _call_memory(plan: LanePlan, lanes: Sequence[Lane], data: TrainData, device: DeviceOrMesh) -> int:
    if plan.layout == "map":
        arguments = programs.train_lane_arguments(lanes[0], data, device)
        return program_memory(programs.train_lane, *arguments) + tree_bytes((arguments[1], arguments[5]))
    run, hparams, keys, seeds = programs.stack_lanes(lanes, device)
    weights = programs.initial_weights(lanes, data, device)
    if not plan.compact:
        return program_memory(programs.train_lanes, run, hparams, keys, data, seeds, weights) + tree_bytes(
            (hparams, weights)
        )
    states = jax.eval_shape(lambda *inputs: programs.initial_states(run, *inputs), hparams, keys, data, weights)
    block = epochs_at_once(run.spec.epochs)
    # The states are updated in place, so they count once.
    until = put(np.full(len(lanes), run.spec.epochs, np.int32), device)
    return program_memory(programs.advance, run, block, states, hparams, keys, data, seeds, until) + tree_bytes(
        (states, hparams)
    )
