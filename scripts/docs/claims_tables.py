"""The tables of the page of claims, from their record. Standard library alone."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cells import read, table, wrapped

CHAPTERS = {
    "claims_fit": "Correct fit and overfit models",
    "claims_methods": "Methods against overfitting",
    "claims_l2": "L2 regularization",
    "claims_l1": "L1 regularization",
    "claims_dropout": "Dropout regularization",
    "claims_left_out": "What the guide leaves out",
}
_VERDICTS = ("supported", "below the margin", "contradicted", "depends on", "not shown")
_NETS = re.compile(r"^Nets with two hidden layers.*?unless it is named\. ?")  # stands once, in the overview
_WORDS = {"depends on": "depends on the circumstance", "below the margin": "true, but below the margin"}


def overview(records: Path, link: str) -> list[str]:
    """How many claims have each verdict, how sure that is, and how the record was made."""
    record = read(records / "claims/claims.json")
    claims, made = record["claims"], record["reproduce"]
    rows = [
        [_WORDS.get(verdict, verdict), str(len(found)), ", ".join(f"[{name}](#{name})" for name in found)]
        for verdict in _VERDICTS
        if (found := [claim["name"].replace("_", "-") for claim in claims if claim["verdict"] == verdict])
    ]
    nets = next(found[0] for claim in claims if (found := _NETS.match(claim["design"])))
    runs = sorted(claim["runs"] for claim in claims)
    text = (
        f"*Record: [`experiments/records/claims`]({link}/claims), made by `{made['command']}`: {len(claims)} claims in "
        f"{record['tests']} circumstances, {runs[0]} to {runs[-1]} runs of each, commit {made['commit']}, "
        f"jax {made['versions']['jax']}, {made['platform']}, {made['seconds']:.0f} seconds. A circumstance is judged "
        f"at {100 * record['level']:g}% / {record['tests']}; numbers are medians with intervals at 95%, one by one.*"
    )
    errors = read(records / "claims_errors.json")
    up, down, student_up, student_down = (
        f"{100 * errors[name]:.1f}%" for name in ("sign_up", "sign_down", "student_up", "student_down")
    )
    check = (
        f"In {errors['pages']:,} pages that were simulated from these runs as if they were independent, with every "
        f"effect at its margin, a claim is falsely supported on {up} and falsely contradicted on {down} (record "
        f"[`claims_errors`]({link}/claims_errors.json)); by Student's test, which takes the effects for normal, on "
        f"{student_up} and {student_down}. So claims are judged by sign tests of the median run. Runs on generated "
        "data are independent. Those on digits and breast cancer draw their parts from the same examples, so what is "
        "said of them holds for draws from these; for other examples of their kind intervals are too narrow, and "
        "verdicts too sure."
    )
    return [*table(("verdict", "claims", "which"), rows), "", *wrapped(text), "", *wrapped(check), "", *wrapped(nets)]


def _chapter(title: str, records: Path, link: str) -> list[str]:
    """The claims of a chapter, each with its verdict, its numbers and its figure."""
    lines: list[str] = []
    for claim in read(records / "claims/claims.json")["claims"]:
        if claim["chapter"] == title:
            lines += _claim(claim, link)
    return lines[:-1]


def _claim(claim: Mapping[str, Any], link: str) -> list[str]:
    head = f"### {claim['name'].replace('_', '-')}"
    verdict = _WORDS.get(claim["verdict"], claim["verdict"])
    own = [case["verdict"] for case in claim["circumstances"] if not case["control"]]
    if len(set(own)) > 1:
        verdict += f": supported in {own.count('supported')} of {len(own)}"
    rows = [
        [case["label"], "control: " * case["control"] + case["verdict"], _effect(case, claim)]
        for case in claim["circumstances"]
    ]
    unit = f"{claim['quantity']}, {claim['unit']}"
    texts = (
        f"“{claim['statement']}” **{verdict[0].upper()}{verdict[1:]}.**",
        f"Hypothesis: {claim['hypothesis']} {_NETS.sub('', claim['design'])} {claim['runs']} runs.",
        claim["literature"],
    )
    lines = [head, ""]
    for text in filter(None, texts):
        lines += [*wrapped(text.replace("|", "\\|")), ""]
    lines += [f"![{claim['quantity']} in each circumstance, with the margin]({link}/claims/{claim['name']}.png)", ""]
    return [*lines, *table(("circumstance", "verdict", unit), rows), ""]


def _effect(case: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """The median with its interval."""
    if case["median"] is None:
        return str(case["reason"])
    median, low, high = (
        f"{value:.{claim['decimals']}f}".replace("-", "−") for value in (case["median"], *case["ci95"])
    )
    return f"{median} ({low} to {high})"


TABLES: dict[str, Callable[[Path, str], list[str]]] = {
    "claims": overview,
    **{name: functools.partial(_chapter, title) for name, title in CHAPTERS.items()},
}
