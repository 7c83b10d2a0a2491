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
import reproduce_tables
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


# What a case measures; `{floor}` is what the machine needs for the bare work, `{quality}` what was achieved.
CASES = {
    "dense_step": "update of a 784-1024-1024-10 net, dropout, batch 128, Adam",
    "dropout": "what dropout adds to it",
    "penalties": "the most that a penalty adds to it",
    "checkpoint": "what a checkpoint after every epoch of it adds",
    "conv_step": "update of a small convolutional net",
    "sweep_64": "64 runs on digits, 50 epochs each",
    "sweep_512": "512 runs on digits, 50 epochs each",
    "tables": "a comparison of 40 runs on a table of 10,000 x 30, the defaults of `compare`",
    "early_stop_reclaim": "64 runs, some stopped early: share of the full time, for {quality} of the epochs",
    "scaling": "a sweep in two processes of one core each: share of the time of one",
    "augment": "RandAugment, crop and flip of 256 colour images",
    "lasso_path": "lasso path, 1,000 x 2,000, 50 strengths",
    "loading": "MNIST into memory in a fresh process, the second time",
    "cold_start": "from the command to the first trained epoch",
    "resume": "from the command to the first epoch after a checkpoint (a start without one: {floor})",
    "verify": "SHA-256 of a checkpoint of {quality} MB read from disk (reading alone: {floor})",
}
UNITS = {  # decimals and unit of a figure, by the unit of its case
    "ms/step": (1, " ms"), "ms/batch": (1, " ms"), "ms": (0, " ms"), "s": (1, " s"), "share of time": (2, ""),
    "% of a step": (1, "%"), "% of the time": (1, "%"),
}  # fmt: skip
DECIMALS = {"lasso_path": 2}  # where those of the unit are too few
NAMES = {  # as tables have the peers
    "flax": "Flax", "keras_jax": "Keras on JAX", "kornia": "kornia, one choice a batch",
    "pillow": "PIL in two processes", "sklearn": "scikit-learn", "tfds": "TFDS", "torch_compile": "torch.compile",
    "torch_loop": "torch loop", "torch_vmap": "torch.func",
}  # fmt: skip
MATRIX_PRODUCTS = ("dense_step", "conv_step", "sweep_64", "sweep_512", "tables")  # whose floor they are
OTHER_WORK = re.compile(r"no dropout|unverified")  # peers that do less, and are not compared with


def bench(records: Path, link: str) -> list[str]:
    """What `scripts/bench.py` measured, one row a case."""
    cases = {row["case"]: row for row in read(records / "bench.json")}
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        raise RecordError(f"bench.json: no words for the case {unknown[0]!r} in scripts/docs/tables.py")
    rows = [_bench_row(cases[name]) for name in CASES if name in cases]
    head = (
        "case", "regjax", "peers, the fastest first", "regjax takes, of the fastest peer's time",
        "share of the matrix-product floor",
    )  # fmt: skip
    found = next(iter(cases.values()))["versions"]
    dates = sorted({row["versions"]["date"] for row in cases.values()})
    packages = ", ".join(f"{name} {_latest(cases, name)}" for name in ("jax", "torch", "keras", "scikit-learn"))
    return [
        *table(head, rows),
        "",
        f"*Record: [`experiments/records/bench.json`]({link}/bench.json): {found['cores']} CPU cores ({found['cpu']}),",
        f"{packages}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}.*",
    ]


def _bench_row(row: Mapping[str, Any]) -> list[str]:
    decimals, unit = UNITS[row["unit"]]
    decimals = DECIMALS.get(row["case"], decimals)

    def shown(value: float, quality: float | None = None) -> str:
        text = f"{value:.{decimals}f}{unit}".replace("-", "−")
        if row["case"] == "lasso_path" and quality is not None:
            text += f", objective within {quality:.0e}".replace("e-0", "e-")
        return text

    floor = row["fraction_of_floor"]
    own, quality = row["ours"], row["quality"]
    label = CASES[row["case"]].format(floor=shown(own * floor) if floor else "", quality=f"{quality['ours']:g}")
    busy = row["versions"].get("used_by_others") or 0.0
    if busy > 0.1:
        label += f" (other processes used {100 * busy:.0f}% of the machine)"
    # A peer that was not installed has no figure.
    peers = sorted((item for item in row["peers"].items() if item[1] is not None), key=lambda item: item[1])
    same = [value for name, value in peers if not OTHER_WORK.search(name)]
    # A share of an overhead near zero, or of a share, says nothing.
    share = f"{own / same[0]:.2f}" if same and row["unit"] in ("ms/step", "ms/batch", "ms", "s") else ""
    return [
        label,
        shown(own, quality["ours"]),
        "; ".join(f"{shown(value, quality['peers'][name])} ({_peer(name)})" for name, value in peers),
        share,
        f"{floor:.2f}" if floor and row["case"] in MATRIX_PRODUCTS else "",
    ]


def _peer(name: str) -> str:
    """`"keras_jax (2 runs, scaled)"` as `"Keras on JAX, 2 runs, scaled"`."""
    first, _, rest = name.partition(" (")
    return NAMES.get(first, first) + (f", {rest[:-1]}" if rest else "")


def _latest(cases: Mapping[str, Any], package: str) -> str:
    return " and ".join(sorted({row["versions"][package] for row in cases.values() if package in row["versions"]}))


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
    "bench": bench,
    "atlas": atlas_tables.techniques,
    "atlas_rule": atlas_tables.rule,
    "atlas_sets": atlas_tables.data_sets,
    "unreached_entries": unreached_entries,
    **claims_tables.TABLES,
    **cocktail_tables.TABLES,
    **curve_studies.TABLES,
    **reproduce_tables.TABLES,
}
