"""The table of a comparison as cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from regjax.report.reach import covered, independent_runs, too_few_runs, too_few_units
from regjax.report.verdict import LABELS, judge
from regjax.report.words import NONE, Measure, count, ends, finite, fixed, loss_of, p_value, plain, span

Cell = dict[str, Any]  # text, small, flag, label


class Column(NamedTuple):
    """A column of a table.

    Attributes:
      name: the heading; it may break at soft hyphens.
      unit: below the heading.
      brief: beside each cell on narrow screens, in one line with the unit; empty takes the heading.
    """

    name: str
    unit: str = ""
    brief: str = ""


TECHNIQUE = Column("technique")


def table(results: Mapping[str, Any], measure: Measure) -> dict[str, Any]:
    """Columns and rows for the template; intervals are in small type below their number.

    Args:
      results: the content of `results.json`.
      measure: of the headline metric.
    """
    base = results["baseline"]
    # Files of earlier versions have letters of too few runs, too.
    letters = {} if too_few_runs(independent_runs(results)) else results.get("groups") or {}
    units = bool(base.get("test_mse"))
    unit_of_loss = "standardized target" if units and loss_of(results).link == "identity" else ""
    tested = results.get("seeds") != 1 and not too_few_units(results)  # a single run has no test
    unit, step = measure.unit.strip(), measure.step.strip()
    columns = [
        Column("chosen"),
        *(Column(f"{part} {measure.name}", unit, f"{part}, {unit}" if unit else "") for part in ("train", "test")),
        *([Column("group")] if letters else []),
        Column(f"test {measure.loss}", unit_of_loss, f"test {measure.loss}"),
        *([Column("test MSE", "target's own unit", "test MSE, own unit")] if units else []),
        Column("gap", step, _with_unit("gap", step)),
        Column(f"change of {measure.name}", step, _with_unit("change", step)),
        *([Column("p"), Column("adjusted p"), _detectable(step)] if tested else []),
        Column("exact zeros", "%", "exact zeros, %"),
        Column("epochs"),
    ]
    rows = []
    for row in [base, *results["techniques"].values()]:
        gain = row.get("improvement")
        status = judge(gain) if gain else ""
        cells = [
            _chosen(row, results),
            _score(row["train"], measure),
            _score(row["test"], measure),
            *([{"text": letters.get(row["name"], "")}] if letters else []),
            _loss(row["test_loss"], measure),
            *([_own_units(row.get("test_mse"))] if units else []),
            {"text": measure.value(row["generalization_gap"]["mean"])},
            *(_gain(gain, measure) if gain else [{"text": ""}] * 4)[: 4 if tested else 1],
            {"text": fixed(100 * row["zero_fraction"], 0) if finite(row.get("zero_fraction")) else NONE},
            {"text": fixed(row["epochs"]["mean"], 0)},
        ]
        rows.append(_line(row, status, columns, cells))
    return {
        "label": "Baseline and techniques",
        "columns": [column._asdict() for column in (TECHNIQUE, *columns)],
        "rows": rows,
        "caption": _caption(results, bool(letters)),
    }


def _with_unit(name: str, unit: str) -> str:
    return f"{name}, {unit}" if unit else name


def _detectable(unit: str) -> Column:
    return Column("detect\N{SOFT HYPHEN}able", unit, _with_unit("detectable", unit))


def _chosen(row: Mapping[str, Any], results: Mapping[str, Any]) -> Cell:
    chosen = row.get("chosen") or {}
    if not chosen.get("parameter"):
        examples = (results.get("settings") or {}).get("train_examples")
        is_base = row["name"] == results["baseline"]["name"] and finite(examples)
        return {"text": plain(examples), "small": "examples"} if is_base else {"text": ""}
    edge = chosen.get("edge")
    small = f"grid's {'lowest' if edge == 'low' else 'highest'}" if edge else str(chosen["parameter"])
    values = chosen.get("values") or []
    if len(values) > 1:
        small += f", {values.count(chosen.get('value'))} of {len(values)}"
    return {"text": plain(chosen.get("value")), "small": small, "flag": bool(edge)}


def _score(spread: Mapping[str, Any], measure: Measure) -> Cell:
    pair = ends(spread["ci95"])
    if pair and measure.unit:  # Student's interval does not know that accuracy ends at 0 and 1
        pair = (max(pair[0], 0.0), min(pair[1], 1.0))
    return {"text": measure.value(spread["mean"]), "small": measure.range(pair)}


def _loss(spread: Mapping[str, Any], measure: Measure) -> Cell:
    return {"text": measure.loss_value(spread["mean"]), "small": span(spread["ci95"], digits=measure.loss_digits)}


def _own_units(spread: Mapping[str, Any] | None) -> Cell:
    mean = spread["mean"] if spread else None
    return {"text": plain(round(mean)) if finite(mean) and mean >= 100 else fixed(mean, 3)}


def _gain(gain: Mapping[str, Any], measure: Measure) -> list[Cell]:
    return [
        {"text": measure.change(gain.get("mean")), "small": measure.changes(gain.get("ci95"))},
        {"text": p_value(gain.get("p"))},
        {"text": p_value(gain.get("p_adjusted"))},
        {"text": measure.value(gain.get("minimum_detectable_effect"))},
    ]


def loss_table(results: Mapping[str, Any], measure: Measure) -> dict[str, Any] | None:
    """The change of the test loss with its interval and test, as `table` has those of the score; None without any."""
    rows = [row for row in results["techniques"].values() if (row.get("loss_improvement") or {}).get("p") is not None]
    if not rows:
        return None
    columns = [Column(f"change of {measure.loss}"), Column("p"), Column("adjusted p"), _detectable("")]
    lines = []
    for row in rows:
        gain = row["loss_improvement"]
        pair = ends(gain.get("ci95"))
        status = judge(gain)
        cells: list[Cell] = [
            {  # of the loss itself: below 0 is better
                "text": measure.loss_value(-gain["mean"], signed=True),
                "small": span((-pair[1], -pair[0]), signed=True) if pair else "",
            },
            {"text": p_value(gain.get("p"))},
            {"text": p_value(gain.get("p_adjusted"))},
            {"text": measure.loss_value(gain.get("minimum_detectable_effect"))},
        ]
        lines.append(_line(row, status, columns, cells))
    return {
        "label": f"Test {measure.loss} of each technique",
        "columns": [column._asdict() for column in (TECHNIQUE, *columns)],
        "rows": lines,
        "caption": (
            f"Below 0 is better. The intervals are over {covered(results)}. The statistic of the test is the mean over "
            "its standard deviation, so a single outlier can hide a change that most runs have."
        ),
    }


def _line(row: Mapping[str, Any], status: str, columns: Sequence[Column], cells: Sequence[Cell]) -> dict[str, Any]:
    """A row of a table: its name with the verdict, and its cells with their headings."""
    return {
        "title": row["title"],
        # For custom penalties, whose name is their text; other names only repeat the title.
        "text": row["name"] if "(" in row["name"] else "",
        "verdict": status,
        "label": LABELS.get(status, ""),
        "mark": "",
        "cells": [
            {"small": "", "flag": False, "label": column.brief or column.name, **cell}
            for column, cell in zip(columns, cells, strict=True)
        ],
    }


def unknown_effects(rows: Iterable[Mapping[str, Any]], runs: int) -> str:
    """Why some detectable effects are not known, with a leading space; empty if all are, or for lack of runs."""
    tested = [gain for row in rows if judge(gain := row.get("improvement")) != "untested" and gain]
    if too_few_runs(runs) or all(finite(gain.get("minimum_detectable_effect")) for gain in tested):
        return ""
    return " It is empty where fewer than 10 answers differ, by which nobody can tell how much they vary."


def _smallest_p(results: Mapping[str, Any]) -> str:
    runs, steps = independent_runs(results), (results.get("settings") or {}).get("steps_per_epoch")
    text = f" The smallest possible p is {p_value(2.0 ** (1 - runs))}." if 1 < runs <= 20 else ""
    return text + (f" An epoch is {count(int(steps), 'update')}." if finite(steps) else "")


def _caption(results: Mapping[str, Any], with_letters: bool) -> str:
    several = int(results.get("splits") or 1) > 1
    gap = "training minus test" if Measure.of(results).higher else "test minus training"
    text = f"Gap: {gap}."
    if too_few_units(results):
        text = (
            f"Small numbers are 95% intervals over these runs alone. Gap: {gap}. Change: that of each run, as a mean."
        )
    elif results.get("seeds") != 1:
        text = (
            f"Small numbers are 95% intervals; those of test results and changes are over {covered(results)}, those of "
            f"training results over these runs alone. Gap: {gap}. Change: paired with the baseline run by run. p: "
            "two-sided sign-flip test of the mean over its standard deviation; adjusted p: over all techniques "
            f"by step-down maxT of jointly flipped {'splits' if several else 'runs'}. Detectable: the smallest true "
            "change that so many runs show, by test and interval, with an expected power of 80%."
            + unknown_effects(results["techniques"].values(), independent_runs(results))
            + _smallest_p(results)
        )
    if with_letters:
        text += " Group: rows that share a letter are not shown to differ."
    if any(len((row.get("chosen") or {}).get("values") or []) > 1 for row in results["techniques"].values()):
        text += " Chosen: the most frequent setting, and in how many of the splits it was chosen."
    if any((row.get("chosen") or {}).get("edge") for row in results["techniques"].values()):
        text += (
            " A value marked as its grid's highest or lowest sits at the end of what was tried: a wider "
            "grid might hold a better one."
        )
    return text
