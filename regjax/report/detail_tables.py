"""Tables of the predictions in detail: classes, the surest mistakes, and the columns on which rows rely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.detail_panels import detail_rows
from regjax.report.plain_table import cell, labelled, line, plain_table
from regjax.report.verdict import short
from regjax.report.words import NONE, Measure, count, finite, fixed, plain, span

MOST_COLUMNS = 15  # of the table of importances


def class_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Precision, recall and F1 of each class, of the best row and below it of the baseline; None for numbers."""
    rows = [(title, of["per_class"]) for title, of in detail_rows(results) if of.get("per_class")]
    if not rows:
        return None
    (_, base), (title, best) = rows[0], rows[-1]
    columns = [("examples", ""), ("precision", "%"), ("recall", "%"), ("F1", "%")]
    lines = []
    for one, other in zip(best, base, strict=True):
        cells = [cell("examples", plain(one["examples"]))]
        for name, label in (("precision", "precision, %"), ("recall", "recall, %"), ("f1", "F1, %")):
            small = f"baseline {_percent(other[name])}" if len(rows) > 1 else ""
            cells.append(cell(label, _percent(one[name]), small))
        lines.append(line(str(one["name"]), cells))
    return plain_table(f"Test results by class, {title}", columns, lines)


def mistake_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The examples of the surest wrong predictions of the best row; None if there are none or they are images."""
    mistakes = _mistakes(results)
    if not mistakes or any("image" in one for one in mistakes):
        return None
    columns = [
        ("label", ""),
        ("predicted", ""),
        ("probability of it", "%"),
        ("wrong in", "runs that tested it"),
        ("inputs", ""),
    ]
    lines = []
    for one in mistakes:
        inputs = "; ".join(f"{name} {plain(value)}" for name, value in (one.get("inputs") or {}).items())
        cells = [
            cell("label", str(one["label"])),
            cell("predicted", str(one["predicted"])),
            cell("probability of it, %", _percent(one["confidence"], 0)),
            cell("wrong in, runs that tested it", f"{one['wrong']} of {one['tested']}"),
            cell("inputs", "", inputs),
        ]
        lines.append(line(f"example {one['example']}", cells))
    return plain_table(f"The surest mistakes of {detail_rows(results)[-1][0]}", columns, lines)


def mistake_pictures(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The images of the surest wrong predictions of the best row, each with its caption."""
    return [
        {
            "src": f"data:image/png;base64,{one['image']}",
            "text": f"{one['label']} taken for {one['predicted']} ({_percent(one['confidence'], 0)}%), in "
            f"{one['wrong']} of {count(one['tested'], 'run')}; example {one['example']}",
        }
        for one in _mistakes(results)
        if one.get("image")
    ]


def importance_table(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """By how much the metric of each row gets worse if a column is permuted; the most important columns first."""
    importance = results.get("importance")
    if not importance:
        return None
    measure, columns = Measure.of(results), importance["columns"]
    rows = [row for row in (results["baseline"], *results["techniques"].values()) if row["name"] in importance["rows"]]
    most = [max(_mean(importance["rows"][row["name"]][i]) for row in rows) for i in range(len(columns))]
    order = sorted(range(len(columns)), key=lambda i: -most[i])[:MOST_COLUMNS]
    heads = [(short(row["title"]), measure.step.strip()) for row in rows]
    lines = []
    for i in order:
        cells = []
        for row, (title, unit) in zip(rows, heads, strict=True):
            found = importance["rows"][row["name"]][i]
            text = fixed(found["mean"] * measure.scale, measure.digits) if finite(found["mean"]) else NONE
            small = span(found["ci95"], measure.scale, measure.digits)
            cells.append(cell(labelled(title, unit), text, small))
        lines.append(line(str(columns[i]), cells))
    return plain_table("Permutation importance of the columns", heads, lines)


def detail_captions(results: Mapping[str, Any]) -> dict[str, str]:
    """The texts beside the details."""
    measure, rows = Measure.of(results), detail_rows(results)
    best = rows[-1][0] if rows else "baseline"
    runs = count(int(results["seeds"]), "run")
    alone = "The baseline is the best row on validation." if len(rows) < 2 else f"On validation {best} is best."
    classes = (rows[-1][1].get("classes") or []) if rows else []
    of = f"class {classes[1]} against the other" if len(classes) == 2 else "each class against the rest, their mean"
    gap = f"by how much test {measure.name} falls" if measure.higher else f"by how much test {measure.name} rises"
    return {
        "details_heading": "What the predictions look like",
        "details_text": f"Test predictions of {runs}. {alone} Nothing was chosen by them.{_shown_targets(rows)}",
        "confusion_caption": (
            "Percent of the examples of each label, all runs together; a row sums to 100, the diagonal is right."
        ),
        "ranking_caption": (
            f"Of {of}. Mean over {runs}"
            + (", shaded: 95% interval over the runs alone" if results["seeds"] != 1 else "")
            + (f"; solid: {best}, dashed: the baseline." if len(rows) > 1 else ".")
        ),
        "importance_text": (
            f"Permutation importance: {gap} if the cells of a column are shuffled among the test rows"
            + (", with 95% intervals over the runs alone" if results["seeds"] != 1 else "")
            + ". Of columns that say the same, each may seem unimportant. It is what the model uses, not what causes "
            "the target."
        ),
    }


def _shown_targets(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A sentence on the targets whose residuals are not shown; empty if all are."""
    targets = (rows[-1][1].get("targets") or []) if rows else []
    shown = sum("points" in one for one in targets)
    if shown == len(targets):
        return ""
    return f" The figures show the first {shown} of the {len(targets)} targets, the table all of them."


def _mistakes(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = detail_rows(results)
    return list(rows[-1][1].get("mistakes") or []) if rows else []


def _mean(found: Mapping[str, Any]) -> float:
    return float(found["mean"]) if finite(found["mean"]) else float("-inf")


def _percent(value: Any, digits: int = 1) -> str:
    return fixed(100 * value, digits) if finite(value) else NONE
