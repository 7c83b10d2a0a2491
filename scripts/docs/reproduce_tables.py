"""The tables of the page of reproductions, from their records. Standard library alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cells import read, table, wrapped

NAMES: tuple[str, ...] = (
    "glmnet_choices",
    "glmnet_vignette",
    "identities",
    "islp_chapter10",
    "islp_chapter6",
    "islp_mnist",
    "label_noise",
    "sklearn_diabetes",
    "srivastava_2014",
)  # the records, which are also the names of the modules
FEW = 12
"""A longer table is folded; what failed stands above it."""


def reproduction(name: str, records: Path, link: str) -> list[str]:
    """What was published, expected and measured, row by row, with the protocols and the command."""
    record = read(records / f"reproduce/{name}.json")
    about, made = record["publication"], record["reproduce"]
    rows = [
        [row["row"], row["where"], _number(row["published"]), _range(row["expected"]), _measured(row), _word(row)]
        for row in record["rows"]
    ]
    repeated = sum(row["repeated"] for row in record["rows"])
    source = (
        f"*{about['title']}, {about['address']}. Record: [`experiments/records/reproduce/{name}.json`]"
        f"({link}/reproduce/{name}.json), made by `{made['command']}`: commit {made['commit']}, "
        f"jax {made['versions']['jax']}, {made['platform']}, {made['seconds']:.0f} seconds.*"
    )
    protocol = f"Published: {about['theirs']} Here: {about['ours']}"
    summary = f"{repeated} of {len(rows)} numbers are repeated within the range that was expected beforehand."
    head = ("row", "where", f"published, {about['unit']}", "expected", "measured (95% CI)", "repeated")
    failed = [row for row, of_record in zip(rows, record["rows"], strict=True) if not of_record["repeated"]]
    folded = [f"<details><summary>All {len(rows)} numbers</summary>", "", *table(head, rows), "", "</details>"]
    parts = (
        wrapped(protocol),
        *((table(head, rows),) if len(rows) <= FEW else (table(head, failed),) * bool(failed) + (folded,)),
        wrapped(summary),
        wrapped(source),
    )
    return [line for part in parts for line in ("", *part)][1:]


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}".replace("-", "−")


def _range(bounds: list[float]) -> str:
    return " to ".join(_number(bound) for bound in bounds)


def _measured(row: dict[str, Any]) -> str:
    interval = f" ({_range(row['ci95'])})" if "ci95" in row else ""
    return _number(row["measured"]) + interval


def _word(row: dict[str, Any]) -> str:
    return "yes" if row["repeated"] else "**no**"


TABLES: dict[str, Callable[[Path, str], list[str]]] = {
    f"reproduce_{name}": partial(reproduction, name) for name in NAMES
}
