"""The table of the Bayesian t-test: how likely the true change is worse, practically the same or better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.plain_table import cell, line, plain_table
from regjax.report.reach import independent_runs, too_few_runs
from regjax.report.verdict import lost, short
from regjax.report.words import NONE, Measure, finite, fixed


def posterior_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the table for the page; None with too few runs, by which the probabilities are known too badly.

    Args:
      results: the content of `results.json`.
    """
    rows = [row for row in results["techniques"].values() if _known(row)]
    if not rows or too_few_runs(independent_runs(results)):
        return None
    measure = Measure.of(results)
    heads = [(f"{name}, {side}", "%") for name in (measure.name, measure.loss) for side in ("worse", "same", "better")]
    lines = []
    for row in rows:
        cells = []
        for key, name in (("improvement", measure.name), ("loss_improvement", measure.loss)):
            posterior = (row.get(key) or {}).get("posterior") or {}
            for side in ("worse", "same", "better"):
                value = posterior.get(side)
                text = _percent(value) if finite(value) and not lost(row.get(key)) else NONE
                cells.append(cell(f"{name}, {side}, %", text))
        lines.append(line(short(row["title"]), cells))
    return plain_table("Probabilities of the true change, by a Bayesian t-test", heads, lines) | {
        "caption": (
            "Same: a change smaller than the smallest that matters. Normal differences and a flat prior are assumed, "
            "row by row and without correction; the verdicts do not use these numbers."
        ),
    }


def _known(row: Mapping[str, Any]) -> bool:
    posterior = (row.get("improvement") or {}).get("posterior") or {}
    return finite(posterior.get("better"))


def _percent(share: float) -> str:
    """A share in percent, of which neither 0 nor 100 is said."""
    if share < 0.005:
        return "<1"
    return ">99" if share > 0.995 else fixed(100 * share, 0)
