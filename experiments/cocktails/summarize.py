"""The summary of the record: cocktails against every other learner, and what each part contributes."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.atlas.packages import VERSIONS
from experiments.cocktails.learners import LEARNERS
from experiments.cocktails.measure import protocol
from experiments.cocktails.parts import PARTS, drawn_programs
from experiments.cocktails.searching import PROGRAMS, programs_seed
from regjax.analysis import FEWEST_RUNS, fold_interval, fold_p, holm, joint_flips, mean_interval, rank_rows
from regjax.cli.app import reproduce
from regjax.core.errors import InputError

BASE = "cocktail"


def record_of(paths: Sequence[Path], started: float) -> dict[str, Any]:
    """The record of the data sets that are measured.

    Raises:
      InputError: one of them is not.
    """
    missing = [path.stem for path in paths if not path.exists()]
    if missing:
        raise InputError(f"not measured yet: {', '.join(missing)}")
    found = [json.loads(path.read_text()) for path in paths]
    return {
        "protocol": protocol(),
        "parts": {name: {"title": part.title, "strengths": part.strengths, "group": part.group}
                  for name, part in PARTS.items()},
        "spaces": {name: {key: list(values) for key, values in one.space.items()} for name, one in LEARNERS.items()},
        "packages": VERSIONS | _versions(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "reproduce": reproduce("cocktails", started),
        "summary": summarized(found),
        "data_sets": found,
    }  # fmt: skip


def summarized(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of what was measured on the data sets."""
    return {"rows": rows(found), "over_data_sets": over_data_sets(found), "parts": parts(found)}


def scores(one: Mapping[str, Any], metric: str = "accuracy") -> dict[str, np.ndarray]:
    """Of a data set the test scores of each learner on each split; accuracies in percent."""
    scale = 1.0 if metric == "log_loss" else 100.0
    own = {name: search["test"] for name, search in one["searches"].items()}
    own |= {name: [split["test"] for split in splits] for name, splits in one["learners"].items()}
    return {name: scale * np.array([split[metric] for split in tests]) for name, tests in own.items()}


def rows(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each data set and learner the mean accuracy, and how much higher that of the cocktail is.

    The intervals and p-values are those of Nadeau and Bengio for splits that share examples; `holm` is corrected for
    all comparisons of the record.
    """
    out: dict[str, Any] = {}
    tests: list[tuple[str, str, float | None]] = []
    for one in found:
        accuracy = scores(one)
        own: dict[str, Any] = {}
        for name, values in accuracy.items():
            own[name] = {"accuracy": _round(values.mean())}
            if name != BASE:
                ratio = one["sizes"]["test"] / one["sizes"]["train"]
                gain, low, high = fold_interval(accuracy[BASE] - values, ratio)
                own[name] |= {"cocktail_over": _round(gain), "ci95": [_round(low), _round(high)]}
                tests.append((one["name"], name, fold_p(accuracy[BASE] - values, ratio)))
        out[one["name"]] = own
    for (data, name, p), corrected in zip(tests, holm([p for *_, p in tests]), strict=True):
        out[data][name] |= {"p": _round(p, 4), "holm": _round(corrected, 4)}
    return out


def over_data_sets(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The cocktail against each learner over the data sets, each of which counts alike.

    `higher`, `equal` and `lower` count data sets by the mean accuracy, as the published comparison does; the mean
    difference has Student's interval over data sets. The p-values are those of sign flips over data sets, jointly for
    all learners and corrected by the step-down maximum (`regjax.analysis.joint_flips`): of signed-rank tests with
    Holm's correction none could be below 5% with so few data sets.
    """
    common = [name for name in scores(found[0]) if all(name in scores(one) for one in found)]
    out: dict[str, Any] = {"data_sets": len(found), "learners": {}}
    for metric in ("accuracy", "balanced_accuracy", "log_loss"):
        means = {name: np.array([scores(one, metric)[name].mean() for one in found]) for name in common}
        for name in common:
            if name == BASE:
                continue
            gain = means[BASE] - means[name]
            mean, low, high = mean_interval(gain.tolist()) if len(found) > 1 else (float(gain[0]), math.nan, math.nan)
            entry = {"cocktail_over": _round(mean, 4), "ci95": [_round(low, 4), _round(high, 4)]}
            if metric == "accuracy":
                entry |= {
                    "each": [_round(value) for value in gain],
                    "higher": int((gain > 1e-9).sum()),
                    "equal": int((np.abs(gain) <= 1e-9).sum()),
                    "lower": int((gain < -1e-9).sum()),
                }
            out["learners"].setdefault(name, {})[metric] = entry
    if len(found) >= FEWEST_RUNS:
        means = {name: np.array([scores(one)[name].mean() for one in found]) for name in common}
        ranks = rank_rows(means)
        out |= {"ranks": {name: _round(rank) for name, rank in ranks.ranks.items()}, "groups": ranks.groups}
        out["p_of_ranks"] = _round(ranks.p, 4)
        others = [name for name in common if name != BASE]
        tests = joint_flips(np.stack([means[BASE] - means[name] for name in others], axis=1))
        for name, test in zip(others, tests, strict=True):
            out["learners"][name] |= {"p": _round(test.p, 4), "p_adjusted": _round(test.p_adjusted, 4)}
        out["smallest_p"] = 2 / 2 ** len(found)
    return out


def parts(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What each part contributes to the test accuracy of cocktails, in points.

    A part is available on the data sets one of whose programs has it. `contribution` is the mean over these of the
    means over splits, where a part that is available and not in the cocktail contributes 0; its interval is Student's
    over the data sets, and the p-values are those of sign flips over data sets, jointly for all parts and corrected by
    the step-down maximum. `chosen` is the share of the cocktails of these data sets that have it,
    and `where_chosen` the mean over those cocktails.
    """
    names = list(PARTS)
    table = np.zeros((len(found), len(names)))
    has = np.array([[name in available(one) for name in names] for one in found])
    for row, one in enumerate(found):
        for column, name in enumerate(names):
            table[row, column] = 100 * np.mean([split["parts"].get(name, 0.0) for split in one["ablation"]])
    tests = joint_flips(table) if len(found) >= FEWEST_RUNS else None
    out: dict[str, Any] = {}
    for column, name in enumerate(names):
        sets = [one for one, of_it in zip(found, has[:, column], strict=True) if of_it]
        chosen = [100 * split["parts"][name] for one in sets for split in one["ablation"] if name in split["parts"]]
        cocktails = sum(len(one["ablation"]) for one in sets)
        means = table[has[:, column], column].tolist()
        entry: dict[str, Any] = {
            "title": PARTS[name].title,
            "data_sets": len(sets),
            "chosen": _round(len(chosen) / cocktails, 3) if sets else None,
            "where_chosen": _round(np.mean(chosen)) if chosen else None,
            "each": [_round(value) for value in means],
            "contribution": _round(np.mean(means)) if means else None,
        }
        if len(means) > 1:
            entry["ci95"] = [_round(end) for end in mean_interval(means)[1:]]
        if tests is not None and means:
            entry |= {"p": _round(tests[column].p, 4), "p_adjusted": _round(tests[column].p_adjusted, 4)}
        out[name] = entry
    return out


def available(one: Mapping[str, Any]) -> set[str]:
    """The parts that a program of a data set has."""
    return {name for program in drawn_programs(PROGRAMS, programs_seed(one["name"])) for name in program.parts}


def _versions() -> dict[str, str]:
    import importlib.metadata

    names = ("scikit-learn", "xgboost", "pytabkit", "torch")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _round(value: Any, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
