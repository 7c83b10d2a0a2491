"""The tables of the page of cocktails, from their record. Standard library alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cells import listed, p_value, read, table, wrapped

SHOWN = 0.05
COMMAND = "python -m experiments.cocktails --packages=DIR --data_dir=DIR --keep"


def learners(records: Path, link: str) -> list[str]:
    """The cocktail against each other learner, over the data sets."""
    record = read(records / "cocktails.json")
    over, made = record["summary"]["over_data_sets"], record["reproduce"]
    rows = []
    for name, row in sorted(over["learners"].items(), key=lambda item: -item[1]["accuracy"]["cocktail_over"]):
        accuracy = row["accuracy"]
        rows.append(
            [
                name,
                f"{accuracy['higher']} / {accuracy['equal']} / {accuracy['lower']}",
                _interval(accuracy, 1),
                p_value(row.get("p_adjusted")),
                _interval(row["balanced_accuracy"], 1),
                _interval(row["log_loss"], 3),
            ]
        )
    head = (
        "against", "higher / equal / lower", "accuracy, points (95% CI)", "adjusted p", "balanced accuracy, points",
        "log loss",
    )  # fmt: skip
    shown = [
        name
        for name, row in over["learners"].items()
        if row.get("p_adjusted") is not None and row["p_adjusted"] <= SHOWN
    ]
    summary = (
        f"Over {over['data_sets']} data sets the cocktail is shown to differ from {listed(shown)} in accuracy."
        if shown
        else f"Over {over['data_sets']} data sets the cocktail is not shown to differ from any of them in accuracy."
    )
    protocol = record["protocol"]
    source = (
        f"*Record: [`experiments/records/cocktails.json`]({link}/cocktails.json), made by `{COMMAND}`: "
        f"{over['data_sets']} data sets, {protocol['splits']} splits of each, commit {made['commit']}, "
        f"jax {made['versions']['jax']}, {record['platform']}. A difference is that of the cocktail from the other; "
        "intervals are Student's over data sets, p-values of sign flips over data sets, corrected for the "
        f"{len(rows)} comparisons; with so many data sets none is below {over['smallest_p']:.3f}.*"
    )
    return [*table(head, rows), "", *wrapped(summary), "", *wrapped(source)]


def parts(records: Path, link: str) -> list[str]:
    """What each part contributes to the accuracy on the test examples."""
    del link
    record = read(records / "cocktails.json")
    found = record["summary"]["parts"]
    known = [row for row in found.values() if row["contribution"] is not None]
    rows = []
    for row in sorted(known, key=lambda row: -row["contribution"]):
        interval = f" ({_ends(row['ci95'], 2)})" if "ci95" in row else ""
        rows.append(
            [
                row["title"],
                str(row["data_sets"]),
                f"{100 * row['chosen']:.0f}%",
                _number(row["where_chosen"], 2),
                _number(row["contribution"], 2) + interval,
                p_value(row.get("p_adjusted")),
            ]
        )
    head = (
        "part",
        "data sets",
        "in so many of their cocktails",
        "points where chosen",
        "points on average (95% CI)",
        "adjusted p",
    )
    shown = [row["title"] for row in found.values() if _is_shown(row)]
    cocktails = [split for one in record["data_sets"] for split in one["ablation"] if split["subsets"]]
    gain = sum(split["all"] - split["none"] for split in cocktails) / len(cocktails)
    subsets = sum(split["subsets"] for split in cocktails)
    text = (
        f"Together they give {_number(100 * gain, 1)} points over the plain net with the same "
        f"learning rate, as the mean of {len(cocktails)} cocktails; {subsets:,} subsets were trained. "
        + (f"Shown to contribute: {listed(shown)}." if shown else "No part alone is shown to contribute.")
    )
    return [*table(head, rows), "", *wrapped(text)]


def data_sets(records: Path, link: str) -> list[str]:
    """The mean test accuracy of each learner on each data set."""
    del link
    record = read(records / "cocktails.json")
    names = list(record["summary"]["over_data_sets"]["learners"])
    rows = []
    for one in record["data_sets"]:
        own = record["summary"]["rows"][one["name"]]
        values = [own[name]["accuracy"] for name in ("cocktail", *names)]
        cells = [f"**{value:.1f}**" if value == max(values) else f"{value:.1f}" for value in values]
        sizes = f"{one['sizes']['train']} / {one['sizes']['validation']} / {one['sizes']['test']}"
        rows.append([one["name"], sizes, str(one["columns"]), str(one["classes"]), *cells])
    return table(("data", "train / validation / test", "columns", "classes", "cocktail", *names), rows)


def budgets(records: Path, link: str) -> list[str]:
    """What each search spent."""
    del link
    record = read(records / "cocktails.json")
    rows = []
    for name in record["data_sets"][0]["searches"]:
        found = [data["searches"][name]["found"] for data in record["data_sets"]]
        first = _mean([splits[0]["seconds"] for splits in found])
        later = _mean([one["seconds"] for splits in found for one in splits[1:]])
        epochs = _mean([one["epochs"] for splits in found for one in splits])
        rows.append([name, str(found[0][0]["trials"]), f"{epochs:,.0f}", f"{later:.1f} s", f"{first:.1f} s"])
    for name in record["data_sets"][0]["learners"]:
        tried = [one for data in record["data_sets"] for one in data["learners"][name]]
        spent = f"{_mean([one['seconds'] for one in tried]):.1f} s"
        rows.append([name, f"{_mean([one['tried'] for one in tried]):.0f}", "", spent, ""])
    head = ("search", "settings tried", "epochs", "processor time of a split", "of the first split, with compilation")
    return table(head, rows)


TABLES: dict[str, Callable[[Path, str], list[str]]] = {
    "cocktails": learners,
    "cocktail_parts": parts,
    "cocktail_sets": data_sets,
    "cocktail_budgets": budgets,
}


def _is_shown(row: Mapping[str, Any]) -> bool:
    return row.get("p_adjusted") is not None and row["p_adjusted"] <= SHOWN


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:+z.{digits}f}".replace("-", "−")


def _ends(interval: list[float | None], digits: int) -> str:
    return " to ".join(_number(end, digits) for end in interval)


def _interval(row: Mapping[str, Any], digits: int) -> str:
    return f"{_number(row['cocktail_over'], digits)} ({_ends(row['ci95'], digits)})"
