"""What a page says about several targets or labels: how well each is predicted, and what the metrics are means of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.detail_panels import detail_rows
from regjax.report.plain_table import cell, labelled, line, plain_table
from regjax.report.words import NONE, count, finite, fixed, listing, plain, task_of

_ERRORS = (
    ("r2", "R²", ""),
    ("mae", "mean absolute error", "own unit"),
    ("rmse", "root mean squared error", "own unit"),
)
_RATES = (("precision", "precision", "%"), ("recall", "recall", "%"), ("f1", "F1", "%"))


def target_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """R², mean absolute and root mean squared error of each target, of the best row and the baseline; None for one."""
    return _table(results, "targets", "Test results by target", (), _ERRORS)


def label_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Base rate, precision, recall and F1 of each label, of the best row and the baseline; None without labels."""
    counts = (("examples", "examples", ""), ("base_rate", "base rate", "%"))
    return _table(results, "labels", "Test results by label", counts, _RATES)


def _table(
    results: Mapping[str, Any],
    key: str,
    title: str,
    fixed_columns: tuple[tuple[str, str, str], ...],
    columns: tuple[tuple[str, str, str], ...],
) -> dict[str, Any] | None:
    """A line for each target: what is known of the data, and the results of the best row above the baseline's."""
    rows = [(row, of[key]) for row, of in detail_rows(results) if of.get(key)]
    if not rows:
        return None
    (_, base), (best_row, best) = rows[0], rows[-1]
    lines = []
    for one, other in zip(best, base, strict=True):
        cells = [cell(labelled(head, unit), _text(one[name], unit)) for name, head, unit in fixed_columns]
        for name, head, unit in columns:
            small = f"baseline {_text(other[name], unit)}" if len(rows) > 1 else ""
            cells.append(cell(labelled(head, unit), _text(one[name], unit), small))
        lines.append(line(str(one["name"]), cells))
    return plain_table(f"{title}, {best_row}", [(head, unit) for _, head, unit in (*fixed_columns, *columns)], lines)


def target_notes(results: Mapping[str, Any]) -> list[str]:
    """A note on the metrics of several targets; empty for one."""
    targets = (results.get("settings") or {}).get("targets") or []
    if not targets:
        return []
    shown = [str(name) for name in targets[:8]] + ([f"{len(targets) - 8} more"] if len(targets) > 8 else [])
    if task_of(results) == "multilabel":
        return [
            f"{count(len(targets), 'label')}: {listing(shown)}. Label accuracy is the share of all labels that are "
            "right, a label being predicted where its probability is above one half. Every other metric is the mean of "
            "its values for the labels (macro average of scikit-learn), as is the loss."
        ]
    return [
        f"{count(len(targets), 'target')}: {listing(shown)}. R² is the mean of theirs (uniform_average of "
        "scikit-learn), as are the other errors, each in the unit of its target; the loss is a mean over targets that "
        "are divided by their standard deviations in training."
    ]


def _text(value: Any, unit: str) -> str:
    if not finite(value):
        return NONE
    return fixed(100 * value, 1) if unit == "%" else plain(value)
