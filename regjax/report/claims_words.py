"""Sentences of the page of claims, from `claims.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.words import count, finite, fixed, listing, plain

VERDICTS = ("supported", "below the margin", "contradicted", "depends on", "not shown")
LABELS = {
    "supported": "supported",
    "below the margin": "true, but below the margin",
    "contradicted": "contradicted",
    "depends on": "depends on the circumstance",
    "not shown": "not shown",
}
ORDER = ("supported", "below the margin", "contradicted", "not shown")


def quantity(value: Any, unit: str, digits: int) -> str:
    """A number with its unit.

    Example:
      >>> quantity(12.34, "%", 1), quantity(-1.0, "points", 1)
      ('12.3%', '−1.0 points')
    """
    return with_unit(fixed(value, digits), unit)


def with_unit(number: str, unit: str) -> str:
    """A number, as text, with its unit."""
    return f"{number}%" if unit == "%" else f"{number} {unit}"


def effect(case: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """The median of a circumstance with its interval, or why there is none."""
    digits = claim["decimals"]
    if not finite(case["median"]):
        return str(case["reason"])
    low, high = (fixed(end, digits) for end in case["ci95"])
    interval = f" ({low} to {high})" if all(map(finite, case["ci95"])) else ""
    return quantity(case["median"], claim["unit"], digits) + interval


def margin(claim: Mapping[str, Any]) -> str:
    """What has to be shown, in symbols."""
    size = with_unit(plain(claim["margin"]), claim["unit"])
    return f"above {size}" if claim["relation"] == "above" else f"within ±{size}"


def finding(claim: Mapping[str, Any]) -> str:
    """The verdict of a claim in a sentence, with the circumstances of each kind.

    Example:
      >>> case = {"label": "a", "verdict": "supported", "median": 3.0, "ci95": [2.0, 4.0], "reason": ""}
      >>> claim = {"quantity": "The gain", "unit": "points", "margin": 1.0, "relation": "above"}
      >>> finding(claim | {"circumstances": [case]})
      'The gain is shown to be above 1 points (a).'
    """
    own = [case for case in claim["circumstances"] if not case.get("control")]
    by_verdict = {verdict: [case["label"] for case in own if case["verdict"] == verdict] for verdict in ORDER}
    size = with_unit(plain(claim["margin"]), claim["unit"])
    if claim["relation"] == "above":
        phrases = {
            "supported": f"is shown to be above {size}",
            "below the margin": f"is shown to be above 0 and below {size}",
            "contradicted": f"is shown to be below {size}",
            "not shown": f"is not shown to be above or below {size}",
        }
    else:
        phrases = {
            "supported": f"is shown to be within {size} of zero",
            "contradicted": f"is shown to be more than {size} from zero",
            "not shown": f"is not shown to be within {size} of zero or beyond",
        }
    total = len(own)
    parts = []
    for verdict in ORDER:
        labels = by_verdict[verdict]
        if labels:
            where = f"in all {total} circumstances" if len(labels) == total > 1 else f"({'; '.join(labels)})"
            parts.append(f"{phrases[verdict]} {where}")
    return f"{claim['quantity']} {listing(parts)}."


def in_words(case: Mapping[str, Any]) -> str:
    """The verdict of a circumstance; that of a control is marked, because a claim does not rest on it.

    Example:
      >>> in_words({"verdict": "contradicted", "control": True})
      'control: contradicted'
    """
    return f"control: {case['verdict']}" if case.get("control") else str(case["verdict"])


def verdict_line(claim: Mapping[str, Any]) -> str:
    """The verdict of a claim, and where circumstances differ, in how many of them it is supported.

    Example:
      >>> cases = [{"verdict": "supported"}, {"verdict": "not shown"}, {"verdict": "contradicted", "control": True}]
      >>> verdict_line({"verdict": "not shown", "circumstances": cases})
      'not shown: supported in 1 of 2'
    """
    own = [case["verdict"] for case in claim["circumstances"] if not case.get("control")]
    supported = own.count("supported")
    label = LABELS[claim["verdict"]]
    return label if len(set(own)) == 1 else f"{label}: supported in {supported} of {len(own)}"


def counts(claims: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in VERDICTS}


def headline(results: Mapping[str, Any]) -> str:
    """The page in one sentence.

    Example:
      >>> headline({"claims": [{"verdict": "supported"}, {"verdict": "depends on"}, {"verdict": "supported"}]})
      'Of 3 claims, 2 are supported, and 1 depends on the circumstance.'
    """
    found = counts(results["claims"])
    verbs = {
        "supported": ("is supported", "are supported"),
        "below the margin": ("is true below its margin", "are true below their margins"),
        "contradicted": ("is contradicted", "are contradicted"),
        "depends on": ("depends on the circumstance", "depend on the circumstance"),
        "not shown": ("is neither shown nor contradicted", "are neither shown nor contradicted"),
    }
    parts = [f"{number} {verbs[verdict][number > 1]}" for verdict, number in found.items() if number]
    total = count(len(results["claims"]), "claim")
    ends = f"{', '.join(parts[:-1])}, and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"Of {total}, {ends}."


def how_sure(results: Mapping[str, Any]) -> str:
    """How a verdict is reached, and how often one is wrong."""
    runs = sorted({claim["runs"] for claim in results["claims"]})
    span = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    level = f"{100 * results['level']:.0f}%"
    return (
        f"A claim is measured in {span} runs, each with data drawn anew (of a data set: parts) and weights of its "
        "own, and is about the median run. It is supported where more runs lie beyond the margin, and contradicted "
        f"where more fall short of it, than chance allows by a sign test at the level of {level} divided by the "
        f"{results['tests']} circumstances of all claims. An effect that is shown to be there, but smaller than the "
        "margin, does not contradict a claim. Controls are circumstances of which a claim does not speak; they have no "
        "part in its verdict. The probability that any verdict on this page is wrong is "
        f"at most {level} if runs are independent, whatever the distribution of the effects. Runs on generated data "
        "are. Those on digits and breast cancer draw their parts from the same examples, so what is said of them holds "
        "for draws from these; for other examples of their kind intervals are too narrow, and verdicts too sure. "
        "Intervals are those of the median at 95%, one by one."
    )


def terminal_lines(results: Mapping[str, Any]) -> list[str]:
    """A line for each claim."""
    width = max(len(claim["name"]) for claim in results["claims"])
    return [f"{claim['name']:{width}}  {verdict_line(claim)}" for claim in results["claims"]]
