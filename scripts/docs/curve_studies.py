"""Tables of the studies on curves: when to stop, and learning curves. Standard library alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cells import read, table, wrapped

CRITERIA = {"patience": "patience", "gl": "GL", "pq": "PQ", "up": "UP"}


def criteria(records: Path, link: str) -> list[str]:
    """What each criterion of early stopping costs and keeps, over data sets."""
    record = read(records / "early_stopping.json")
    rows = []
    for family, title in CRITERIA.items():
        for parameter in next(iter(record["data"].values()))["criteria"][family]:
            found = [one["criteria"][family][parameter] for one in record["data"].values()]
            above = sorted(100 * (one["loss"] - 1) for one in found)
            rows.append(
                [
                    f"{title} {parameter}",
                    f"{_middle([one['epochs'] for one in found]):.0f}",
                    f"{100 * (_middle([one['loss'] for one in found]) - 1):.1f}%",
                    f"{above[0]:.1f} to {above[-1]:.1f}%",
                    f"{100 * sum(one['kept_on'] for one in found) / len(found):.0f}%",
                ]
            )
    text = (
        f"*Record: [`experiments/records/early_stopping.json`]({link}/early_stopping.json), "
        f"`python -m experiments.studies.early_stopping`: {len(record['data'])} data sets, {record['splits']} splits "
        f"of each, nets with {' and '.join(map(str, record['hidden_units']))} hidden units. Epochs and losses are "
        "geometric means; the loss is that of the kept epoch, above the lowest that any criterion keeps in the same "
        f"run. Runs end after {record['epochs']} epochs: the last column says how many had not stopped by then, whose "
        "later gains and epochs are not seen.*"
    )
    short, middle, long = (
        100 * (_middle([one["criteria"]["patience"][n]["loss"] for one in record["data"].values()]) - 1)
        for n in ("1", "10", "100")
    )
    summary = (
        f"With a patience of 1 the test loss is {short:.0f}% above the lowest, with one of 10 {middle:.0f}%, and with "
        f"one of 100 {long:.0f}%."
    )
    head = ("criterion", "epochs", "test loss above the lowest", "over data sets", f"not stopped by {record['epochs']}")
    return [*table(head, rows), "", *wrapped(summary), "", *wrapped(text)]


def trade(records: Path, link: str) -> list[str]:
    """What stopping four times later changes, beside Prechelt's 4%."""
    record = read(records / "early_stopping.json")
    found, low, high = record["trade"]["percent"], *record["trade"]["ci95"]
    slopes = {name: 100 * (4 ** one["slopes"]["all"] - 1) for name, one in record["data"].items()}
    ranked = sorted(slopes.items(), key=lambda item: item[1])
    small = sum(abs(value) < 0.5 for value in slopes.values())
    prechelt = -4.0
    agrees = (
        "Prechelt's 4% lies within, and so does no gain at all: neither is shown, and neither is refuted."
        if low < prechelt and high > 0
        else f"Prechelt's 4% lies {'within' if low < prechelt < high else 'outside'}."
    )
    text = (
        f"On {len(slopes)} data sets with {record['splits']} splits and {len(record['hidden_units'])} nets each, "
        "trained by Adam without a regularizer, a stop four times later changed the test loss by "
        f"{_signed(found)} on average, with a 95% interval over data sets of {_signed(low)} to {_signed(high)}. "
        f"{agrees} The change ranged from "
        f"{_signed(ranked[0][1], 0)} ({ranked[0][0].replace('_', ' ')}) to {_signed(ranked[-1][1], 0)} "
        f"({ranked[-1][0].replace('_', ' ')}), and was less than 0.5% on {small} of them."
    )
    del link
    return wrapped(text)


def learning_curves(records: Path, link: str) -> list[str]:
    """How often the intervals of fitted learning curves hold the truth."""
    record = read(records / "learning_curves.json")

    def share(case: dict[str, Any], name: str) -> str:
        return f"{100 * case['held'][name]:.1f}%" if name in case["held"] else "–"

    names = ("rate", "floor", "at", "worth", "worth, not stretched")
    rows = [
        [str(case["runs"]), f"{case['floor']:g}", f"{case['shared']:g}", *(share(case, name) for name in names)]
        for case in record["cases"]
    ]
    held = sorted(100 * case["held"]["worth"] for case in record["cases"])
    plain = min(100 * case["held"]["worth, not stretched"] for case in record["cases"])
    summary = (
        f"The number of examples that a technique is worth lies in its interval in {held[0]:.0f} to {held[-1]:.0f}% of "
        f"the fits; without the stretch, in as little as {plain:.0f}%."
    )
    error = 100 * math.sqrt(0.95 * 0.05 / record["fits"])
    text = (
        f"*Record: [`experiments/records/learning_curves.json`]({link}/learning_curves.json), "
        f"`python -m experiments.studies.learning_curves`: {record['fits']} fits a row to errors at "
        f"{', '.join(map(str, record['sizes']))} examples that vary by {100 * record['noise']:g}%; the standard error "
        f"of 95% is {error:.1f} points.*"
    )
    head = (
        "runs", "floor", "shared variance", "rate", "floor held", "error at 800", "worth in examples", "not stretched",
    )  # fmt: skip
    return [*table(head, rows), "", *wrapped(summary), "", *wrapped(text)]


def _middle(values: Sequence[float]) -> float:
    return math.exp(sum(math.log(value) for value in values) / len(values))


def _signed(percent: float, digits: int = 1) -> str:
    return f"{percent:+.{digits}f}%".replace("-", "−")


TABLES: dict[str, Callable[[Path, str], list[str]]] = {
    "criteria": criteria,
    "trade": trade,
    "learning_curves": learning_curves,
}
