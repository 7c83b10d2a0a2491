"""Where the time of a program goes: XLA's own profile, by operation, put into a few kinds.

Of an instant in which several operations run, each counts for an equal share. What no operation accounts for is the
waiting for one to start.
"""

from __future__ import annotations

import collections
import re
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cases.base import Program, seconds

KINDS = {
    "products": "matrix products",
    "bits": "random bits and masks",
    "optimizer": "optimizer",
    "batch": "order and batches",
    "copies": "copies",
    "evaluation": "evaluation",
    "model": "activations, losses and their gradients",
    "rest": "anything else",
}
"""Kinds of operations; `kind_of` has the order in which they are tried."""
WAITING = "waiting"
CONTROL = ("while", "conditional", "call")
SCOPES = {"evaluate": "evaluation", "optimizer": "optimizer", "batch": "batch", "shuffle": "batch"}


class Operation(NamedTuple):
    """An operation of the program: its opcode, the opcodes of what it calls, and where it comes from."""

    opcode: str
    inside: frozenset[str]
    origin: str


_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%(?P<name>[\w.\-]+) = .*? (?P<opcode>[a-z][\w\-]*)\(")
_CALLED = re.compile(r"(?:calls|to_apply)=%([\w.\-]+)")
_ORIGIN = re.compile(r'op_name="([^"]*)"')
_COMPUTATION = re.compile(r"^(?:ENTRY )?%(?P<name>[\w.\-]+) \(")


def operations(text: str) -> dict[str, Operation]:
    """The operations of an optimized program by name, from its text; loops and branches are none."""
    inside: dict[str, set[str]] = collections.defaultdict(set)
    found, current = [], ""
    for line in text.splitlines():
        if computation := _COMPUTATION.match(line):
            current = computation["name"]
        elif instruction := _INSTRUCTION.match(line):
            inside[current].add(instruction["opcode"])
            called, origin = _CALLED.search(line), _ORIGIN.search(line)
            found.append((*instruction.group("name", "opcode"), called and called[1], origin[1] if origin else ""))
    return {
        name: Operation(opcode, frozenset(inside[called] if called else ()), origin)
        for name, opcode, called, origin in found
        if opcode not in CONTROL
    }


def kind_of(operation: Operation) -> str:
    """The kind of an operation, one of `KINDS`.

    Scopes come from `jax.named_scope` in `regjax.training`; what is in none, a copy or the order of the loop itself, is
    put by its opcode.
    """
    origin = operation.origin
    if operation.opcode in ("dot", "convolution", "custom-call") or operation.inside & {"dot", "convolution"}:
        return "evaluation" if "/evaluate/" in origin else "products"
    if "threefry" in origin or "random_bits" in origin or re.search(r"/(dropout|noise)[^/]*/(?!.*mul)", origin):
        return "bits"
    for scope, kind in SCOPES.items():
        if f"/{scope}/" in f"{origin}/":
            return kind
    moved = operation.inside <= {"copy", "parameter", "bitcast", "transpose", "broadcast", "constant"}
    if operation.opcode == "copy" or (operation.inside and moved):
        return "copies"
    return "model" if "/gradients/" in f"{origin}/" else "rest"


class Span(NamedTuple):
    """An event of a thread: its name, start and end in ns."""

    name: str
    start: float
    end: float


def shares(lines: Iterable[Iterable[Span]]) -> dict[str, float]:
    """The time of each name in ns: of an instant in which several run, on threads or within each other, an equal share.

    A matrix product runs on all threads, but only that which started it names it.
    """
    edges = [
        edge for spans in lines for span in spans for edge in ((span.start, 1, span.name), (span.end, -1, span.name))
    ]
    total: dict[str, float] = collections.defaultdict(float)
    active: dict[str, int] = collections.defaultdict(int)
    before = 0.0
    for at, change, name in sorted(edges):
        running = [one for one, number in active.items() if number]
        for one in running:
            total[one] += (at - before) / len(running)
        before = at
        active[name] += change
    return dict(total)


class Profile(NamedTuple):
    """Where the time of a program goes.

    Attributes:
      wall: of one call without a profile, in ms an update: the median of several.
      kinds: ms an update of each kind, and of waiting.
      names: ms an update of each operation, the dearest first.
    """

    wall: float
    kinds: dict[str, float]
    names: dict[str, float]


def profiled(program: Program, rounds: int = 5) -> Profile:
    """Profile a program: compile it, time it without a profile, and once with one."""
    import jax

    compiled = program.function.lower(*program.arguments).compile()
    known = operations(compiled.as_text())

    def once() -> Any:
        return jax.block_until_ready(compiled(*program.arguments))

    once()
    wall = statistics.median(seconds(once) for _ in range(rounds))
    with tempfile.TemporaryDirectory(prefix="regjax-profile-") as directory:
        with jax.profiler.trace(directory):
            profiled_wall = seconds(once)
        (file,) = Path(directory).rglob("*.xplane.pb")
        lines = _lines(file.read_bytes())
    return summarized(known, lines, wall, profiled_wall, program.updates)


def summarized(
    known: Mapping[str, Operation],
    lines: Sequence[Sequence[Span]],
    wall: float,
    profiled_wall: float,
    updates: int,
) -> Profile:
    """Add up the operations of the threads.

    Args:
      known: the operations of the program.
      lines: the events of each thread.
      wall: seconds of a call without a profile.
      profiled_wall: seconds of the call with it, to which the operations add up.
      updates: of a call.
    """
    found = shares([span for span in spans if span.name in known] for spans in lines)
    # Of the call without a profile, which takes a little longer with one.
    scale = 1e-6 / updates * wall / profiled_wall
    names = {name: value * scale for name, value in sorted(found.items(), key=lambda item: -item[1])}
    kinds = dict.fromkeys(KINDS, 0.0)
    for name, value in names.items():
        kinds[kind_of(known[name])] += value
    per_update = 1e3 * wall / updates
    return Profile(per_update, kinds | {WAITING: per_update - sum(kinds.values())}, names)


def _lines(content: bytes) -> list[list[Span]]:
    """The events of each thread of the host."""
    from jax.profiler import ProfileData

    data = ProfileData.from_serialized_xspace(content)
    return [
        [Span(event.name, event.start_ns, event.start_ns + event.duration_ns) for event in line.events]
        for plane in data.planes
        if plane.name.startswith("/host:CPU")
        for line in plane.lines
    ]


def table(profile: Profile, most: int = 8) -> list[str]:
    """Lines for the terminal: kinds with their shares, and the dearest operations."""

    def line(name: str, value: float) -> str:
        return f"{name:<44}{value:>13.3f}{100 * value / profile.wall:>8.1f}%"

    kinds = sorted(profile.kinds.items(), key=lambda item: -item[1])
    return [
        f"{'':<44}{'ms an update':>13}{'share':>9}",
        *(line(KINDS.get(kind, "waiting for an operation to start"), value) for kind, value in kinds),
        line("together", sum(profile.kinds.values())),
        "the dearest operations:",
        *(line(f"  {name}", value) for name, value in list(profile.names.items())[:most]),
    ]


def entry(case: str, profile: Profile, most: int = 20) -> dict[str, Any]:
    """A profile as it is recorded, with the dearest operations."""
    names = {name: round(value, 6) for name, value in list(profile.names.items())[:most]}
    kinds = {kind: round(value, 6) for kind, value in profile.kinds.items()}
    return {"case": case, "wall": round(profile.wall, 6), "kinds": kinds, "names": names}
