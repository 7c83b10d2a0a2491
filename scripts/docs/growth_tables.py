"""Tables on growth: of time and memory with sizes, and of a sweep over many hosts. Standard library alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cells import read, table, wrapped


def growth(records: Path, link: str) -> list[str]:
    """How time and memory grow, by series."""
    record = read(records / "growth.json")
    rows = []
    for series, found in record["series"].items():
        sizes, lines = found["sizes"], found["lines"]
        time, memory = lines["seconds"], lines.get("bytes")
        rows.append(
            [
                series,
                f"{sizes[0]:,} to {sizes[-1]:,}",
                f"{_seconds(found['seconds'][0])} to {_seconds(found['seconds'][-1])} for {found['unit']}",
                f"{time['exponent']:.2f} from {time['from']:,}",
                f"{found['bytes'][0] / 2**20:,.0f} to {found['bytes'][-1] / 2**20:,.0f} MiB",
                f"{memory['exponent']:.2f} from {memory['from']:,}" if memory else "–",
                _planned(found),
            ]
        )
    head = ("with more", "sizes", "time", "its exponent", "memory", "its exponent", "planned by XLA")
    text = (
        f"*Record: [`experiments/records/growth.json`]({link}/growth.json), made by "
        f"`python -m experiments.studies.growth`: {record['cores']} CPU cores, jax {record['jax']}.*"
    )
    return [*table(head, rows), "", *wrapped(text)]


def _seconds(value: float) -> str:
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def _planned(found: Mapping[str, Any]) -> str:
    """What the compiler planned for the largest size."""
    return f"{found['planned'][-1] / 2**20:,.0f} MiB" if "planned" in found else "–"


def hosts(records: Path, link: str) -> list[str]:
    """What a simulated sweep over many hosts takes."""
    record = read(records / "hosts.json")
    rows = [
        [
            one["lanes"],
            "no host dies" if one["life"] is None else f"{one['life']:,.0f} h",
            f"{one['hours']:.2f} h",
            f"{one['longest']:.2f} h",
            f"{one['one queue']:.2f} h",
            f"{100 * one['busy']:.0f}%",
            f"{one['deaths']:.2f}",
            f"{100 * one['lost']:.2f}%",
        ]
        for one in record["cases"]
    ]
    head = (
        "lanes", "mean life of a host", "takes", "95% quantile", "with one queue", "workers are busy", "deaths",
        "training lost",
    )  # fmt: skip
    text = (
        f"*Record: [`experiments/records/hosts.json`]({link}/hosts.json), simulated by "
        f"`python -m experiments.studies.hosts`: {record['lanes']:,} lanes of {record['mean'] / 60:g} minutes on "
        f"average, {record['hosts']} hosts of {record['workers']} workers, {record['repeats']} sweeps a row; a start "
        f"takes {record['start']:g} s, a death is noticed after {record['heartbeat']:g} s and costs "
        f"{record['restart']:g} s more until all processes run again.*"
    )
    return [*table(head, rows), "", *wrapped(text)]


TABLES: dict[str, Callable[[Path, str], list[str]]] = {"growth": growth, "hosts": hosts}
