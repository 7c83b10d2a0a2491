"""The parts of a benchmark case, the context that a contender gets and the measurement that it returns."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Measured(NamedTuple):
    """One round of a contender.

    Attributes:
      values: by variant, in the unit of the case; lower is better.
      quality: a measure of the result of that work; None where there is none, as for the floor.
    """

    values: dict[str, float]
    quality: float | None = None


Round = Callable[[], Measured]


@dataclasses.dataclass(frozen=True)
class Context:
    """What a contender gets to know of its case.

    Attributes:
      case: name of the case.
      quick: tiny sizes that only show that everything runs.
      shared: arrays from the `prepare` of the case, the same for all contenders.
      data_dir: of the command line.
      scratch: a directory of this case, removed afterwards.
    """

    case: str
    quick: bool
    shared: Mapping[str, Any]
    data_dir: str | None
    scratch: str

    def size(self, full: int, quick: int) -> int:
        """`full`, or `quick` when only trying out."""
        return quick if self.quick else full


class Contender(NamedTuple):
    """Ours, a peer or the floor.

    Attributes:
      setup: prepares everything and returns the function of a round; the first round it returns is still cold.
      needs: modules it imports; when one is not installed the contender is named as missing.
      warmups: rounds before the measured ones. The first of ours is timed: it compiles.
      rounds: the most rounds, for contenders that take long; None takes those of the case.
    """

    setup: Callable[[Context], Round]
    needs: tuple[str, ...] = ()
    warmups: int = 1
    rounds: int | None = None


class Program(NamedTuple):
    """A compiled program and what it does.

    Attributes:
      function: a jitted function.
      arguments: what it is called with.
      updates: how many updates it makes.
      what: what it trains, in words.
    """

    function: Any
    arguments: tuple[Any, ...]
    updates: int
    what: str


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
      name: as in `--only`.
      summary: one line for `--list`.
      unit: of the values.
      quality: name of the quality number.
      contenders: by name; `"ours"`, optionally `"floor"`, and the peers.
      prepare: makes the arrays that all contenders share; runs in a process with JAX.
      rounds: how often each contender is asked.
      headline: which variant is the number of a contender: a name of `values`, or `"max"` or `"min"` of all.
      floor_value: a floor that is known without measuring, in the unit of the case.
      needs_data_dir: skipped without `--data_dir`.
      only_on_request: part of `--all` and `--only`, not of a plain call.
      program: of ours, for `--explain`; None if it cannot be explained.
      compilation_counts: the unit is seconds, and the ratio with compilation included is printed as well.
    """

    name: str
    summary: str
    unit: str
    quality: str
    contenders: dict[str, Contender]
    prepare: Callable[[Context], dict[str, Any]] | None = None
    rounds: int = 7
    headline: str = "min"
    floor_value: float | None = None
    needs_data_dir: bool = False
    only_on_request: bool = False
    compilation_counts: bool = False
    program: Callable[[Context], Program] | None = None


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call."""
    return timed(function)[0]


def timed(function: Callable[[], Made]) -> tuple[float, Made]:
    """Wall time of one call, and what it returned."""
    started = time.perf_counter()
    made = function()
    return time.perf_counter() - started, made


def fastest(candidates: Mapping[Key, Callable[[], Any]], repeats: int = 3) -> Key:
    """The candidate with the lowest median time after a warm-up: peers are tuned before they are measured."""
    for function in candidates.values():
        function()
    times: dict[Key, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, function in candidates.items():
            times[name].append(seconds(function))
    return min(times, key=lambda name: statistics.median(times[name]))


def overheads(base: Callable[[], Any], variants: Mapping[str, Callable[[], Any]], repeats: int = 2) -> dict[str, float]:
    """Percent by which each variant takes longer than `base`: fastest of `repeats` calls that take turns."""
    times: dict[str, list[float]] = {name: [] for name in ("", *variants)}
    for _ in range(repeats):
        for name, function in {"": base, **variants}.items():
            times[name].append(seconds(function))
    return {name: 100.0 * (min(times[name]) / min(times[""]) - 1.0) for name in variants}
