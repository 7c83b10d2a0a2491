"""A plan for a sweep of 10,000 lanes on 64 hosts: how busy the workers are, and what the death of a host costs.

Command: `python -m experiments.studies.hosts` (about a minute); it prints one JSON object, the record
`experiments/records/hosts.json`.

This is a simulation of the rules by which `rj.run_lanes` works under `jax.distributed`, not a measurement. Lanes are
dealt out to processes in turn (`regjax.sweeps.share.process_share`); the workers of a process take its lanes in order.
Nothing is exchanged until a process has trained its share. When a process dies, the others notice after the heartbeat,
exit with code 75 and are started again: lanes that are done are in the store, those in flight are lost. A lane takes
ten minutes on average. `one queue` is what the same workers would take if all of them shared one queue of lanes.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import app

LANES, HOSTS, WORKERS, MEAN = 10_000, 64, 8, 600.0
START, HEARTBEAT, RESTART = 60.0, 20.0, 120.0
"""Seconds to start and compile, until a death is noticed, and until all processes run again."""
KINDS = ("alike", "varied", "varied, sorted", "half stop early")
LIFE = (None, 1_000.0, 100.0)
"""Mean hours that a host lives; None for ever."""
REPEATS = 100


class Outcome(NamedTuple):
    """What a sweep took: seconds, deaths, and seconds of training that were lost."""

    seconds: float
    deaths: int
    lost: float


def durations(kind: str, rng: np.random.Generator, count: int = LANES) -> np.ndarray:
    """Seconds of each lane: within a tenth of the mean, varied by half (or so and sorted), or half stopping early."""
    if kind == "alike":
        return MEAN * rng.uniform(0.9, 1.1, count)
    if kind.startswith("varied"):
        spread = np.sqrt(np.log(1.25))  # a standard deviation of half the mean
        drawn = MEAN * rng.lognormal(-(spread**2) / 2, spread, count)
        return np.sort(drawn)[::-1] if kind == "varied, sorted" else drawn
    return MEAN / 0.55 * np.where(rng.random(count) < 0.5, 0.1, 1.0)


def ends(seconds: Sequence[float], workers: int, start: float = 0.0) -> list[float]:
    """When each lane ends if workers take them in order, all free from `start`.

    Example:
      >>> ends([3.0, 1.0, 1.0, 1.0], workers=2)
      [3.0, 1.0, 2.0, 3.0]
    """
    free = [start] * workers
    found = []
    for taken in seconds:
        end = heapq.heappop(free) + taken
        heapq.heappush(free, end)
        found.append(end)
    return found


def simulated(
    seconds: np.ndarray, rng: np.random.Generator, life: float | None, hosts: int = HOSTS, workers: int = WORKERS
) -> Outcome:
    """A sweep with restarts until all lanes are done; `life` in hours."""
    left = [list(seconds[host::hosts]) for host in range(hosts)]
    total, deaths, lost = 0.0, 0, 0.0
    while True:
        known = [ends(own, workers, START) for own in left]
        finished = max((max(of_host) for of_host in known if of_host), default=0.0)
        death = np.inf if life is None else rng.exponential(3600 * life / hosts)
        if death >= finished:
            return Outcome(total + finished, deaths, lost)
        total, deaths = total + death + HEARTBEAT + RESTART, deaths + 1
        for host, of_host in enumerate(known):
            pairs = list(zip(left[host], of_host, strict=True))
            lost += sum(max(death - (end - taken), 0.0) for taken, end in pairs if end > death)
            left[host] = [taken for taken, end in pairs if end > death]


def case(kind: str, life: float | None, repeats: int = REPEATS) -> dict[str, Any]:
    """Means over simulated sweeps."""
    rng = np.random.default_rng([KINDS.index(kind), LIFE.index(life)])
    hours, queue, busy, deaths, lost = [], [], [], [], []
    for _ in range(repeats):
        seconds = durations(kind, rng)
        outcome = simulated(seconds, rng, life)
        hours.append(outcome.seconds / 3600)
        queue.append(max(ends(seconds.tolist(), HOSTS * WORKERS, START)) / 3600)
        busy.append(seconds.sum() / (HOSTS * WORKERS * outcome.seconds))
        deaths.append(outcome.deaths)
        lost.append(outcome.lost / seconds.sum())
    found = {"hours": hours, "one queue": queue, "busy": busy, "deaths": deaths, "lost": lost}
    means = {name: round(float(np.mean(values)), 4) for name, values in found.items()}
    return {"lanes": kind, "life": life} | means | {"longest": round(float(np.quantile(hours, 0.95)), 4)}


def run() -> dict[str, Any]:
    """Everything."""
    settings = {"lanes": LANES, "hosts": HOSTS, "workers": WORKERS, "mean": MEAN, "repeats": REPEATS}
    settings |= {"start": START, "heartbeat": HEARTBEAT, "restart": RESTART}
    return settings | {"cases": [case(kind, life) for kind in KINDS for life in LIFE]}


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
