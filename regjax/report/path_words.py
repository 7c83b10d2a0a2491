"""Sentences about regularization paths, for their page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.sweep_words import is_zero, p_equals, size_of, told_apart
from regjax.report.words import Measure, count, finite, fixed, listing, plain

Results = Mapping[str, Any]

ORDERS = {"up": "from weak to strong", "down": "from strong to weak"}
MOST_NAMED = 8


def path_sentences(results: Results) -> list[str]:
    """What is said of paths: the best point, what epochs alone do, the strongest near it, orders, and last features."""
    said = (headline, over_control, simplest, optimism, orders, features)
    return [*filter(None, (sentence(results) for sentence in said))]


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
        f"{seeds}, with {_percent(point['zeros'])} of the weights exactly zero.{_beside(results)}"
    )


def _beside(results: Results) -> str:
    """Says which points share the score of the best, and whether it is at an end of the path."""
    best, values = results["best"], results["values"]
    others = best["share"] - 1
    text = ""
    if others:
        text = f" {count(others, 'other point')} {'share' if others > 1 else 'shares'} this score at a higher loss."
    last = best["position"] == (len(values) - 1 if best["order"] == "up" else 0)
    epochs = f"{'more' if last else 'fewer'} epochs"
    if best["position"] == len(values) - 1:
        return f"{text} It is the strongest value of the path, so a stronger one, or {epochs}, might be better."
    if best["position"] == 0 and values[0] > 0:
        return f"{text} It is the weakest value of the path, so a weaker one, or {epochs}, might be better."
    return text


def over_control(results: Results) -> str:
    """How far the best point is above the control after as many epochs; empty where one of them has no score."""
    best = results.get("best")
    gain = best and results["orders"][best["order"]][best["position"]]["over_control"]
    if not gain:
        return ""
    measure, name = Measure.of(results), results["parameter"]
    value = measure.value(gain["control"]) + measure.unit
    text = f"With as many epochs and without {name} throughout, it is {value}"
    if is_zero(gain["mean"], measure):
        return f"{text}, the same score."
    where = f"{size_of(gain['mean'], measure)} {'less' if gain['mean'] > 0 else 'more'}"
    points = sum(bool(point["over_control"]) for of_order in results["orders"].values() for point in of_order)
    return f"{text}, {where}" + _evidence(gain, measure, f", corrected for {count(points, 'point')}")


def _evidence(gain: Mapping[str, Any], measure: Measure, corrected: str = "") -> str:
    """The interval and test of the size of a difference over seeds, and what they show."""
    if gain["mean"] < 0:
        low, high = gain["ci95"]
        turned = [-end if finite(end) else None for end in (high, low)]
        gain = {**gain, "mean": -gain["mean"], "ci95": turned}
    interval = measure.changes(gain["ci95"])
    details = [f"95% interval over seeds {interval}"] if interval else []
    if not finite(gain["p_adjusted"]):
        return "; one seed does not show whether that is chance."
    details.append(f"sign-flip p {p_equals(gain['p_adjusted'])}{corrected}")
    shown = "which is shown" if told_apart(gain) else "which is not shown to be more than chance"
    return f" ({', '.join(details)}), {shown} on these examples."


def simplest(results: Results) -> str:
    """The strongest point within one standard error of the best; empty where it is not known or the best itself."""
    rule = results.get("one_standard_error")
    if not rule:
        return ""
    measure, points = Measure.of(results), results["orders"][rule["order"]]
    point, best = points[rule["position"]], results["best"]
    error = f"one standard error ({size_of(rule['error'], measure)})"
    last = len(results["values"]) - 1
    if best["position"] == last:
        return ""
    if rule["position"] == best["position"]:
        return f"No stronger value is within {error} of it."
    least = points[best["position"]]["score"]["mean"] - rule["error"]
    between = [points[i]["score"]["mean"] for i in range(best["position"] + 1, rule["position"])]
    outside = sum(not finite(mean) or mean < least for mean in between)
    text = f"The strongest within {error} of it is {plain(point['value'])}, with {_percent(point['zeros'])} of the "
    text += "weights exactly zero"
    text += f"; {plain(outside)} between them {'is' if outside == 1 else 'are'} not" if outside else ""
    return text + ("; none stronger was trained." if rule["position"] == last else ".")


def optimism(results: Results) -> str:
    """Says that the best was chosen on the examples that score it."""
    if results.get("best") is None:
        return ""
    return (
        f"The best was chosen on the {plain(results['validation_examples'])} validation examples that score it, so its "
        "score is optimistic."
    )


def orders(results: Results) -> str:
    """How far apart the two orders are on average over all strengths; empty with one."""
    gap = results.get("orders_differ")
    if not gap:
        return ""
    measure = Measure.of(results)
    over = f"On average over the {count(len(results['values']), 'value')}, for which both orders train equally long"
    if is_zero(gap["mean"], measure):
        return f"{over}, they have the same validation {measure.name}.{_stuck(results)}"
    higher = ORDERS["up" if gap["mean"] > 0 else "down"]
    text = f"{over}, the validation {measure.name} {higher} is {size_of(gap['mean'], measure)} higher"
    return text + _evidence(gap, measure) + _stuck(results)


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
    longest, values = longest_in_use(results), results["values"]
    columns = results.get("columns") or []
    kept = sum(value == values[-1] for _, value in longest)
    if not longest or kept == len(columns):
        return ""
    named = longest[:MOST_NAMED]
    ties = sum(value == named[-1][1] for _, value in longest[MOST_NAMED:])
    shown = [f"{name} (to {plain(value)})" for name, value in named]
    shown += [f"{plain(ties)} more (to {plain(named[-1][1])})"] if ties else []
    seeds = " in at least half of the seeds" if int(results["seeds"]) > 1 else ""
    gone = f"{plain(len(columns) - kept)} of {count(len(columns), 'feature')}"
    return (
        f"From weak to strong, at {results['parameter']} = {plain(values[-1])} the net does without {gone}{seeds}. The "
        f"longest in use: {listing(shown)}."
    )


def longest_in_use(results: Results) -> list[tuple[str, float]]:
    """The features with the largest strength at which most seeds give them a weight, the longest in use first.

    From weak to strong; features of the same strength go by the mean norm of their weights there. Those that most seeds
    never use are left out; empty where features are not known, or no path is from weak to strong.
    """
    columns, points = results.get("columns"), results["orders"].get("up")
    if not columns or not points:
        return []
    last = [[i for i, point in enumerate(points) if point["used"][k] > 0.5] for k in range(len(columns))]
    used = [k for k in range(len(columns)) if last[k]]
    used.sort(key=lambda k: (-last[k][-1], -points[last[k][-1]]["inputs"][k]))
    return [(columns[k], points[last[k][-1]]["value"]) for k in used]


def _percent(share: Any) -> str:
    """A share in percent that is 0% or 100% only if it is.

    Example:
      >>> [_percent(share) for share in (0.0, 0.0036, 0.5, 0.9961, 0.99993, 1.0)]
      ['0%', '0.4%', '50%', '99.6%', '99.99%', '100%']
    """
    if not finite(share):
        return "an unknown share"
    return f"{percent(share)}%"


def percent(share: float) -> str:
    """A share in percent without its unit, with enough decimals not to be 0 or 100 unless it is."""
    digits = 0
    while 0 < share < 1 and digits < 4 and fixed(100 * share, digits) in (fixed(0, digits), fixed(100, digits)):
        digits += 1
    return fixed(100 * share, digits)
