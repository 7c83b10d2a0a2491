"""Tables for README and pages: of figures from their records, of methods from the catalogue. Standard library alone."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import atlas_tables
import catalogue
import claims_tables
import cocktail_tables
import curve_studies
import growth_tables
import reproduce_tables
import speed_tables
import studies
import verdict_study
from cells import RecordError, p_value, read, table, wrapped

END = "<!-- end -->"
_BEGIN = re.compile(r"<!-- (record|catalogue): (\w*) -->")


def render(text: str, name: str, root: Path) -> str:
    """The text of a page with each table between its marks as its record, or the catalogue, has it now.

    Args:
      text: with lines `<!-- record: NAME -->`, or `<!-- catalogue: NAME -->`, and `<!-- end -->` around each table.
      name: of the file, relative to `root`.
      root: of the checkout.

    Raises:
      RecordError: a mark that names no record or has no end, or a record that cannot be read.
    """
    lines, out, begun = text.split("\n"), [], 0
    for number, line in enumerate(lines, 1):
        found = _BEGIN.fullmatch(line)
        if found and begun:
            raise RecordError(f"{name}:{begun}: no {END} before line {number}")
        if found:
            kind, what = found.groups()
            accepted = RECORDS if kind == "record" else catalogue.TABLES
            if what not in accepted:
                raise RecordError(f"{name}:{number}: {what!r} is no {kind}; accepted: {', '.join(accepted)}")
            begun = number
            out.append(line)
            if kind == "record":
                to_records = os.path.relpath(root / "experiments/records", (root / name).parent)
                out += RECORDS[what](root / "experiments/records", Path(to_records).as_posix())
            else:
                out += ["", *catalogue.methods(root, what), ""]
        if line == END:
            begun = 0
        if not begun:
            out.append(line)
    if begun:
        raise RecordError(f"{name}:{begun}: no {END}")
    return "\n".join(out)


def digits(records: Path, link: str) -> list[str]:
    """The comparison of the demonstration, one row a technique."""
    record = read(records / "digits/results.json")
    _check_csv(record, records / "digits/table.csv")
    rows = []
    for row in (record["baseline"], *record["techniques"].values()):
        gain = row["improvement"]
        change = ["", ""]
        if gain:
            half = 100 * (gain["ci95"][1] - gain["ci95"][0]) / 2
            change = [f"{100 * gain['mean']:+z.1f} ± {half:.1f}".replace("-", "−"), p_value(gain["p_adjusted"])]
        rows.append(
            [
                row["title"],
                _chosen(row, record["settings"]),
                f"{100 * row['train']['mean']:.1f}",
                f"{100 * row['test']['mean']:.1f}",
                *change,
                f"{row['test_loss']['mean']:.3f}",
                f"{100 * row['zero_fraction']:.0f}%",
            ]
        )
    head = (
        "technique", "chosen", "train accuracy %", "test accuracy %", "change, 95% CI", "adjusted p", "test loss",
        "exact zeros",
    )  # fmt: skip
    made = record["reproduce"]
    commit = f"commit {made['commit']}, " if made["commit"] else ""
    return [
        *table(head, rows),
        "",
        f"*Record: [`experiments/records/digits`]({link}/digits), made by `scripts/records --run digits`:",
        f"{record['seeds']} runs, {record['settings']['updates']} updates a run, {commit}"
        f"jax {made['versions']['jax']}, {made['platform']}, {record['seconds']:.0f} seconds.*",
        "",
        *wrapped(_reading(record)),
    ]


def _reading(record: Mapping[str, Any]) -> str:
    """What the table says: how sure it is, which changes hold, and what became of the weights."""
    rows, size = list(record["techniques"].values()), record["settings"]["test_examples"]
    means = [row["test"]["mean"] for row in (record["baseline"], *rows)]
    errors = sorted(100 * math.sqrt(mean * (1 - mean) / size) for mean in means)
    better = [row for row in rows if _holds(row["improvement"]) and row["improvement"]["mean"] > 0]
    loss_alone = [row["title"] for row in rows if _holds(row["loss_improvement"]) and not _holds(row["improvement"])]
    sentences = [
        f"The {record['seeds']} runs are spread over {record['splits']} splits of the data, and a setting is chosen "
        "within each; the one shown is the most frequent. The intervals, paired with the baseline, are for fresh "
        f"splits, seeds and test examples: of one split, the {size} test examples alone carry a standard error of "
        f"{errors[0]:.1f} to {errors[-1]:.1f} points.",
        f"After the correction over all rows {len(better)} of {len(rows)} are shown to have a higher accuracy.",
    ]
    if loss_alone:
        names = " and ".join(filter(None, [", ".join(loss_alone[:-1]), loss_alone[-1]]))
        sentences.append(
            f"{names[0].upper()}{names[1:]} {'is' if len(loss_alone) == 1 else 'are'} shown to change the loss; that "
            "the accuracy changes is not shown."
        )
    sparse = max(rows, key=lambda row: row["zero_fraction"])
    if sparse["zero_fraction"] > 0.5:
        gain = sparse["improvement"]
        change = f"{100 * gain['mean']:+z.1f} points, adjusted p {p_value(gain['p_adjusted'])}".replace("-", "−")
        sentences.append(
            f"{sparse['title']} sets {100 * sparse['zero_fraction']:.0f}% of the weights to exactly zero, on average "
            f"over the runs, which differ in strength ({change})."
        )
    return " ".join(sentences)


def _holds(gain: Mapping[str, Any]) -> bool:
    """Whether a change is shown, by the rule of the verdict: adjusted p and interval."""
    low, high = gain["ci95"]
    return gain["p_adjusted"] is not None and gain["p_adjusted"] <= 0.05 and (low > 0 or high < 0)


def _chosen(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The chosen setting of a technique, in words."""
    chosen = row["chosen"]
    if row["name"] == "early_stopping":
        return f"patience {settings['patience']}"
    if not chosen["parameter"]:
        return ""
    text = f"{chosen['parameter']} {chosen['value']:g}"
    if chosen["parameter"] == "examples":
        text = f"{chosen['value']:,.0f} examples"
    if row["name"] == "augmentation":
        text += f" of {re.sub(r'[.]0(?=,|$)', '', settings['augmentation']).replace(',', ', ')}"
    return text + (" (edge of the grid)" if chosen["edge"] else "")


def _check_csv(record: Mapping[str, Any], path: Path) -> None:
    """Refuse a `table.csv` that is not of the same run as `results.json`."""
    table = {row["technique"]: row for row in csv.DictReader(io.StringIO(path.read_text()))}
    rows = {row["name"]: row for row in (record["baseline"], *record["techniques"].values())}
    if set(table) != set(rows):
        raise RecordError(f"{path}: has the rows {', '.join(table)}, results.json has {', '.join(rows)}")
    for name, row in rows.items():
        gain = row["improvement"] or {"mean": None, "p_adjusted": None}
        known = {key: row[key]["mean"] for key in ("train", "test", "test_loss")} | {
            "zero_fraction": row["zero_fraction"]
        }
        known |= {"improvement": gain["mean"], "p_adjusted": gain["p_adjusted"]}
        for column, value in known.items():
            cell = table[name][column]
            if (float(cell) if cell else None) != value:
                raise RecordError(f"{path}: {column} of {name} is {cell or 'empty'}, in results.json {value}")


def unreached_entries(records: Path, link: str) -> list[str]:
    """What becomes of entries without a gradient, for three answers."""
    record = read(records / "unreached_entries.json")
    words = {"formula": "`lr / eps`, as the formula has it", "wait": "0: wait", "leaf": "that of its leaf (regjax)"}
    rows = []
    for name, found in record["answers"].items():
        tokens, lasso = found["tokens"], found["lasso"]
        rows.append(
            [
                words[name],
                f"{100 * tokens['zero_rows_after_1']:.0f}%",
                f"{100 * tokens['zero_rows_at_the_end']:.0f}%",
                f"{tokens['test_loss']:.3f} ± {tokens['test_loss_sd']:.3f}",
                f"{lasso['largest_error']:.1g}",
            ]
        )
    head = (
        "step of an entry without a gradient", "rows erased after one update", "at the end",
        "test loss ± its deviation", "largest error of the lasso",
    )  # fmt: skip
    return [
        *table(head, rows),
        "",
        f"*Record: [`experiments/records/unreached_entries.json`]({link}/unreached_entries.json):",
        f"{record['seeds']} seeds, {record['steps']:,} updates, learning rate {record['rate']:g}, "
        f"strength {record['strength']:g}.*",
    ]


RECORDS: dict[str, Callable[[Path, str], list[str]]] = {
    "digits": digits,
    "diagnosis": studies.diagnosis,
    "splits": studies.splits,
    "intervals": studies.intervals,
    "search": studies.search,
    "verdicts": verdict_study.verdicts,
    "units": verdict_study.units,
    "fresh_seeds": verdict_study.fresh_seeds,
    "atlas": atlas_tables.techniques,
    "atlas_rule": atlas_tables.rule,
    "atlas_sets": atlas_tables.data_sets,
    "unreached_entries": unreached_entries,
    **claims_tables.TABLES,
    **cocktail_tables.TABLES,
    **curve_studies.TABLES,
    **growth_tables.TABLES,
    **reproduce_tables.TABLES,
    **speed_tables.TABLES,
}
