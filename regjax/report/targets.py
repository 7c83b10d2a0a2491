"""What a page says about several targets: the table of how well each is predicted, and which means the metrics are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.detail_panels import detail_rows
from regjax.report.plain_table import cell, labelled, line, plain_table
from regjax.report.words import NONE, count, finite, listing, plain

_COLUMNS = (
    ("r2", "R²", ""),
    ("mae", "mean absolute error", "own unit"),
    ("rmse", "root mean squared error", "own unit"),
)


def target_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """R², mean absolute and root mean squared error of each target, of the best row and the baseline; None for one."""
    rows = [(title, of["targets"]) for title, of in detail_rows(results) if of.get("targets")]
    if not rows:
        return None
    (_, base), (title, best) = rows[0], rows[-1]
    lines = []
    for one, other in zip(best, base, strict=True):
        cells = []
        for name, label, unit in _COLUMNS:
            small = f"baseline {_number(other[name])}" if len(rows) > 1 else ""
            cells.append(cell(labelled(label, unit), _number(one[name]), small))
        lines.append(line(str(one["name"]), cells))
    return plain_table(f"Test results by target, {title}", [(label, unit) for _, label, unit in _COLUMNS], lines)


def target_notes(settings: Mapping[str, Any]) -> list[str]:
    """A note on the metrics of several targets; empty for one."""
    targets = settings.get("targets") or []
    if not targets:
        return []
    shown = [str(name) for name in targets[:8]] + ([f"{len(targets) - 8} more"] if len(targets) > 8 else [])
    return [
        f"{count(len(targets), 'target')}: {listing(shown)}. R² is the mean of theirs (uniform_average of "
        "scikit-learn), as are the other errors, each in the unit of its target; the loss is a mean over targets that "
        "are divided by their standard deviations in training."
    ]


def _number(value: Any) -> str:
    return plain(value) if finite(value) else NONE
