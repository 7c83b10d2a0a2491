"""How lanes are laid out over processes, devices and time, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
from jax.sharding import Mesh

from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.mesh import data_size
from regjax.sweeps import programs
from regjax.sweeps.lane import Lane, Place, program_of, put
from regjax.sweeps.memory import (
    DEFAULT_LIMIT,
    Budgets,
    device_memory,
    devices_of,
    parse_memory,
    program_memory,
    shown_bytes,
    tree_bytes,
)
from regjax.sweeps.share import Share, share_of
from regjax.sweeps.slots import bucket, epochs_at_once
from regjax.training.state import TrainData

LAYOUTS = ("auto", "map", "vmap")


@dataclasses.dataclass(frozen=True)
class LanePlan:
    """The layout of a sweep.

    Attributes:
      layout: `"map"`: a lane is a call of its own; `"vmap"`: lanes of one program train side by side.
      lanes: in all.
      programs: compiled programs, without the smaller ones that compaction adds.
      share: lanes and places of this process.
      chunk: lanes in one call; 1 with `"map"`.
      compact: whether the place of a vmapped lane that has stopped goes to another one.
      platform: of the devices.
      devices: that take part, of all processes.
      split: devices that share each batch.
      data_bytes: of the data, on each device.
      call_bytes: that one call takes beside the data, of the first program; None before anything is compiled.
      limit_bytes: what data and calls may take together, on one memory.
      limit: as it was given.
      reasons: why it is so, one sentence each.
    """

    layout: str
    lanes: int
    programs: int
    share: Share
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
        """Calls of this process that run at the same time on one memory."""
        if self.platform != "cpu":
            return 1
        wanted = len(self.share.places)
        if not self.call_bytes:
            return wanted
        return max(1, min(wanted, (self.limit_bytes - self.resident_bytes) // self.call_bytes))

    @property
    def resident_bytes(self) -> int:
        """Bytes of the data on one memory."""
        copies = (
            {device for place in self.share.places for device in devices_of(place)} if self.platform == "cpu" else {0}
        )
        return self.data_bytes * len(copies)

    @property
    def predicted_bytes(self) -> int | None:
        """Bytes of data and running calls on one memory, None before anything is compiled."""
        return None if self.call_bytes is None else self.resident_bytes + self.at_once * self.call_bytes

    def describe(self) -> str:
        """The plan in a few lines."""
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
        """The plan as `results.json` states it."""
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
      chunk: lanes side by side at most with `"vmap"`; None is 64. Fewer where the memory would not do.
      workers: host threads that call programs; None is one per core on CPU, one per device elsewhere.
      memory_limit: what data and calls may take of a device's memory (of the machine's on CPU), as `"80%"` or `"6GiB"`.
      compact: whether a vmapped lane that stops makes room for another one.
      mesh: lay lanes along its axis `"lane"`, and split their batches along `"data"`; None is every device by itself.
      predict: compile the first program, to know its memory.

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
    share = share_of(len(lanes), mesh, workers)
    device = jax.local_devices()[0]
    every = jax.devices() if mesh is None else list(mesh.devices.flat)
    kinds = list(dict.fromkeys(program_of(lane) for lane in lanes))
    reasons = []
    if layout == "auto":
        layout = "map" if device.platform == "cpu" else "vmap"
        reasons.append(
            "on CPU small lanes side by side cost more than one after the other, and a stopped one ends its call"
            if layout == "map"
            else "an accelerator is idle with one small lane at a time"
        )
    largest = max((sum(program_of(lane) == kind for lane in lanes) for kind in kinds), default=1)
    size = 1 if layout == "map" else min(chunk or 64, largest)
    limit = parse_memory(memory_limit, device_memory(device))
    plan = LanePlan(
        layout=layout,
        lanes=len(lanes),
        programs=len(kinds),
        share=share,
        chunk=size,
        compact=compact and layout == "vmap",
        platform=device.platform,
        devices=len(every),
        split=data_size(mesh),
        data_bytes=tree_bytes(data),
        call_bytes=None,
        limit_bytes=limit,
        limit=memory_limit,
        reasons=tuple(reasons),
    )
    if not predict or not share.lanes:
        return plan
    place = share.places[0]
    first = [lanes[i] for i in share.lanes if program_of(lanes[i]) == program_of(lanes[share.lanes[0]])]
    budget = Budgets(memory_limit, plan.data_bytes, share.places).of(place)
    fits, taken = fitting(plan, first, put(data, place), place, budget.limit)
    if fits < size:
        reasons.append(f"{fits} lanes side by side instead of {size}, to stay within the memory limit")
    calls = dataclasses.replace(plan, chunk=fits, call_bytes=taken)
    if calls.at_once < len(share.places) and plan.platform == "cpu":
        reasons.append(
            f"{calls.at_once} calls at a time instead of {len(share.places)}, to stay within the memory limit"
        )
    return dataclasses.replace(calls, reasons=tuple(reasons))


def fitting(plan: LanePlan, lanes: Sequence[Lane], data: TrainData, place: Place, limit: int) -> tuple[int, int]:
    """The largest chunk of lanes of one program that a memory limit allows, and the bytes that a call takes.

    It compiles the program; where that needs too much, again with half as many lanes.

    Args:
      plan: whose chunk is tried first.
      lanes: of one program.
      data: at the place.
      place: where they train.
      limit: bytes beside the data.

    Raises:
      InputError: one lane needs more than the limit.
    """
    size = min(plan.chunk, len(lanes))
    while True:
        taken = _call_memory(plan, lanes[:size], data, place)
        if taken <= limit:
            return size, taken
        if size == 1:
            raise InputError(
                f"memory_limit: one lane needs {shown_bytes(taken)} beside the data, "
                f"{shown_bytes(max(limit, 0))} are left for it; allow more, or take a smaller model or batch"
            )
        size = bucket(size) // 2


def _call_memory(plan: LanePlan, lanes: Sequence[Lane], data: TrainData, place: Place) -> int:
    if plan.layout == "map":
        arguments = programs.one_arguments(lanes[0], data, place)
        return program_memory(programs.one, *arguments) + tree_bytes((arguments[1], arguments[5]))
    run, hparams, keys, seeds = programs.numbers(lanes, place)
    weights = programs.starts(lanes, data, place)
    if not plan.compact:
        return program_memory(programs.many, run, hparams, keys, data, seeds, weights) + tree_bytes((hparams, weights))
    states = jax.eval_shape(lambda *given: programs.begin(run, *given), hparams, keys, data, seeds, weights)
    block = epochs_at_once(run.spec.epochs)
    # The states are updated in place, so they count once.
    return program_memory(programs.advance, run, block, states, hparams, keys, data, seeds) + tree_bytes(
        (states, hparams)
    )
