"""The table of further metrics, for the rows of a comparison and for its reference models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.catalog import METRICS
from regjax.report.plain_table import cell, labelled, line, plain_table
from regjax.report.words import MINUS, NONE, finite, task_of


def metrics_table(results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the table for the page; None if the results have no metrics.

    The rows of the comparison come first, then the references, whose titles say so.

    Args:
      results: the content of `results.json`.
    """
    metrics, references = results.get("metrics") or {}, results.get("references") or {}
    rows = [(row["title"], metrics.get(row["name"])) for row in (results["baseline"], *results["techniques"].values())]
    rows += [(f"{name} (reference)", found) for name, found in references.items()]
    shown = [(title, found) for title, found in rows if found]
    if not shown:
        return None
    names = [name for name in METRICS if name in shown[0][1]]
    titles = {name: METRICS[name].title_in(task_of(results)) for name in names}
    columns = [(titles[name], _unit(name)) for name in names]
    lines = [line(title, [_cell(name, titles[name], found.get(name)) for name in names]) for title, found in shown]
    return plain_table("Further metrics on the test examples", columns, lines)


def _unit(name: str) -> str:
    """The unit of a column; that of the errors of a regression is the target's."""
    if METRICS[name].percent:
        return "%"
    return "target's own unit" if name in ("mae", "rmse") else ""


def _cell(name: str, title: str, value: Any) -> dict[str, Any]:
    unit = _unit(name)
    text = NONE if not finite(value) else f"{100 * value:.1f}" if unit == "%" else f"{value:.3g}".replace("-", MINUS)
    return cell(labelled(title, unit), text)
