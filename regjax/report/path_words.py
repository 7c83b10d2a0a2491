"""Sentences about regularization paths, for their page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.sweep_words import size_of
from regjax.report.words import Measure, count, finite, fixed, listing, plain

Results = Mapping[str, Any]

ORDERS = {"up": "from weak to strong", "down": "from strong to weak"}
MOST_NAMED = 8


def path_sentences(results: Results) -> list[str]:
    """What is said of paths: the best point, the strongest near it, what the orders change, and the last features."""
    return [
        *filter(None, [headline(results), simplest(results), optimism(results), orders(results), features(results)])
    ]


def headline(results: Results) -> str:
    """Which point is best on validation, with its score and what is left of the weights."""
    measure, best = Measure.of(results), results.get("best")
    shown, name = count(len(results["values"]), "value"), results["parameter"]
    if best is None:
        return f"Every one of {shown} of {name} had a run without a result, so none can be called best."
    point = results["orders"][best["order"]][best["position"]]
    interval = measure.range(point["score"]["ci95"])
    value = measure.value(point["score"]["mean"]) + measure.unit + (f" (95% interval {interval})" if interval else "")
    seeds = f"mean of {count(point['runs'], 'seed')}" if point["runs"] > 1 else "one seed"
    order = f" {ORDERS[best['order']]}" if len(results["orders"]) > 1 else ""
    return (
        f"Of {shown} of {name}, {plain(point['value'])}{order} has the highest validation {measure.name}: {value}, "
        f"{seeds}, with {_percent(point['zeros'])} of the weights exactly zero."
    )


def simplest(results: Results) -> str:
    """The strongest point within one standard error of the best; empty where it is not known."""
    rule = results.get("one_standard_error")
    if not rule:
        return ""
    measure, point = Measure.of(results), results["orders"][rule["order"]][rule["position"]]
    error = f"one standard error ({size_of(rule['error'], measure)})"
    if rule["position"] == results["best"]["position"]:
        return f"No stronger value is within {error} of it."
    zeros = f"{_percent(point['zeros'])} of the weights exactly zero"
    return f"The strongest within {error} of it is {plain(point['value'])}, with {zeros}."


def optimism(results: Results) -> str:
    """Says that the best was chosen on the examples that score it."""
    if results.get("best") is None:
        return ""
    return (
        f"The best was chosen on the {plain(results['validation_examples'])} validation examples that score it, so its "
        "score is optimistic."
    )


def orders(results: Results) -> str:
    """How far apart the two orders are at the same strength; empty with one."""
    gap = results.get("orders_differ")
    if not gap:
        return ""
    measure, name = Measure.of(results), results["parameter"]
    value = plain(results["values"][gap["position"]])
    if abs(gap["mean"]) * measure.scale < 10.0 ** -(measure.digits + 3):
        return f"Both orders have the same mean validation {measure.name} at every value."
    higher = ORDERS["up" if gap["mean"] > 0 else "down"]
    text = (
        f"At the same value, the two orders differ by at most {size_of(gap['mean'], measure)} of mean validation "
        f"{measure.name}: at {name} = {value}, where it is higher {higher}."
    )
    return text + _stuck(results)


def _stuck(results: Results) -> str:
    """Says where the net from strong to weak stays at zero although the one from weak to strong does not."""
    pairs = zip(results["orders"]["up"], results["orders"]["down"], strict=True)
    stuck = [
        down["value"] for up, down in pairs if down["zeros"] == 1.0 and up["zeros"] is not None and up["zeros"] < 1
    ]
    if not stuck:
        return ""
    where = plain(stuck[0]) if len(stuck) == 1 else f"{plain(stuck[0])} to {plain(stuck[-1])}"
    return f" From strong to weak all weights are still zero at {where}, where from weak to strong they are not."


def features(results: Results) -> str:
    """The features that the net uses longest, from weak to strong; empty where none is set to zero."""
    longest, strongest = longest_in_use(results), results["values"][-1]
    columns = results.get("columns") or []
    kept = sum(value == strongest for _, value in longest)
    if not longest or kept == len(columns):
        return ""
    named = listing([f"{name} (to {plain(value)})" for name, value in longest[:MOST_NAMED]])
    gone = f"{plain(len(columns) - kept)} of {count(len(columns), 'feature')}"
    return f"From weak to strong, {gone} are set to exactly zero in every seed. The longest in use: {named}."


def longest_in_use(results: Results) -> list[tuple[str, float]]:
    """The features with the largest strength at which they have a weight in some seed, the longest in use first.

    From weak to strong; features of the same strength go by the norm of their weights there. Those without any weight
    are left out; empty where features are not known, or no path is from weak to strong.
    """
    columns, points = results.get("columns"), results["orders"].get("up")
    if not columns or not points:
        return []
    last = [[i for i, point in enumerate(points) if point["inputs"][k] not in (None, 0.0)] for k in range(len(columns))]
    used = [k for k in range(len(columns)) if last[k]]
    used.sort(key=lambda k: (-last[k][-1], -points[last[k][-1]]["inputs"][k]))
    return [(columns[k], points[last[k][-1]]["value"]) for k in used]


def _percent(share: Any) -> str:
    return f"{fixed(100 * share, 0)}%" if finite(share) else "an unknown share"
