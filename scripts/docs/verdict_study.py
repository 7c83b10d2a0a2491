"""The table of how often a verdict "practically the same" is wrong, and what a detectable effect promises."""

from __future__ import annotations

import textwrap
from pathlib import Path

from cells import read, table


def verdicts(records: Path, link: str) -> list[str]:
    """How often a technique is called practically the same, and the true power at the detectable effect."""
    record = read(records / "verdicts.json")
    rows = []
    for case in record["cases"]:
        same, power = case["same"], case.get("power") or {}
        rows.append(
            [
                f"{case['examples']:,}",
                str(case["runs"]),
                f"{100 * case['share']:g}%",
                f"{100 * same['wrong']:.1f}% ({100 * same['without']:.1f}%)",
                f"{100 * same['found']:.0f}%",
                f"{100 * power['effect']:.1f}" if "effect" in power else "–",
                f"{100 * power['power']:.0f}% ({100 * power['lowest_tenth']:.0f}%)" if "power" in power else "–",
                f"{100 * power['nothing_printed']:.0f}%" if power else "–",
            ]
        )
    head = (
        "examples", "splits", "answers that differ", "same, where it changes by 1 point (without the resolution)",
        "same, where nothing changes", "detectable, median, points", "true power there, mean (lowest tenth)",
        "nothing printed",
    )  # fmt: skip
    text = (
        f"*Record: [`experiments/records/verdicts.json`]({link}/verdicts.json), "
        f"`python -m experiments.studies.verdicts`: {record['comparisons']:,} comparisons (a quarter of them where "
        "nothing changes), each on a new data set of which every split tests a fifth; the smallest change that matters "
        "is 1 point. Power: "
        f"{record['designs']} first comparisons of three techniques, {record['fresh']} new ones with the effect that "
        "each prints.*"
    )
    wrong = max(case["same"]["wrong"] for case in record["cases"])
    powers = sorted(case["power"]["power"] for case in record["cases"] if "power" in case.get("power", {}))
    summary = (
        f"“Practically the same” is said of a technique that changes exactly what matters in at most {100 * wrong:.1f}"
        "% of the comparisons (2.5% is nominal; it is more where all answers that differ do so in one direction). The "
        f"true power at the detectable effect is {100 * powers[0]:.0f} to {100 * powers[-1]:.0f}% on average, and much "
        "lower where the first runs happened to vary little."
    )
    wrap = {"width": 120, "break_on_hyphens": False}
    return [*table(head, rows), "", *textwrap.wrap(text, **wrap), "", *textwrap.wrap(summary, **wrap)]
