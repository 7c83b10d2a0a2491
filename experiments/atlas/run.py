"""Measures one data set of the atlas, and keeps what the summary needs."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.atlas import protocol
from experiments.atlas.data import Entry
from regjax.catalog import METRICS
from regjax.cli.workdirs import write_json
from regjax.comparison.procedure import compare
from regjax.comparison.techniques import BASELINE
from regjax.core.errors import InputError
from regjax.data import Dataset, split

FORMAT = 2


def measure(
    entry: Entry,
    workdir: Path,
    packages: Path | None,
    *,
    runs: int = protocol.RUNS,
    updates: int = protocol.UPDATES,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return what was measured on a data set, from `workdir` where it was measured before.

    Runs that finished before an interruption are not repeated: `compare` keeps each in a directory of its own, which is
    removed once the data set is done.

    Args:
      entry: the data set.
      workdir: where the results are, `NAME.json` for each data set.
      packages: where the archives of the packages are; None if no table of them is needed.
      runs: of each setting.
      updates: of each run.
      say: is told what is done.

    Raises:
      InputError: the data set cannot be read, or the result in `workdir` has another protocol or other data.
    """
    data = entry.make(entry.name, packages)
    made = settings(entry, data, runs, updates)
    path = workdir / f"{entry.name}.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found["protocol"] != made["protocol"]:
            raise InputError(f"{path}: of another protocol or other data; remove it, or use another --workdir")
        return found
    say(f"{entry.name}: {data.task}, {len(data):,} rows")
    started = time.time()
    directory = workdir / "unfinished" / entry.name
    result = compare("mlp", data, protocol.techniques(data.task), workers=1, directory=directory, **made["options"])
    out = made | reduced(result.to_json()) | {"seconds": round(time.time() - started, 1)}
    write_json(path, out)
    shutil.rmtree(directory)
    return out


def settings(entry: Entry, data: Dataset, runs: int, updates: int) -> dict[str, Any]:
    """What identifies a measurement: facts about the data, options and a hash over both."""
    wanted = dict(entry.options)
    pool = len(split(data).y_train)
    options = protocol.options(data.task, data.kind, int(wanted.get("train_examples", pool)), updates, runs) | wanted
    facts = {
        "format": FORMAT,
        "name": entry.name,
        "family": entry.family,
        "source": entry.source,
        "task": data.task,
        "kind": data.kind,
        "rows": len(data),
        "columns": int(np.prod(data.x.shape[1:])),
        "classes": data.num_classes,
        "groups": None if data.groups is None else len(np.unique(data.groups)),
        "options": options,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(data.x).tobytes() + np.ascontiguousarray(data.y).tobytes())
    for one in protocol.techniques(data.task):
        digest.update(repr(one if isinstance(one, str) else (one.name, one.values, one.combines)).encode())
    if data.groups is not None:
        digest.update(np.ascontiguousarray(data.groups).tobytes())
    return facts | {"protocol": digest.hexdigest()[:16]}


def reduced(content: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the results of a comparison that the summary needs."""
    rows = {"baseline": content["baseline"], **content["techniques"]}
    sign = METRICS[content["metric"]].sign
    kept = ("train_examples", "test_examples", "batch_size", "epochs", "updates", "learning_rate_search", "model")
    return {
        "settings": {name: content["settings"][name] for name in kept},
        "chance": content["chance"],
        "metrics": {name: _digits(of_one) for name, of_one in content["metrics"].items() if name in rows},
        "verdicts": content["diagnosis"]["verdicts"],
        "select_loss": _digits(content["baseline"]["grid"][0]["select_loss"]),
        "techniques": {name: _row(row, _select_scores(row, rows, sign)) for name, row in rows.items()},
        "versions": content["versions"],
    }


def runs_of(one: Mapping[str, Any]) -> int:
    """The number of runs behind a data set, those of the search for learning rates included."""
    search = one["settings"]["learning_rate_search"]
    return sum(row["lanes"] for row in one["techniques"].values()) + sum(search["tried"]) * search["runs"]


def _select_scores(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], sign: float) -> list[float]:
    """The validation score of what a row chose in each split, of one run each.

    Where a split has no combination, the best of its parts or the baseline stands in, as in `compare`.
    """
    grid = {point["value"]: iter(point["select_score"]["values"]) for point in row["grid"]}
    out = []
    for number, value in enumerate(row["chosen"].get("values") or [row["chosen"]["value"]]):
        if value is None:
            parts = [name for name in (BASELINE, *protocol.COMBINED) if name in rows]
            own = [_select_scores(rows[name], rows, sign)[number] for name in parts]
            out.append(sign * max(sign * score for score in own))
            continue
        scores = {one: next(score) for one, score in grid.items()}
        out.append(scores[value])
    return out


def _row(row: Mapping[str, Any], select_scores: list[float]) -> dict[str, Any]:
    accuracy = row.get("test_accuracy")
    return {
        "title": row["title"],
        "test_loss": _digits(row["test_loss"]["values"]),
        "train_loss": _digits(row["train_loss"]["values"]),
        "accuracy": None if accuracy is None else _digits(accuracy["values"]),
        "select_scores": _digits(select_scores),
        "chosen": row["chosen"]["values"],
        "parts": row["chosen"].get("parts"),
        "diverged": row["diverged"],
        "lanes": row["lanes"],
        "seconds": round(row["seconds"], 1),
    }


def _digits(value: Any) -> Any:
    """Numbers with six significant digits, in lists and dictionaries too."""
    if isinstance(value, Mapping):
        return {name: _digits(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_digits(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
